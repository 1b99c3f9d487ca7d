"""A fake of ByteDance's ModelArk: https://docs.byteplus.com/en/docs/ModelArk/1541523 (pictures), 1299023 (errors).

Its videos are in `bytedance_videos`. It refuses what the vendor's documents do not know: parameters, types, sizes, data
URIs in capitals, `n`. Its results lie at addresses of its own.
"""

import asyncio
import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image

from gateway.errors import ProviderFault
from tests.upstreams import bytedance_videos, chat, server
from tests.upstreams.contract import Contract, Failure
from tests.upstreams.results import Results, is_picture
from tests.upstreams.server import FakeServer, Recorded

BASE = "/api/v3"
CHAT_TYPES: chat.Types = {
    **chat.BASIC,
    "function_call": (str, dict),
    "logit_bias": dict,
    "repetition_penalty": (int, float),
    "service_tier": str,
    "thinking": dict,
}
IMAGE_TYPES: chat.Types = {
    "model": str,
    "prompt": str,
    "image": (str, list),
    "size": str,
    "seed": int,
    "guidance_scale": (int, float),
    "sequential_image_generation": str,
    "sequential_image_generation_options": dict,
    "response_format": str,
    "watermark": bool,
    "output_format": str,
    "optimize_prompt_options": dict,
    "tools": list,
    "stream": bool,
}
# Tiers, and the fewest and the most pixels.
SIZES = {
    "seedream-4-0-250828": ({"1K", "2K", "4K"}, 921_600, 16_777_216),
    "seedream-4-5-251128": ({"2K", "4K"}, 3_686_400, 16_777_216),
    "seedream-5-0-260128": ({"2K", "3K"}, 3_686_400, 10_404_496),
    "seedream-5-0-pro-260628": ({"1K", "2K"}, 921_600, 4_194_304),
}
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff", "image/gif"})
DATA_URI = re.compile(r"data:(image/[a-z0-9.+-]+);base64,(.+)", re.DOTALL)


@dataclass
class Behaviour(chat.ChatFaults):
    # How many pictures a model makes of one prompt, and how many of them fail, with `item_code`.
    items: int = 1
    failed_items: int = 0
    item_code: str = "OutputImageSensitiveContentDetected"
    usage_lost: bool = False  # a batch whose usage is not told
    results_gone: bool = False  # addresses that lead nowhere
    results_expired: bool = False  # addresses whose signature is too old
    # What a video's task comes to, how many looks find it queued (the first) and then running, and why it failed.
    task_status: str = "succeeded"
    polls: int = 0
    task_code: str = "OutputVideoSensitiveContentDetected"
    clip_lost: bool = False  # a task that succeeded without a clip
    running_at_delete: bool = False  # a task begins between a look that finds it queued and its cancelling


class Refusal(server.Refusal):
    def __init__(self, status: int, code: str, message: str, param: str = "") -> None:
        super().__init__(status, _error(code, message, param, "Unauthorized" if status == 401 else "BadRequest"))


class FakeByteDance(FakeServer[Behaviour]):
    """The server. `api_key`, if given, is the only one it takes."""

    def __init__(self, *, api_key: str = "") -> None:
        super().__init__(Behaviour())
        self.api_key = api_key
        self.results = Results()
        self.videos = bytedance_videos.Tasks(self.results, _check_picture)

    @property
    def base_url(self) -> str:
        return self.origin + BASE

    def fault_error(self, behaviour: Behaviour) -> dict[str, Any]:
        message = f"{behaviour.message}. See {self.base_url}. Request id: 021790"
        return _error(behaviour.code or "InternalServiceError", message, "", behaviour.error_type or "BadRequest")

    async def route(self, recorded: Recorded, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        if (recorded.method, recorded.path[:9]) == ("GET", "/results/"):
            found = self.results.find(recorded.path)
            if found is None or behaviour.results_gone:
                raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
            if behaviour.results_expired:
                raise Refusal(403, "AccessDenied", "Request has expired")
            return await self.answer(writer, behaviour, found[0], content_type=found[1])
        key = recorded.headers.get("authorization", "")
        if self.api_key and key != f"Bearer {self.api_key}":
            message = f"The API key or AK/SK in the request is missing or invalid: {key}. Request id: 021790"
            raise Refusal(401, "AuthenticationError", message)
        if behaviour.error_in_200:
            return await self.answer(writer, behaviour, self.fault_error(behaviour))
        if recorded.path.startswith(BASE + bytedance_videos.PATH):
            return await self.answer(writer, behaviour, self._videos(recorded, behaviour))
        if recorded.method != "POST":
            raise Refusal(404, "NotFound", "no such path")
        body = _without_nulls(recorded.body)
        match recorded.path.removeprefix(BASE):
            case "/images/generations":
                return await self.answer(writer, behaviour, self._images(behaviour, body))
            case "/chat/completions":
                if fault := chat.find_fault(body, CHAT_TYPES):
                    raise Refusal(400, "InvalidParameter", fault[1], fault[0])
                if body.get("stream"):
                    return await self.stream(writer, behaviour, chat.chunks(behaviour, body), done=True)
                return await self.answer(writer, behaviour, chat.completion(behaviour, body))
            case "/embeddings":
                if unknown := set(body) - {"model", "input", "encoding_format", "dimensions", "user"}:
                    raise Refusal(400, "InvalidParameter", f"unknown parameter `{min(unknown)}`", min(unknown))
                return await self.answer(writer, behaviour, chat.embeddings(body))
        raise Refusal(404, "NotFound", "no such path")

    def _videos(self, recorded: Recorded, behaviour: Behaviour) -> dict[str, Any]:
        task_id = recorded.path.removeprefix(BASE + bytedance_videos.PATH).removeprefix("/")
        if recorded.method == "POST" and not task_id:
            # Markers in a prompt are its task's own, whatever all are told later.
            kept = None if behaviour is self.behaviour else behaviour
            return self.videos.submit(_without_nulls(recorded.body), kept)
        if recorded.method == "GET" and task_id:
            return self.videos.look_up(task_id, behaviour, self.origin)
        if recorded.method == "DELETE" and task_id:
            return self.videos.delete(task_id, behaviour)
        raise Refusal(404, "NotFound", "no such path")

    def _images(self, behaviour: Behaviour, body: dict[str, Any]) -> dict[str, Any]:
        width, height = _check_image(body)
        data: list[dict[str, Any]] = []
        for number in range(behaviour.items):
            if number < behaviour.failed_items:
                message = (
                    f"The request failed because the output image may contain sensitive information. {self.origin}"
                )
                data.append(_error(behaviour.item_code, message, "", ""))
                continue
            kind = body.get("output_format", "jpeg")
            path = self.results.add(width, height, kind)
            shown: dict[str, Any] = {"url": self.origin + path}
            if body.get("response_format") == "b64_json":
                found = self.results.find(path)
                shown = {"b64_json": base64.b64encode(found[0] if found else b"").decode()}
            data.append({**shown, "size": f"{width}x{height}"})
        made = behaviour.items - behaviour.failed_items
        tokens = made * width * height // 256
        usage = {"generated_images": made, "output_tokens": tokens, "total_tokens": tokens}
        answer = {"model": body["model"], "created": 1_790_000_000, "data": data}
        return answer if behaviour.usage_lost else {**answer, "usage": usage}


def _without_nulls(body: dict[str, Any]) -> dict[str, Any]:
    """The vendor's SDK sends null for what is absent."""
    return {name: value for name, value in body.items() if value is not None}


def _error(code: str, message: str, param: str, kind: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "param": param, "type": kind}}


def _check_image(body: dict[str, Any]) -> tuple[int, int]:
    """The size that was asked for."""
    for name, value in body.items():
        if name not in IMAGE_TYPES or not isinstance(value, IMAGE_TYPES[name]):
            raise Refusal(400, "InvalidParameter", f"the parameter `{name}` is not valid", name)
    for name in ("model", "prompt"):
        if not body.get(name):
            raise Refusal(400, "MissingParameter", f"`{name}` is missing", name)
    if body["model"] not in SIZES:
        message = f"The model or endpoint {body['model']} does not exist or you do not have access to it."
        raise Refusal(404, "InvalidEndpointOrModel.NotFound", message)
    choices = {
        "response_format": {"url", "b64_json"},
        "sequential_image_generation": {"disabled", "auto"},
        "output_format": {"png", "jpeg"} if "-5-0-" in body["model"] else set(),
    }
    for name, allowed in choices.items():
        if name in body and body[name] not in allowed:
            raise Refusal(400, f"InvalidParameter.{name}", f"`{name}` does not take {body[name]!r}", name)
    pictures = body.get("image", [])
    pictures = [pictures] if isinstance(pictures, str) else pictures
    if len(pictures) > 14:
        raise Refusal(400, "InvalidParameter.TooManyImages", "at most 14 reference images", "image")
    for picture in pictures:
        _check_picture(picture)
    return _check_size(body["model"], body.get("size", "2048x2048"))


def _check_picture(picture: Any) -> tuple[int, int]:
    """Width and height, as far as they can be known."""
    if isinstance(picture, str) and picture.startswith(("http://", "https://")):
        return 512, 512
    parts = DATA_URI.fullmatch(picture) if isinstance(picture, str) else None
    try:
        data = base64.b64decode(parts[2], validate=True) if parts else b""
    except binascii.Error:
        data = b""
    if parts is None or not is_picture(data, mimes=frozenset({parts[1]}) & PICTURES):
        raise Refusal(400, "InvalidImageURL.InvalidFormat", "`image` is no URL and no data URI", "image")
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def _check_size(model: str, size: str) -> tuple[int, int]:
    tiers, fewest, most = SIZES[model]
    if size in tiers:
        side = int(size[:-1]) * 1024
        return side, side
    parts = re.fullmatch(r"(\d+)x(\d+)", size)
    width, height = (int(parts[1]), int(parts[2])) if parts else (0, 0)
    short, long = sorted((width, height))
    if not (short > 14 and fewest <= width * height <= most and long <= 16 * short):
        raise Refusal(400, "InvalidParameter.size", f"image size must be between {fewest} and {most} pixels", "size")
    return width, height


ERRORS = (
    Failure("401 AuthenticationError", ProviderFault.AUTH, {"status": 401, "code": "AuthenticationError"}),
    Failure("403 AccessDenied", ProviderFault.AUTH, {"status": 403, "code": "AccessDenied"}),
    Failure("403 OperationDenied", ProviderFault.AUTH, {"status": 403, "code": "OperationDenied.ServiceNotOpen"}),
    Failure("404 NotFound", ProviderFault.AUTH, {"status": 404, "code": "InvalidEndpointOrModel.NotFound"}),
    Failure("404 ModelNotOpen", ProviderFault.AUTH, {"status": 404, "code": "ModelNotOpen"}),
    Failure("400 ClosedEndpoint", ProviderFault.AUTH, {"status": 400, "code": "InvalidEndpoint.ClosedEndpoint"}),
    Failure("403 AccountOverdueError", ProviderFault.BALANCE, {"status": 403, "code": "AccountOverdueError"}),
    Failure("429 SetLimitExceeded", ProviderFault.BALANCE, {"status": 429, "code": "SetLimitExceeded"}),
    Failure("400 MissingParameter", ProviderFault.BAD_REQUEST, {"status": 400, "code": "MissingParameter"}),
    Failure("400 InvalidParameter", ProviderFault.BAD_REQUEST, {"status": 400, "code": "InvalidParameter.size"}),
    Failure("400 InvalidImageURL", ProviderFault.BAD_REQUEST, {"status": 400, "code": "InvalidImageURL.NotFound"}),
    Failure(
        "400 InputTextSensitiveContentDetected",
        ProviderFault.CONTENT_POLICY,
        {"status": 400, "code": "InputTextSensitiveContentDetected"},
    ),
    Failure(
        "400 InputImageSensitiveContentDetected",
        ProviderFault.CONTENT_POLICY,
        {"status": 400, "code": "InputImageSensitiveContentDetected.PrivacyInformation"},
    ),
    Failure(
        "400 OutputImageSensitiveContentDetected",
        ProviderFault.CONTENT_POLICY,
        {"status": 400, "code": "OutputImageSensitiveContentDetected.PolicyViolation"},
    ),
    Failure(
        "400 SensitiveContentDetected",
        ProviderFault.CONTENT_POLICY,
        {"status": 400, "code": "SensitiveContentDetected.SevereViolation"},
    ),
    Failure("400 RiskDetection", ProviderFault.CONTENT_POLICY, {"status": 400, "code": "InputTextRiskDetection"}),
    Failure(
        "429 RateLimitExceeded",
        ProviderFault.RATE_LIMITED,
        {"status": 429, "code": "RateLimitExceeded.EndpointRPMExceeded", "retry_after": "7"},
        retry_after=7,
    ),
    Failure(
        "429 ModelAccountIpmRateLimitExceeded",
        ProviderFault.RATE_LIMITED,
        {"status": 429, "code": "ModelAccountIpmRateLimitExceeded"},
    ),
    Failure("429 QuotaExceeded", ProviderFault.RATE_LIMITED, {"status": 429, "code": "QuotaExceeded"}),
    Failure(
        "429 InflightBatchsizeExceeded",
        ProviderFault.RATE_LIMITED,
        {"status": 429, "code": "InflightBatchsizeExceeded"},
    ),
    Failure("429 ServerOverloaded", ProviderFault.OVERLOADED, {"status": 429, "code": "ServerOverloaded"}),
    Failure("500 InternalServiceError", ProviderFault.OVERLOADED, {"status": 500, "code": "InternalServiceError"}),
    Failure("500 of no known code", ProviderFault.BROKEN, {"status": 500, "code": "SomethingNew"}),
    Failure(
        "200 with an error",
        ProviderFault.CONTENT_POLICY,
        {"error_in_200": True, "code": "OutputImageSensitiveContentDetected"},
    ),
)
CONTRACTS = (
    Contract(
        provider="bytedance",
        capability="image",
        model="seedream-4.5",
        fake=FakeByteDance,
        failures=(
            *ERRORS,
            Failure("200 with a picture that failed", ProviderFault.CONTENT_POLICY, {"failed_items": 1}),
            Failure(
                "200 with a picture that overloads",
                ProviderFault.OVERLOADED,
                {"failed_items": 1, "item_code": "InternalServiceError"},
            ),
        ),
    ),
    Contract(
        provider="bytedance",
        capability="chat",
        model="doubao-seed-2.0-pro",
        fake=FakeByteDance,
        failures=(
            *ERRORS,
            Failure(
                "400 too long",
                ProviderFault.CONTEXT_LENGTH,
                {
                    "status": 400,
                    "code": "InvalidParameter",
                    "message": "Total tokens of image and text exceed max message tokens",
                },
            ),
        ),
    ),
    Contract(
        provider="bytedance",
        capability="video",
        model="seedance-1.5-pro",
        fake=FakeByteDance,
        failures=(
            Failure("401 AuthenticationError", ProviderFault.AUTH, {"status": 401, "code": "AuthenticationError"}),
            Failure("404 ModelNotOpen", ProviderFault.AUTH, {"status": 404, "code": "ModelNotOpen"}),
            Failure("403 AccountOverdueError", ProviderFault.BALANCE, {"status": 403, "code": "AccountOverdueError"}),
            Failure("400 InvalidParameter", ProviderFault.BAD_REQUEST, {"status": 400, "code": "InvalidParameter"}),
            Failure(
                "400 InputImageSensitiveContentDetected",
                ProviderFault.CONTENT_POLICY,
                {"status": 400, "code": "InputImageSensitiveContentDetected.PrivacyInformation"},
            ),
            Failure("429 QuotaExceeded", ProviderFault.RATE_LIMITED, {"status": 429, "code": "QuotaExceeded"}),
            Failure("429 ServerOverloaded", ProviderFault.OVERLOADED, {"status": 429, "code": "ServerOverloaded"}),
            Failure(
                "a task that fails with OutputVideoSensitiveContentDetected",
                ProviderFault.CONTENT_POLICY,
                {"task_status": "failed", "task_code": "OutputVideoSensitiveContentDetected.PolicyViolation"},
            ),
            Failure(
                "a task that fails with InternalServiceError",
                ProviderFault.OVERLOADED,
                {"task_status": "failed", "task_code": "InternalServiceError"},
            ),
            Failure(
                "a task that fails with a new code",
                ProviderFault.BROKEN,
                {"task_status": "failed", "task_code": "SomethingNew"},
            ),
            Failure("a task that expires", ProviderFault.TIMEOUT, {"task_status": "expired"}),
            Failure("a task that succeeds without a clip", ProviderFault.BROKEN, {"clip_lost": True}),
        ),
    ),
)
