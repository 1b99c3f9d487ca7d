"""Omni: clips from a prompt, or from a first frame, a last one too, and a prompt. They are interactions.

https://ai.google.dev/gemini-api/docs/omni, https://ai.google.dev/api/interactions-api and the SDK's types
(https://github.com/googleapis/python-genai, `_gaos/types/interactions`). Nothing in a request names an interaction as
ours: one whose answer was lost cannot be found again.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Clip, Deployment, VideoState
from gateway.providers.google.errors import ERRORS
from gateway.providers.google.wire import ask, decode_base64, key_header, native
from gateway.providers.openai_errors import clean
from gateway.types import InputImage, VideoRequest

PATH = "/interactions"
# What pictures are for is said in the prompt: https://ai.google.dev/gemini-api/docs/omni#prompt-guide
FIRST_FRAME, LAST_FRAME = "<FIRST_FRAME>", "<LAST_FRAME>"
# There is no field for it, and the model makes sound unless the prompt says otherwise.
SILENT = "The video is silent: no dialogue, no music, no sound effects."
_STATUSES: dict[str, Literal["queued", "running", "completed", "cancelled"]] = {
    "queued": "queued",
    "in_progress": "running",
    "requires_continuation": "running",  # in the background Google itself goes on
    "completed": "completed",
    "cancelled": "cancelled",
}
# An interaction that failed has the code of an RPC, or none, and a message: which ones refuse a prompt is told in
# words alone. https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_HTTP_OF_RPC = {3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 13: 500, 14: 503, 16: 401}
_REFUSAL = re.compile(r"safety|blocked|prohibited|polic(y|ies)|violat|sensitive|minors?\b|recitation", re.IGNORECASE)
_FILE = re.compile(r"/files/([\w-]+)(?::download)?", re.ASCII)


async def submit(deployment: Deployment, request: VideoRequest) -> VideoState:
    try:
        answer = await ask(deployment, "POST", PATH, _body(deployment, request))
    except ProviderError as error:
        if error.kind is ProviderFault.BAD_REQUEST and _REFUSAL.search(error.message):
            raise ProviderError(ProviderFault.CONTENT_POLICY, error.message, status=error.status) from None
        raise
    task_id = answer.get("id")
    if not isinstance(task_id, str) or not task_id:
        raise ProviderError(ProviderFault.BROKEN, "an answer without an interaction", status=200)
    return await _state(deployment, task_id, answer)


async def look_up(deployment: Deployment, task_id: str) -> VideoState:
    """An interaction is known for days, its clip's address for two."""
    try:
        answer = await ask(deployment, "GET", f"{PATH}/{quote(task_id, safe='')}")
    except ProviderError as error:
        # What is not there, or is another account's. A key that is refused is another kind of error.
        if error.status not in (403, 404) or error.kind is not ProviderFault.BAD_REQUEST:
            raise
        unknown = ProviderError(ProviderFault.BROKEN, "the vendor does not know the task", status=404, accepted=True)
        return VideoState(task_id, "failed", error=unknown)
    return await _state(deployment, task_id, answer)


async def cancel(deployment: Deployment, task_id: str) -> bool:
    try:
        answer = await ask(deployment, "POST", f"{PATH}/{quote(task_id, safe='')}/cancel")
    except ProviderError:
        # In which words one that has ended is refused, is not documented: it is looked at.
        state = await look_up(deployment, task_id)
        if state.status in ("queued", "running"):
            raise
        return state.status == "cancelled"
    return answer.get("status") == "cancelled"


def _body(deployment: Deployment, request: VideoRequest) -> dict[str, Any]:
    frames = [image for image in (request.first_frame, request.last_frame) if image is not None]
    wanted = {
        "type": "video",
        "resolution": request.resolution,
        "duration": f"{request.seconds}s",
        # Otherwise the clip is a part of each answer, which is for four megabytes at most.
        "delivery": "uri",
    }
    if request.ratio:
        wanted["aspect_ratio"] = request.ratio
    body: dict[str, Any] = {
        "model": deployment.upstream,
        "input": [*map(_picture, frames), {"type": "text", "text": _prompt(request)}],
        "response_format": wanted,
        # What is done in the background has to be stored, or nobody could ask for it.
        "background": True,
        "store": True,
    }
    if len(frames) < 2:  # no name of a task is documented for two frames, whose tags say what to do
        task = "image_to_video" if frames else "text_to_video"
        body["generation_config"] = {"video_config": {"task": task}}
    if request.callback_url:
        body["webhook_config"] = {"uris": [request.callback_url]}
    return body


def _picture(image: InputImage) -> dict[str, str]:
    return {"type": "image", "mime_type": image.mime, "data": b64encode(image.data).decode()}


def _prompt(request: VideoRequest) -> str:
    tags = [FIRST_FRAME] if request.first_frame is not None else []
    tags += [LAST_FRAME] if request.last_frame is not None else []
    missing = [tag for tag in tags if tag not in request.prompt]
    return " ".join([*missing, request.prompt, *([] if request.audio else [SILENT])])


async def _state(deployment: Deployment, task_id: str, answer: dict[str, Any]) -> VideoState:
    named = answer.get("status")
    if not isinstance(named, str):
        raise ProviderError(ProviderFault.BROKEN, "an answer without an interaction", status=200)
    status = _STATUSES.get(named)
    if status == "completed":
        return await _completed(deployment, task_id, answer)
    if status is not None:
        return VideoState(task_id, status)
    return VideoState(task_id, "failed", error=_failure(deployment, answer, named))


async def _completed(deployment: Deployment, task_id: str, answer: dict[str, Any]) -> VideoState:
    parts = list(_parts(answer))
    # The last one, where the model made several. A look may bring the bytes, though an address was asked for.
    for part in reversed(parts):
        if part.get("type") != "video":
            continue
        if isinstance(data := part.get("data"), str) and data:
            return _with_bytes(task_id, data)
        if isinstance(uri := part.get("uri"), str) and uri:
            return await _with_address(deployment, task_id, uri)
    return VideoState(task_id, "failed", error=_failure(deployment, answer, "completed"))


def _with_bytes(task_id: str, data: str) -> VideoState:
    try:
        return VideoState(task_id, "completed", clip=Clip(data=decode_base64(data)))
    except ProviderError as error:
        error.accepted = True
        return VideoState(task_id, "failed", error=error)


async def _with_address(deployment: Deployment, task_id: str, uri: str) -> VideoState:
    """A file of Google's may take a moment longer than its interaction, and is not there for who has no key."""
    if _origin(uri) != _origin(deployment.base_url):
        return VideoState(task_id, "completed", clip=Clip(uri))
    if found := _FILE.search(urlsplit(uri).path):
        state = (await ask(deployment, "GET", f"/files/{found[1]}")).get("state")
        if state == "PROCESSING":
            return VideoState(task_id, "running")
        if state == "FAILED":
            message = "the clip could not be processed"
            error = ProviderError(ProviderFault.BROKEN, message, accepted=True, of_this_request=True)
            return VideoState(task_id, "failed", error=error)
    return VideoState(task_id, "completed", clip=Clip(uri, headers=(key_header(deployment),)))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _failure(deployment: Deployment, answer: dict[str, Any], status: str) -> ProviderError:
    """Why an interaction made nothing: its own errors, those of its steps, or what the model says instead."""
    if status == "budget_exceeded":
        return ProviderError(ProviderFault.BALANCE, "the account's budget is used up", accepted=True)
    for error in _errors(answer):
        return _read(deployment, error)
    words = " ".join(text.strip() for part in _parts(answer) if isinstance(text := part.get("text"), str))
    if status == "completed" and words:
        message = clean(words, native(deployment).secrets())
        return ProviderError(ProviderFault.CONTENT_POLICY, message, accepted=True)
    message = f"an interaction that ended without a clip ({status[:40]})"
    return ProviderError(ProviderFault.BROKEN, message, accepted=True, of_this_request=True)


def _read(deployment: Deployment, error: dict[str, Any]) -> ProviderError:
    code = error.get("code")
    known = {**error, "code": _HTTP_OF_RPC.get(code) if type(code) is int else None}
    read = ERRORS.find({"error": known}, secrets=native(deployment).secrets())
    assert read is not None, "an error with fields is one"
    kind = ProviderFault.CONTENT_POLICY if _REFUSAL.search(read.message) else read.kind
    broken = kind is ProviderFault.BROKEN
    return ProviderError(kind, read.message, status=read.status, accepted=True, of_this_request=broken)


def _errors(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    listed = answer.get("errors")
    found = [*listed] if isinstance(listed, list) else []
    found += [step.get("error") for step in _steps(answer)]
    return (error for error in found if isinstance(error, dict) and error)


def _parts(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the model made, piece by piece."""
    for step in _steps(answer):
        content = step.get("content")
        if step.get("type") == "model_output" and isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


def _steps(answer: dict[str, Any]) -> list[dict[str, Any]]:
    steps = answer.get("steps")
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
