"""The events of a stream of pictures, as OpenAI sends them: sketches, then each picture.

Source: the OpenAI API reference, `image_generation.partial_image` and its kin. Those of edits have another prefix.
"""

from collections.abc import Iterator
from time import time
from typing import Any

import msgspec

from billing.amounts import credits_number
from gateway.flows.results import Result
from gateway.types import ImageRequest, PartialPicture, Usage


def sketch(kind: str, part: PartialPicture, request: ImageRequest) -> bytes:
    """The event of a sketch, as JSON. `kind` is `image_generation` or `image_edit`."""
    return _event(f"{kind}.partial_image", part.data, part.mime, request, {"partial_image_index": part.index})


def pictures(kind: str, results: list[Result], request: ImageRequest, usage: Usage, charged: int) -> Iterator[bytes]:
    """The event of each picture. Their `usage` adds up to the stream's: credits for each, the tokens in the last."""
    share = charged // len(results)
    for number, result in enumerate(results, start=1):
        last = number == len(results)
        counts = token_counts(usage if last else Usage())
        counts["credits"] = credits_number(charged - share * (number - 1) if last else share)
        yield _event(f"{kind}.completed", result.data, result.mime, request, {"usage": counts})


def token_counts(usage: Usage) -> dict[str, Any]:
    """OpenAI's `usage` of pictures."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "image_tokens": usage.input_image_tokens,
            "text_tokens": usage.input_tokens - usage.input_image_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {
            "image_tokens": usage.output_image_tokens,
            "text_tokens": usage.output_tokens - usage.output_image_tokens,
        },
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _event(name: str, data: bytes, mime: str, request: ImageRequest, more: dict[str, Any]) -> bytes:
    background = request.body.get("background")
    fields = {
        "type": name,  # first: the event's name is read there
        "b64_json": data,  # which the encoder writes as base64
        "background": background if isinstance(background, str) else "auto",
        "created_at": int(time()),
        "output_format": mime.removeprefix("image/"),
        "quality": request.quality,
        "size": request.size,
        **more,
    }
    return msgspec.json.encode(fields)
