"""Images of the fake of OpenAI: what GPT image models take, by the types of its SDK, and what they answer."""

import base64
from collections.abc import Iterator
from typing import Any

from tests.upstreams.openai_behaviour import Behaviour, Refusal
from tests.upstreams.server import Recorded

# A picture of one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_ENCODED = base64.b64encode(PNG).decode()
_CHOICES = {
    "background": {"transparent", "opaque", "auto"},
    "complexity": {"low", "medium", "high"},
    "moderation": {"low", "auto"},
    "output_format": {"png", "webp", "jpeg"},
    "quality": {"low", "medium", "high", "xhigh", "max", "auto"},
    "input_fidelity": {"high", "low"},
}
_NUMBERS = {"n": (1, 10), "output_compression": (0, 100), "partial_images": (0, 3)}
_TEXTS = {"model", "prompt", "size", "safety_identifier", "user"}
_EDITS_ONLY = {"input_fidelity"}
_THREE_SIZES = {"auto", "1024x1024", "1536x1024", "1024x1536"}
# Models that know nothing of the second generation's sizes.
_OLDER = ("gpt-image-1", "chatgpt-image")
_WITH_FIDELITY = ("gpt-image-1", "their-")


def read(recorded: Recorded) -> dict[str, Any]:
    """The request, its form's texts as the values that they stand for."""
    edit = recorded.path.endswith("/edits")
    form = recorded.headers.get("content-type", "").startswith("multipart/form-data")
    if form != edit:
        raise Refusal("Unsupported content type", param=None, code="unsupported_content_type")
    asked = {name: _read_value(name, value, form) for name, value in recorded.body.items()}
    for name in ("model", "prompt"):
        if not asked.get(name):
            raise Refusal(f"Missing required parameter: '{name}'.", code="missing_required_parameter", param=name)
    if len(asked["prompt"]) > 32_000:
        raise Refusal("string too long", code="string_above_max_length", param="prompt")
    if not edit and (misplaced := _EDITS_ONLY & set(asked)):
        raise _unknown(min(misplaced))
    _check_model(asked)
    if edit:
        _check_files(recorded)
    if asked.get("partial_images") and not asked.get("stream"):
        raise Refusal("'partial_images' needs 'stream'", param="partial_images")
    return asked | {"edit": edit}


def answer(behaviour: Behaviour, asked: dict[str, Any]) -> dict[str, Any]:
    count = min(asked.get("n") or 1, behaviour.most_images)
    answer = {"created": 1_790_000_000, "background": "opaque", **_settings(asked)}
    answer["data"] = [{"b64_json": _ENCODED} for _ in range(count)]
    return answer | ({"usage": _usage()} if behaviour.usage else {})


def events(behaviour: Behaviour, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind = "image_edit" if asked.get("edit") else "image_generation"
    common = {"b64_json": _ENCODED, "background": "opaque", "created_at": 1_790_000_000, **_settings(asked)}
    for _ in range(min(asked.get("n") or 1, behaviour.most_images)):
        for index in range(asked.get("partial_images") or 0):
            yield {"type": f"{kind}.partial_image", "partial_image_index": index, **common}
        yield {"type": f"{kind}.completed", **common, **({"usage": _usage()} if behaviour.usage else {})}


def _read_value(name: str, value: Any, form: bool) -> Any:
    if name == "stream":
        value = {"true": True, "false": False}.get(value, value) if form else value
        if not isinstance(value, bool):
            raise Refusal("Invalid type for 'stream'", code="invalid_type", param=name)
    elif name in _NUMBERS:
        if form and isinstance(value, str) and value.isdigit():
            value = int(value)
        if type(value) is not int:
            raise Refusal(f"Invalid type for '{name}'", code="invalid_type", param=name)
        least, most = _NUMBERS[name]
        if not least <= value <= most:
            raise Refusal(f"Invalid '{name}'", code="integer_out_of_range", param=name)
    elif name in _CHOICES:
        if value is not None and value not in _CHOICES[name]:
            raise Refusal(f"Invalid value: '{value}'.", param=name)
    elif name not in _TEXTS:
        raise _unknown(name)
    elif not isinstance(value, str):
        raise Refusal(f"Invalid type for '{name}'", code="invalid_type", param=name)
    return value


def _unknown(name: str) -> Refusal:
    return Refusal(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)


def _check_model(asked: dict[str, Any]) -> None:
    model, size = asked["model"], asked.get("size", "auto")
    if size not in _THREE_SIZES:
        width, x, height = size.partition("x")
        if model.startswith(_OLDER) or not (x and width.isdigit() and height.isdigit()):
            raise Refusal(f"Invalid value: '{size}'.", param="size")
        short, long = sorted((int(width), int(height)))
        pixels = short * long
        if short % 16 or long % 16 or long > 3 * short or long > 3840 or not 655_360 <= pixels <= 8_294_400:
            raise Refusal(f"Invalid size '{size}'", param="size")
    if asked.get("quality") in {"xhigh", "max"} and not model.startswith(("gpt-image-2.5", "gpt-image-2.6")):
        raise Refusal(f"Invalid value: '{asked['quality']}'.", param="quality")
    if "input_fidelity" in asked and not model.startswith(_WITH_FIDELITY):
        raise Refusal("'input_fidelity' is not supported by this model", param="input_fidelity")
    output_format = asked.get("output_format") or "png"
    if asked.get("output_compression", 100) != 100 and output_format == "png":
        raise Refusal("Compression less than 100 is not supported for PNG output format", param="output_compression")
    if asked.get("background") == "transparent" and output_format == "jpeg":
        raise Refusal("Transparent background is not supported for JPEG output format", param="background")


def _check_files(recorded: Recorded) -> None:
    pictures = [(mime, data) for name, mime, data in recorded.files if name in {"image", "image[]"}]
    masks = [(mime, data) for name, mime, data in recorded.files if name == "mask"]
    if not 1 <= len(pictures) <= 16 or len(pictures) + len(masks) != len(recorded.files) or len(masks) > 1:
        raise Refusal("`image` takes 1 to 16 files, and `mask` one", param="image")
    if any(mime not in {"image/png", "image/webp", "image/jpeg"} for mime, _ in pictures):
        raise Refusal("Invalid image file or mode", code="invalid_image_file", param="image")
    for mime, data in masks:
        if mime != "image/png" or len(data) > 4 * 1024 * 1024:
            raise Refusal("Invalid mask", code="invalid_image_file", param="mask")


def _settings(asked: dict[str, Any]) -> dict[str, Any]:
    size, quality = asked.get("size") or "auto", asked.get("quality") or "auto"
    return {
        "output_format": asked.get("output_format") or "png",
        "quality": "high" if quality == "auto" else quality,
        "size": "1024x1024" if size == "auto" else size,
    }


def _usage() -> dict[str, Any]:
    return {
        "input_tokens": 9,
        "input_tokens_details": {"text_tokens": 9, "image_tokens": 0},
        "output_tokens": 196,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 196},
        "total_tokens": 205,
    }
