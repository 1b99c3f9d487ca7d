"""The tools `generate_video` and `get_video`."""

import logging
from contextlib import aclosing
from math import exp
from time import monotonic
from typing import Annotated, Any

import anyio
import msgspec
from mcp_types import CallToolResult, Tool, ToolAnnotations
from msgspec import Meta, Struct

from accounts.callers import Caller
from api.admit import authenticate
from api.mcp import schemas
from api.mcp.arguments import check_names, read
from api.mcp.offers import list_of, offered, usual, video_spec
from api.mcp.pictures import take_own
from api.mcp.results import answer, failure
from api.mcp.visit import Visit
from gateway.catalog import get_model
from gateway.errors import NotCancellable
from gateway.events import Interrupted, follow
from gateway.flows import videos
from gateway.models import VideoTask
from gateway.requests.decoding import convert
from gateway.requests.videos import parse_video
from gateway.tasks.shape import status_body

logger = logging.getLogger(__name__)

Seconds = Annotated[int, Meta(ge=0, le=schemas.LONGEST_WAIT)]
# What is left to a video whose client has cancelled it.
CANCEL_SECONDS = 15.0
NEXT = {
    "processing": "It goes on. Call `get_video` with this `id`, and not `generate_video`, which would cost again.",
    "completed": "Give your user the link; it expires.",
    "failed": "Nothing was charged. Change the prompt or the model, or try again.",
    "cancelled": "Nothing was charged.",
}


class _Waiting(Struct):
    wait_seconds: Seconds | None = None


class _Named(Struct):
    id: Annotated[str, Meta(min_length=1, max_length=100)]
    wait_seconds: Seconds = schemas.SILENT_WAIT


def describe_generate(caller: Caller) -> Tool | None:
    models = offered(caller, "video")
    if not models:
        return None
    return Tool(
        name="generate_video",
        title="Generate a video",
        description=(
            "Makes a clip of some seconds from a text, or from a picture that it begins with. It costs credits of your "
            "user's account, far more than a picture: `estimate_cost` tells how many. Making it takes one to several "
            "minutes. The result is the finished clip's link, or the task while it goes on: `get_video` then tells the "
            "rest. Failures cost nothing.\n\n"
            f"Models (`{usual(models)}` unless your user wants another):\n{list_of(models)}"
        ),
        input_schema=schemas.generate_video(models),
        output_schema=schemas.VIDEO,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
        ),
    )


def describe_get(caller: Caller) -> Tool:
    return Tool(
        name="get_video",
        title="Get a video",
        description=(
            "Tells how far a video is that `generate_video` began, and has its link once it is completed. It waits for "
            "that a while by itself, so call it again without a pause. Costs nothing."
        ),
        input_schema=schemas.GET_VIDEO,
        output_schema=schemas.VIDEO,
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )


async def generate(visit: Visit, arguments: dict[str, Any]) -> CallToolResult:
    asked = parse_video(generate_body(visit.call.caller, arguments))
    waiting = convert(arguments, _Waiting).wait_seconds
    async with visit.admitted():
        asked.frames = {role: await take_own(source, param=role) for role, source in asked.frames.items()}
        # Whoever leaves now shall not leave a task behind of which nobody knows.
        with anyio.CancelScope(shield=True):
            task = await videos.create(visit.call, asked)
    if waiting is None:
        waiting = schemas.LONGEST_WAIT if visit.wants_progress else schemas.SILENT_WAIT
    try:
        await _wait(visit, task, waiting)
    except anyio.get_cancelled_exc_class():
        if visit.call.client_left and visit.leaving_cancels:
            with anyio.move_on_after(CANCEL_SECONDS, shield=True):
                await _cancel(visit, task)
        raise
    task = await videos.find(visit.call, task.pk)
    if task.state == VideoTask.State.FAILED:
        return failure(
            f"The video failed. {task.error_code}: {task.error_message} {NEXT['failed']}",
            {"code": task.error_code, "message": task.error_message, "id": task.pk, "request_id": task.request_id},
        )
    return _answer(task)


async def get(visit: Visit, arguments: dict[str, Any]) -> CallToolResult:
    named = read(arguments, _Named, schemas.GET_VIDEO)
    task = await videos.find(visit.call, named.id)
    if not task.is_ended and named.wait_seconds:
        await _wait(visit, task, named.wait_seconds)
        task = await videos.find(visit.call, named.id)
    return _answer(task)


def generate_body(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """What REST takes for the same."""
    models = offered(caller, "video")
    body = {name: value for name, value in arguments.items() if name != "wait_seconds"}
    if not models:
        return body
    check_names(arguments, schemas.generate_video(models))
    return {"model": usual(models), **body}


def _answer(task: VideoTask) -> CallToolResult:
    shown = status_body(task)
    fields = ("id", "status", "progress", "video_url", "duration", "model", "credits", "error")
    structured = {name: shown[name] for name in fields}
    return answer({**structured, "next": NEXT[shown["status"]], "request_id": task.request_id})


async def _wait(visit: Visit, task: VideoTask, seconds: float) -> None:
    """Returns when the task has ended, when `seconds` are over, or when this process is about to end.

    Tells the client meanwhile how far it is: what the provider says, or else a guess that stays below the end.
    """
    began, told, percent = monotonic(), 0.0, 0
    typical = video_spec(get_model(task.model_id)).typical_seconds
    with anyio.move_on_after(seconds):
        try:
            async with aclosing(follow(task.pk)) as batches:
                async for events in batches:
                    # Its key may have been revoked since.
                    await authenticate(visit.authorization)
                    for event in events:
                        percent = msgspec.json.decode(event.body)["task"]["progress"]
                    progress = max(percent, 95 * (1 - exp((began - monotonic()) / typical)))
                    if progress > told:
                        told = progress
                        await visit.report(progress, 100, f"`{task.model}` is making {task.pk}")
        except Interrupted:
            return


async def _cancel(visit: Visit, task: VideoTask) -> None:
    try:
        await videos.cancel(visit.call, task.pk)
    except NotCancellable:
        logger.info("%s goes on without its client: its provider does not stop", task.pk)
