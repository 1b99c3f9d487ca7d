"""Seedance: clips from a prompt, or from a first frame, a last one too, and a prompt.

https://docs.byteplus.com/en/docs/ModelArk/1520757 (submit), 1521309 (look up), 1521720 (cancel). Nothing in a request
names a task as ours: one whose answer was lost cannot be found again.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Clip, Deployment, VideoState
from gateway.providers.bytedance.errors import ERRORS
from gateway.providers.bytedance.images import data_uri
from gateway.providers.json_api import ask
from gateway.providers.openai_compatible.wire import Upstream
from gateway.providers.openai_errors import ErrorReader
from gateway.types import InputImage, VideoRequest

PATH = "/contents/generations/tasks"
# The vendor's own parameters, which a client may send along to the models of the first generation; the second's refuse
# them.
PASSED_ON = ("seed", "camera_fixed")
# Seconds: the shortest time after which the vendor gives a task up.
SHORTEST_LIFE = 3600
# Commands in a prompt are the vendor's older way to say how long and how large a clip is, which is paid for by what the
# request says beside it.
COMMANDS = re.compile(
    r"(?:^|\s)--(?:rs|resolution|rt|ratio|dur|duration|frames|fps|framespersecond|seed|cf|camerafixed|wm|watermark)"
    r"(?:\s+|=)\S+",
    re.IGNORECASE,
)
_STATUSES: dict[str, Literal["queued", "running", "completed", "failed", "cancelled"]] = {
    "queued": "queued",
    "running": "running",
    "succeeded": "completed",
    "failed": "failed",
    "expired": "failed",
    "cancelled": "cancelled",
}


def _find_error(answer: Any, *, secrets: Sequence[str] = ()) -> ProviderError | None:
    """A task that failed says why where errors do, and is none."""
    if isinstance(answer, dict) and "status" in answer:
        return None
    return ERRORS.find(answer, secrets=secrets)


READER = ErrorReader(ERRORS.classify, _find_error)


async def submit(upstream: Upstream, request: VideoRequest) -> VideoState:
    answer = await ask(upstream, "POST", PATH, _body(upstream.deployment, request))
    task_id = answer.get("id")
    if not isinstance(task_id, str) or not task_id:
        raise ProviderError(ProviderFault.BROKEN, "an answer without a task", status=200)
    return VideoState(task_id, "queued")


async def look_up(upstream: Upstream, task_id: str) -> VideoState:
    """A task is known for seven days, its clip's address for one."""
    try:
        answer = await ask(upstream, "GET", f"{PATH}/{task_id}")
    except ProviderError as error:
        # The vendor's own words alone: a proxy's page of the same status says nothing of a task that is paid for.
        if error.status != 404 or error.kind is not ProviderFault.BAD_REQUEST:
            raise
        unknown = ProviderError(ProviderFault.BROKEN, "the vendor does not know the task", status=404, accepted=True)
        return VideoState(task_id, "failed", error=unknown)
    return _state(upstream, task_id, answer)


async def cancel(upstream: Upstream, task_id: str) -> bool:
    """The same request takes a task that waits out of the queue, and erases one that has ended, clip and all: so it is
    looked at first. One that runs is refused."""
    state = await look_up(upstream, task_id)
    if state.status == "queued":
        try:
            await ask(upstream, "DELETE", f"{PATH}/{task_id}")
        except ProviderError:
            state = await look_up(upstream, task_id)
            if state.status == "queued":
                raise
        else:
            return True
    return state.status == "cancelled"


def _body(deployment: Deployment, request: VideoRequest) -> dict[str, Any]:
    spec = deployment.model.video
    assert spec is not None, "clips are asked of video models only"
    first_generation = "seedance-1-" in deployment.upstream
    body = {name: request.body[name] for name in PASSED_ON if first_generation and name in request.body}
    body |= {
        "model": deployment.upstream,
        "content": _content(request),
        "resolution": request.resolution,
        "duration": request.seconds,
        "watermark": False,
        # What we have given up, nobody should make and be paid for.
        "execution_expires_after": max(SHORTEST_LIFE, spec.deadline_seconds),
    }
    if ratio := _ratio(deployment, request):
        body["ratio"] = ratio
    if spec.audio:  # silent models refuse the parameter, the others make sound unless told otherwise
        body["generate_audio"] = request.audio
    if request.callback_url:
        body["callback_url"] = request.callback_url
    return body


def _content(request: VideoRequest) -> list[dict[str, Any]]:
    prompt = COMMANDS.sub("", request.prompt).strip()
    content: list[dict[str, Any]] = [{"type": "text", "text": prompt}] if prompt else []
    if request.first_frame is not None:
        content.append(_frame(request.first_frame, "first_frame"))
    if request.last_frame is not None:
        content.append(_frame(request.last_frame, "last_frame"))
    return content


def _frame(image: InputImage, role: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_uri(image)}, "role": role}


def _ratio(deployment: Deployment, request: VideoRequest) -> str:
    """`adaptive` is the first frame's own. Seedance 2.5 knows no other for it, and fails the task."""
    if request.first_frame is not None and (not request.ratio or "seedance-2-5" in deployment.upstream):
        return "adaptive"
    return request.ratio


def _state(upstream: Upstream, task_id: str, answer: dict[str, Any]) -> VideoState:
    named = answer.get("status")
    if not isinstance(named, str):
        raise ProviderError(ProviderFault.BROKEN, "an answer without a task", status=200)
    status = _STATUSES.get(named, "running")
    if status == "failed":
        return VideoState(task_id, "failed", error=_failure(upstream, named, answer))
    if status != "completed":
        return VideoState(task_id, status)
    content, seconds = answer.get("content"), answer.get("duration")
    url = content.get("video_url") if isinstance(content, dict) else None
    if not isinstance(url, str) or not url:
        message = "a task that ended without a clip"
        error = ProviderError(ProviderFault.BROKEN, message, accepted=True, of_this_request=True)
        return VideoState(task_id, "failed", error=error)
    return VideoState(task_id, "completed", clip=Clip(url, seconds=float(seconds) if type(seconds) is int else None))


def _failure(upstream: Upstream, status: str, answer: dict[str, Any]) -> ProviderError:
    """Why a task made nothing."""
    if status == "expired":
        return ProviderError(ProviderFault.TIMEOUT, "the task did not end in time", accepted=True)
    error = ERRORS.read({"error": answer.get("error")}, secrets=upstream.secrets())
    error.accepted = True
    error.of_this_request = error.kind is ProviderFault.BROKEN
    return error
