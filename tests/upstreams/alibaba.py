"""A fake of Alibaba's DashScope: https://www.alibabacloud.com/help/en/model-studio/

Three things in one: pictures in one answer, videos as tasks (in `alibaba_videos`), and OpenAI's protocol below
`/compatible-mode/v1`, which has errors of its own shape and spelling. It refuses what the documents do not know.
"""

import asyncio
import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from gateway.errors import ProviderFault
from tests.upstreams import alibaba_videos, chat, server
from tests.upstreams.contract import Contract, Failure
from tests.upstreams.results import Results, is_picture
from tests.upstreams.server import FakeServer, Recorded

COMPATIBLE = "/compatible-mode/v1"
SERVICES = "/api/v1/services/aigc"
TASKS = "/api/v1/tasks/"
CHAT_TYPES: chat.Types = {
    **{name: kind for name, kind in chat.BASIC.items() if name != "user"},
    "seed": int,
    "top_k": int,
    "repetition_penalty": (int, float),
    "enable_thinking": bool,
    "thinking_budget": int,
    "enable_search": bool,
    "search_options": dict,
}
IMAGE_TYPES: chat.Types = {
    "size": str,
    "n": int,
    "seed": int,
    "negative_prompt": str,
    "prompt_extend": bool,
    "watermark": bool,
}
IMAGE_MODELS = {"qwen-image-2.0", "qwen-image-2.0-pro", "qwen-image-3.0"}
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff", "image/gif"})
DATA_URI = re.compile(r"data:(image/[a-z0-9.+-]+);base64,(.+)", re.DOTALL)


@dataclass
class Behaviour(chat.ChatFaults):
    compatible: bool = False  # errors as the compatible mode words them
    nothing_made: bool = False  # a good answer without pictures
    one_choice: bool = False  # all pictures in one choice
    # What a task comes to, how many looks find it PENDING (the first) and then RUNNING, and why one FAILED.
    task_status: str = "SUCCEEDED"
    polls: int = 0
    task_code: str = "InternalError"
    clip_lost: bool = False  # a task that succeeded without a clip
    results_expired: bool = False  # addresses whose signature is too old


class Refusal(server.Refusal):
    def __init__(self, status: int, code: str, message: str, *, compatible: bool = False) -> None:
        super().__init__(status, _error(code, message, compatible=compatible))


class FakeAlibaba(FakeServer[Behaviour]):
    """The server. `api_key`, if given, is the only one it takes."""

    def __init__(self, *, api_key: str = "") -> None:
        super().__init__(Behaviour())
        self.api_key = api_key
        self.results = Results()
        self.videos = alibaba_videos.Tasks(self.results, _check_picture)

    def fault_error(self, behaviour: Behaviour) -> dict[str, Any]:
        message = f"{behaviour.message}, see {self.origin}"
        return _error(behaviour.code or "InternalError", message, compatible=behaviour.compatible)

    async def route(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        if recorded.method == "GET" and (found := self.results.find(recorded.path)):
            if behaviour.results_expired:
                raise Refusal(403, "AccessDenied", "Request has expired.")
            return await self.answer(writer, behaviour, found[0], content_type=found[1])
        compatible = recorded.path.startswith(COMPATIBLE)
        key = recorded.headers.get("authorization", "")
        if self.api_key and key != f"Bearer {self.api_key}":
            code = "invalid_api_key" if compatible else "InvalidApiKey"
            raise Refusal(401, code, f"Invalid API-key provided: {key}", compatible=compatible)
        if behaviour.error_in_200:
            return await self.answer(writer, behaviour, self.fault_error(behaviour))
        if compatible:
            return await self._compatible(recorded, behaviour, writer)
        if (recorded.method, recorded.path) == ("POST", f"{SERVICES}/multimodal-generation/generation"):
            return await self.answer(writer, behaviour, self._images(recorded, behaviour))
        return await self.answer(writer, behaviour, self._videos(recorded, behaviour))

    async def _compatible(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        body = recorded.body
        match (recorded.method, recorded.path.removeprefix(COMPATIBLE)):
            case ("POST", "/chat/completions"):
                if fault := chat.find_fault(body, CHAT_TYPES):
                    raise Refusal(400, "invalid_parameter_error", f"<400> {fault[1]}", compatible=True)
                if body.get("stream"):
                    return await self.stream(writer, behaviour, chat.chunks(behaviour, body), done=True)
                return await self.answer(writer, behaviour, chat.completion(behaviour, body))
            case ("POST", "/embeddings"):
                if unknown := set(body) - {"model", "input", "encoding_format", "dimensions"}:
                    raise Refusal(400, "invalid_parameter_error", f"unknown: {min(unknown)}", compatible=True)
                if len(body["input"]) > 10:
                    raise Refusal(400, "invalid_parameter_error", "batch size is invalid: at most 10", compatible=True)
                return await self.answer(writer, behaviour, chat.embeddings(body))
        raise Refusal(404, "not_found", "no such path", compatible=True)

    def _images(self, recorded: Recorded, behaviour: Behaviour) -> dict[str, Any]:
        if "x-dashscope-async" in recorded.headers:
            raise Refusal(403, "AccessDenied", "current user api does not support asynchronous calls.")
        width, height, number = _check_image(recorded.body)
        made = range(0 if behaviour.nothing_made else number)
        parts = [{"image": f"{self.origin}{self.results.add(width, height)}"} for _ in made]
        contents = [parts] if behaviour.one_choice else [[part] for part in parts]
        choices = [
            {"finish_reason": "stop", "message": {"role": "assistant", "content": content}} for content in contents
        ]
        return {
            "output": {"choices": choices, "task_metric": {"TOTAL": number, "SUCCEEDED": len(parts), "FAILED": 0}},
            "usage": {"image_count": len(parts), "width": width, "height": height},
            "request_id": "4e4c-fake",
        }

    def _videos(self, recorded: Recorded, behaviour: Behaviour) -> dict[str, Any]:
        match (recorded.method, recorded.path.removeprefix(SERVICES).removeprefix(TASKS)):
            case ("POST", alibaba_videos.PATH):
                # Markers in a prompt are its task's own, whatever all are told later.
                kept = None if behaviour is self.behaviour else behaviour
                return self.videos.submit(recorded.headers, recorded.body, kept)
            case ("GET", task_id) if "/" not in task_id:
                return self.videos.look_up(task_id, behaviour, self.origin)
            case ("POST", path) if path.endswith("/cancel"):
                return self.videos.cancel(path.removesuffix("/cancel"), behaviour)
        raise Refusal(404, "NotFound", "no such path")


def _error(code: str, message: str, *, compatible: bool) -> dict[str, Any]:
    if compatible:
        kind = "invalid_request_error" if code.startswith("invalid") else code
        return {"error": {"code": code, "message": message, "param": None, "type": kind}, "request_id": "4e4c-fake"}
    return {"code": code, "message": message, "request_id": "4e4c-fake"}


def _check_image(body: dict[str, Any]) -> tuple[int, int, int]:
    """Width, height and number of the pictures that were asked for."""
    if unknown := set(body) - {"model", "input", "parameters"}:
        raise Refusal(400, "InvalidParameter", f"unknown parameter {min(unknown)}")
    if body.get("model") not in IMAGE_MODELS:
        raise Refusal(404, "ModelNotFound", "The model does not exist")
    parameters = body.get("parameters", {})
    for name, value in parameters.items():
        if name not in IMAGE_TYPES or type(value) is not IMAGE_TYPES[name]:
            raise Refusal(400, "InvalidParameter", f"parameters.{name} is not valid")
    if len(parameters.get("negative_prompt", "")) > 500 or not 0 <= parameters.get("seed", 0) < 2**31:
        raise Refusal(400, "InvalidParameter", "negative_prompt has at most 500 characters, a seed 31 bits")
    number = parameters.get("n", 1)
    if not 1 <= number <= 6:
        raise Refusal(400, "InvalidParameter", "n must be in [1, 6]")
    messages = body.get("input", {}).get("messages", [])
    if len(messages) != 1 or messages[0].get("role") != "user":
        raise Refusal(400, "InvalidParameter", "input.messages must have one message of the user")
    content = messages[0].get("content")
    texts = [part["text"] for part in content if set(part) == {"text"}]
    pictures = [part["image"] for part in content if set(part) == {"image"}]
    if len(texts) != 1 or not texts[0] or len(pictures) > 3 or len(content) != 1 + len(pictures):
        raise Refusal(400, "InvalidParameter", "content is one text and up to 3 images")
    for picture in pictures:
        _check_picture(picture)
    parts = re.fullmatch(r"(\d+)\*(\d+)", parameters.get("size", "2048*2048"))
    width, height = (int(parts[1]), int(parts[2])) if parts else (0, 0)
    if min(width, height) < 512 or max(width, height) > 2048:
        raise Refusal(400, "InvalidParameter", "size is `width*height`, of 512 to 2048 pixels a side")
    return width, height, number


def _check_picture(picture: Any) -> None:
    if isinstance(picture, str) and picture.startswith(("http://", "https://", "oss://")):
        return
    parts = DATA_URI.fullmatch(picture) if isinstance(picture, str) else None
    try:
        data = base64.b64decode(parts[2], validate=True) if parts else b""
    except binascii.Error:
        data = b""
    if parts is None or not is_picture(data, mimes=frozenset({parts[1]}) & PICTURES):
        raise Refusal(400, "InvalidURL", "image is no URL and no data URI")


def _native(status: int, code: str, kind: ProviderFault, **more: Any) -> Failure:
    behaviour = {"status": status, "code": code, **more}
    return Failure(f"{status} {code}", kind, behaviour, retry_after=2 if "retry_after" in more else None)


def _snake(status: int, code: str, kind: ProviderFault, **more: Any) -> Failure:
    return _native(status, code, kind, compatible=True, **more)


CONTRACTS = (
    Contract(
        provider="alibaba",
        capability="image",
        model="qwen-image-2.0",
        fake=FakeAlibaba,
        failures=(
            _native(400, "InvalidParameter", ProviderFault.BAD_REQUEST),
            _native(400, "InvalidURL", ProviderFault.BAD_REQUEST),
            _native(400, "DataInspectionFailed", ProviderFault.CONTENT_POLICY),
            _native(400, "Arrearage", ProviderFault.BALANCE),
            _native(403, "AllocationQuota.FreeTierOnly", ProviderFault.BALANCE),
            _native(401, "InvalidApiKey", ProviderFault.AUTH),
            _native(403, "AccessDenied", ProviderFault.AUTH),
            _native(403, "AccessDenied.Unpurchased", ProviderFault.AUTH),
            _native(403, "Model.AccessDenied", ProviderFault.AUTH),
            _native(404, "ModelNotFound", ProviderFault.AUTH),
            _native(429, "Throttling", ProviderFault.RATE_LIMITED, retry_after="2"),
            _native(429, "Throttling.RateQuota", ProviderFault.RATE_LIMITED),
            _native(429, "Throttling.AllocationQuota", ProviderFault.RATE_LIMITED),
            _native(429, "Throttling.User", ProviderFault.RATE_LIMITED),
            _native(500, "InternalError", ProviderFault.OVERLOADED),
            _native(500, "InternalError.Algo", ProviderFault.OVERLOADED),
            _native(503, "ModelUnavailable", ProviderFault.OVERLOADED),
            _native(500, "SomethingNew", ProviderFault.BROKEN),
            Failure(
                "200 with DataInspectionFailed",
                ProviderFault.CONTENT_POLICY,
                {"error_in_200": True, "code": "DataInspectionFailed"},
            ),
            Failure("200 without pictures", ProviderFault.BROKEN, {"nothing_made": True}),
        ),
    ),
    Contract(
        provider="alibaba",
        capability="chat",
        model="qwen3.8-flash",
        fake=FakeAlibaba,
        failures=(
            _snake(400, "invalid_parameter_error", ProviderFault.BAD_REQUEST),
            _snake(400, "data_inspection_failed", ProviderFault.CONTENT_POLICY),
            _snake(400, "Arrearage", ProviderFault.BALANCE),
            _snake(401, "invalid_api_key", ProviderFault.AUTH),
            _snake(403, "access_denied", ProviderFault.AUTH),
            _snake(404, "model_not_found", ProviderFault.AUTH),
            _snake(429, "limit_requests", ProviderFault.RATE_LIMITED, retry_after="2"),
            _snake(429, "insufficient_quota", ProviderFault.RATE_LIMITED),
            _snake(500, "internal_error", ProviderFault.OVERLOADED),
            _snake(503, "model_unavailable", ProviderFault.OVERLOADED),
            _native(429, "Throttling.RateQuota", ProviderFault.RATE_LIMITED),
            Failure(
                "400 too long",
                ProviderFault.CONTEXT_LENGTH,
                {
                    "status": 400,
                    "code": "invalid_parameter_error",
                    "message": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]",
                    "compatible": True,
                },
            ),
            Failure(
                "200 with data_inspection_failed",
                ProviderFault.CONTENT_POLICY,
                {"error_in_200": True, "code": "data_inspection_failed", "compatible": True},
            ),
        ),
    ),
    Contract(
        provider="alibaba",
        capability="video",
        model="wan2.7-t2v",
        fake=FakeAlibaba,
        failures=(
            _native(401, "InvalidApiKey", ProviderFault.AUTH),
            _native(404, "ModelNotFound", ProviderFault.AUTH),
            _native(400, "Arrearage", ProviderFault.BALANCE),
            _native(400, "InvalidParameter", ProviderFault.BAD_REQUEST),
            _native(400, "DataInspectionFailed", ProviderFault.CONTENT_POLICY),
            _native(429, "Throttling.RateQuota", ProviderFault.RATE_LIMITED),
            _native(500, "InternalError", ProviderFault.OVERLOADED),
            *(
                Failure(f"a task that fails with {code}", kind, {"task_status": "FAILED", "task_code": code})
                for code, kind in (
                    ("DataInspectionFailed", ProviderFault.CONTENT_POLICY),
                    ("InternalError.Algo", ProviderFault.OVERLOADED),
                    ("SomethingNew", ProviderFault.BROKEN),
                )
            ),
            Failure("a task that is forgotten", ProviderFault.BROKEN, {"task_status": "UNKNOWN"}),
            Failure("a task that succeeds without a clip", ProviderFault.BROKEN, {"clip_lost": True}),
        ),
    ),
)
