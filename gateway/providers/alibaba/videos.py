"""Wan: clips from a prompt (`t2v`), or from a first frame, a last one too, and a prompt (`i2v`).

https://www.alibabacloud.com/help/en/model-studio/text-to-video-api-reference,
https://www.alibabacloud.com/help/en/model-studio/image-to-video-general-api-reference. The models make sound to each
clip, and cannot be told not to.
"""

from base64 import b64encode
from typing import Any

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.alibaba import tasks
from gateway.providers.base import Clip, VideoState
from gateway.providers.openai_compatible.wire import Upstream
from gateway.types import InputImage, VideoRequest

PATH = "/api/v1/services/aigc/video-generation/video-synthesis"
# The vendor's own parameters, which a client may send along.
PASSED_ON = ("prompt_extend", "seed")
# Alone in what goes with the prompt; the others are in `parameters`.
NEGATIVE_PROMPT = "negative_prompt"


async def submit(upstream: Upstream, request: VideoRequest) -> VideoState:
    return _state(upstream, await tasks.submit(upstream, PATH, _body(upstream.deployment.upstream, request)))


async def look_up(upstream: Upstream, task_id: str) -> VideoState:
    """A task is known for a day, and so is its clip's address."""
    return _state(upstream, await tasks.look_up(upstream, task_id))


async def cancel(upstream: Upstream, task_id: str) -> bool:
    try:
        await tasks.cancel(upstream, task_id)
    except ProviderError:
        # In which words a task is refused that has begun, or has ended, is not documented: it is looked at.
        task = await tasks.look_up(upstream, task_id)
        if task.status == "PENDING":
            raise
        return task.status == "CANCELED"
    return True


def _body(model: str, request: VideoRequest) -> dict[str, Any]:
    asked: dict[str, Any] = {"prompt": request.prompt} if request.prompt else {}
    if NEGATIVE_PROMPT in request.body:
        asked[NEGATIVE_PROMPT] = request.body[NEGATIVE_PROMPT]
    parameters = {name: request.body[name] for name in PASSED_ON if name in request.body}
    parameters |= {
        "resolution": request.resolution.upper(),
        "duration": request.seconds,
        "watermark": False,
    }
    if media := [*_frames(request.first_frame, "first_frame"), *_frames(request.last_frame, "last_frame")]:
        asked["media"] = media  # a clip has the ratio of its first frame, and none is asked for
    elif request.ratio:
        parameters["ratio"] = request.ratio
    return {"model": model, "input": asked, "parameters": parameters}


def _frames(image: InputImage | None, kind: str) -> list[dict[str, str]]:
    """The one that there is, or none."""
    if image is None:
        return []
    return [{"type": kind, "url": f"data:{image.mime};base64,{b64encode(image.data).decode()}"}]


def _state(upstream: Upstream, task: tasks.Task) -> VideoState:
    match task.status:
        case "SUCCEEDED":
            return _completed(task)
        case "FAILED" | "UNKNOWN":
            return VideoState(task.id, "failed", error=tasks.failure_of(upstream, task))
        case "CANCELED":
            return VideoState(task.id, "cancelled")
        case "PENDING":
            return VideoState(task.id, "queued")
    return VideoState(task.id, "running")


def _completed(task: tasks.Task) -> VideoState:
    url = task.output.get("video_url")
    if isinstance(url, str) and url:
        return VideoState(task.id, "completed", clip=Clip(url, seconds=_seconds(task.usage)))
    message = "a task that ended without a clip"
    error = ProviderError(ProviderFault.BROKEN, message, accepted=True, of_this_request=True)
    return VideoState(task.id, "failed", error=error)


def _seconds(usage: dict[str, Any]) -> float | None:
    """A clip's length. `duration` counts clips that it was made of, too, and is all that older models tell."""
    for name in ("output_video_duration", "duration"):
        seconds = usage.get(name)
        if isinstance(seconds, int | float) and seconds > 0:
            return float(seconds)
    return None
