"""Videos: tasks of two kinds, from text and from a first frame, each at a path of its own.

https://app.klingai.com/global/dev/document-api/apiReference/model/textToVideo and …/imageToVideo; what each model can
do: …/skillsMap. Since the summer of 2026 the newer models also have paths of their own, with another wire format; the
one spoken here knows old and new ones alike.
"""

import math
from base64 import b64encode
from typing import Any

from msgspec.structs import replace

from gateway.catalog.schema import Model
from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Clip, Deployment, VideoState
from gateway.providers.kling import tasks
from gateway.providers.kling.tasks import Task
from gateway.providers.openai_compatible.wire import Upstream
from gateway.providers.vendor_errors import VendorErrors
from gateway.types import VideoRequest

TEXT = "/v1/videos/text2video"
IMAGE = "/v1/videos/image2video"
MODES = {"720p": "std", "1080p": "pro"}
# The masters come in one quality.
WITHOUT_MODES = frozenset({"kling-v2-master", "kling-v2-1-master"})
# What some of the models take besides; others refuse it.
PASSED_ON = {
    "kling-v1": ("cfg_scale",),
    "kling-v1-6": ("cfg_scale",),
    "kling-v3": ("cfg_scale", "multi_shot", "shot_type", "multi_prompt"),
}
# A look names nothing but a task: a resource that is not there (1203) is that task, and a bad parameter is its id.
LOOK_UP_ERRORS = VendorErrors(faults=((r"1203", ProviderFault.BAD_REQUEST), *tasks.ERRORS.faults))


async def submit(deployment: Deployment, request: VideoRequest) -> VideoState:
    """The task as it was accepted; the one that there is where it had been submitted before."""
    upstream = tasks.connect(deployment)
    body = _body(deployment.model, request)
    return _state(upstream, await tasks.submit(upstream, _path(request), body, request.reference))


async def look_up(deployment: Deployment, task_id: str, request: VideoRequest) -> VideoState:
    """The task by its id. One that the vendor does not know, as it forgets them after 30 days, has failed."""
    if state := await _find(deployment, task_id, request):
        return state
    message = "the vendor does not know the task"
    error = ProviderError(ProviderFault.BROKEN, message, accepted=True, of_this_request=True)
    return VideoState(task_id, "failed", error=error)


async def find(deployment: Deployment, request: VideoRequest) -> VideoState | None:
    """The task that has the request's reference; None where there is none."""
    return await _find(deployment, request.reference, request)


async def _find(deployment: Deployment, task_id: str, request: VideoRequest) -> VideoState | None:
    upstream = tasks.connect(deployment, LOOK_UP_ERRORS)
    try:
        return _state(upstream, await tasks.look_up(upstream, _path(request), task_id))
    except ProviderError as error:
        if error.kind is ProviderFault.BAD_REQUEST:
            return None
        raise


def _path(request: VideoRequest) -> str:
    return IMAGE if request.first_frame else TEXT


def _body(model: Model, request: VideoRequest) -> dict[str, Any]:
    passed_on = ("negative_prompt", *PASSED_ON.get(model.upstream, ()))
    body = {name: request.body[name] for name in passed_on if name in request.body}
    body["model_name"] = model.upstream  # by the name of `model` it would be ignored, and the oldest model would answer
    body["duration"] = str(request.seconds)
    if request.prompt:
        body["prompt"] = request.prompt
    if model.upstream not in WITHOUT_MODES:
        body["mode"] = MODES[request.resolution]
    if model.video and model.video.audio:
        body["sound"] = "on" if request.audio else "off"
    if request.callback_url:
        body["callback_url"] = request.callback_url
    if request.first_frame:
        # Pictures go without the head of a data URI, and the clip has the shape of the first one.
        body["image"] = b64encode(request.first_frame.data).decode()
        if request.last_frame:
            body["image_tail"] = b64encode(request.last_frame.data).decode()
        return body
    if request.ratio:
        body["aspect_ratio"] = request.ratio
    if model.upstream == "kling-v1" and "camera_control" in request.body:
        body["camera_control"] = request.body["camera_control"]
    return body


def _state(upstream: Upstream, task: Task) -> VideoState:
    # A status that we do not know is none of the two that are an end.
    state = VideoState(task.id, "queued" if task.status == "submitted" else "running")
    if task.status == "failed":
        return replace(state, status="failed", error=tasks.why_failed(upstream, task))
    if task.status != "succeed":
        return state
    if clip := _clip(task.result):
        return replace(state, status="completed", clip=clip)
    message = "a task that ended without a video"
    error = ProviderError(ProviderFault.BROKEN, message, accepted=True, of_this_request=True)
    return replace(state, status="failed", error=error)


def _clip(result: dict[str, Any]) -> Clip | None:
    videos = result.get("videos")
    found = [video for video in videos if isinstance(video, dict)] if isinstance(videos, list) else []
    url = found[0].get("url") if found else None
    return Clip(url=url, seconds=_seconds(found[0].get("duration"))) if isinstance(url, str) and url else None


def _seconds(duration: Any) -> float | None:
    """A text such as `5.1`."""
    try:
        seconds = float(duration)
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
