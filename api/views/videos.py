"""Videos in both public shapes: the gateway's `/v1/video/*`, and OpenAI's `/v1/videos`. The tasks are the same."""

import asyncio

from adrf.views import APIView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response

from api.body import JSON, PICTURES_FORM, check_size, find_kind
from api.views.calls import begin_call
from api.views.media import serve_file
from gateway.errors import InvalidValue
from gateway.flows import videos
from gateway.models import VideoTask
from gateway.requests.decoding import decode_object
from gateway.requests.forms import parse_form
from gateway.requests.videos import parse_openai_video, parse_openai_video_form, parse_video
from gateway.tasks.shape import openai_body, status_body

# How OpenAI's clients are told when to ask again. Milliseconds.
POLL_AFTER = "openai-poll-after-ms"
SHORTEST_WAIT, LONGEST_WAIT = 500, 5000
MOST_LISTED = 100


class VideoGenerations(APIView):
    """`POST /v1/video/generations`."""

    priced = True

    async def post(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/video/generations")
        find_kind(request.headers.get("content-type"), (JSON,))
        task = await videos.create(call, parse_video(decode_object(_body(request))))
        return Response(status_body(task))


class VideoStatus(APIView):
    """`GET /v1/video/status/{task_id}`."""

    async def get(self, request: Request, task_id: str) -> Response:
        call = await begin_call(request, "/v1/video/status/{task_id}", read=True)
        return Response(status_body(await videos.find(call, task_id)))


class VideoCancel(APIView):
    """`POST /v1/video/cancel/{task_id}`: in the bucket of reads, since it costs nothing."""

    async def post(self, request: Request, task_id: str) -> Response:
        call = await begin_call(request, "/v1/video/cancel/{task_id}", read=True)
        return Response(status_body(await videos.cancel(call, task_id)))


class Videos(APIView):
    """`POST /v1/videos` and `GET /v1/videos`."""

    priced = True

    async def post(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/videos")
        content_type = request.headers.get("content-type")
        if find_kind(content_type, (JSON, PICTURES_FORM)) is JSON:
            asked = parse_openai_video(decode_object(_body(request)))
        else:
            # Megabytes are searched for a boundary.
            asked = parse_openai_video_form(await asyncio.to_thread(parse_form, _body(request), content_type or ""))
        return _openai(await videos.create(call, asked))

    async def get(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/videos", read=True)
        found = await videos.list_tasks(
            call,
            after=request.GET.get("after"),
            limit=_limit(request.GET.get("limit", "20")),
            ascending=_is_ascending(request.GET.get("order", "desc")),
        )
        listed = [openai_body(task) for task in found.tasks]
        return Response(
            {
                "object": "list",
                "data": listed,
                "first_id": listed[0]["id"] if listed else None,
                "last_id": listed[-1]["id"] if listed else None,
                "has_more": found.has_more,
            }
        )


class VideoDetail(APIView):
    """`GET` and `DELETE /v1/videos/{id}`."""

    async def get(self, request: Request, task_id: str) -> Response:
        call = await begin_call(request, "/v1/videos/{id}", read=True)
        return _openai(await videos.find(call, task_id))

    async def delete(self, request: Request, task_id: str) -> Response:
        call = await begin_call(request, "/v1/videos/{id}", read=True)
        await videos.delete(call, task_id)
        return Response({"id": task_id, "object": "video.deleted", "deleted": True})


class VideoContent(APIView):
    """`GET /v1/videos/{id}/content`: the clip itself, whole or in ranges."""

    async def get(self, request: Request, task_id: str) -> HttpResponseBase:
        call = await begin_call(request, "/v1/videos/{id}/content", read=True)
        variant = request.GET.get("variant", "video")
        if variant != "video":
            raise InvalidValue(f"`variant` does not take '{variant[:60]}'. Allowed: `video`.", param="variant")
        return serve_file(request._request, await videos.open_content(call, task_id))


@csrf_exempt
async def note_callback(request: HttpRequest, token: str) -> HttpResponse:
    """Where providers tell that a task has changed. The address holds its secret; what is sent is not read."""
    known = request.method == "POST" and await videos.note_callback(token)
    return HttpResponse(status=200 if known else 404)


def _body(request: Request) -> bytes:
    body: bytes = request._request.body
    check_size(len(body))
    return body


def _openai(task: VideoTask) -> Response:
    """With the moment to ask again in a header, while it goes on."""
    response = Response(openai_body(task))
    if not task.is_ended:
        response[POLL_AFTER] = str(_poll_after(task))
    return response


def _poll_after(task: VideoTask) -> int:
    """Milliseconds until there may be something new: about when the task itself is looked at."""
    if task.claim or not task.provider_task_id:
        return SHORTEST_WAIT
    wait = (task.next_at - timezone.now()).total_seconds() * 1000
    return int(min(LONGEST_WAIT, max(SHORTEST_WAIT, wait)))


def _limit(value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or not 1 <= int(value[:9]) <= MOST_LISTED:
        raise InvalidValue(f"`limit` is a number from 1 to {MOST_LISTED}.", param="limit")
    return int(value)


def _is_ascending(value: str) -> bool:
    if value not in ("asc", "desc"):
        raise InvalidValue("`order` does not take that. Allowed: `asc`, `desc`.", param="order")
    return value == "asc"
