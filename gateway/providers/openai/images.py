"""Pictures: made from a prompt, or from pictures and a prompt, whole or with sketches on the way.

https://platform.openai.com/docs/api-reference/images and …/images-streaming
"""

from base64 import b64decode
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.openai_compatible.wire import JSON, OUR_FIELDS, FormFile, Upstream, multipart
from gateway.providers.sse import EventReader
from gateway.tokens import read_usage
from gateway.types import ImageAnswer, ImageRequest, InputImage, PartialPicture, Picture, Usage

# Spoken of by the request's own fields, or of no meaning to a model that always answers in base64.
FIELDS = frozenset({"image", "images", "image_url", "mask", "response_format", "stream", "partial_images"}) | OUR_FIELDS
# OpenAI shows at most so many sketches of a picture.
MAX_PARTIAL_IMAGES = 3


async def generate(upstream: Upstream, request: ImageRequest) -> ImageAnswer:
    path, content_type, body = _ask(upstream, request, {})
    answer = upstream.decode(await upstream.fetch(path, content_type, body))
    data = answer.get("data")
    pictures = [_picture(item, answer, request) for item in data] if isinstance(data, list) else []
    if not pictures:
        raise ProviderError(ProviderFault.BROKEN, "an answer without pictures", of_this_request=True)
    return ImageAnswer(pictures, replace(_usage(answer), images=len(pictures)))


async def stream(upstream: Upstream, request: ImageRequest) -> AsyncGenerator[PartialPicture | ImageAnswer, None]:
    """Events do not say which of several pictures they are about: a sketch is taken for the next one's."""
    asked = {"stream": True, "partial_images": min(request.partial_images, MAX_PARTIAL_IMAGES)}
    response = await upstream.send(*_ask(upstream, request, asked))
    try:
        await upstream.expect_stream(response)
        events, drawn = EventReader(), _Drawn(upstream, request)
        async for piece in response:
            for event in events.feed(piece):
                if (sketch := drawn.take(event)) is not None:
                    yield sketch
            if len(drawn.pictures) == request.n:
                response.finish()
                break
        else:
            for event in events.end():
                drawn.take(event)
        yield drawn.answer()
    finally:
        response.close()


class _Drawn:
    """Reads the events of one stream."""

    def __init__(self, upstream: Upstream, request: ImageRequest) -> None:
        self.pictures: list[Picture] = []
        self._usage = Usage(reported=False)
        self._upstream = upstream
        self._request = request

    def take(self, payload: bytes) -> PartialPicture | None:
        """The sketch that the event is, if it is one."""
        if payload == b"[DONE]":
            return None
        event = self._upstream.decode(payload)
        match event.get("type"):
            case "image_generation.partial_image" | "image_edit.partial_image":
                picture = _picture(event, event, self._request)
                index = event.get("partial_image_index")
                return PartialPicture(
                    picture.data, picture.mime, index if isinstance(index, int) else 0, len(self.pictures)
                )
            case "image_generation.completed" | "image_edit.completed":
                self.pictures.append(_picture(event, event, self._request))
                self._usage = _together(self._usage, _usage(event))
        return None

    def answer(self) -> ImageAnswer:
        if not self.pictures:
            raise ProviderError(ProviderFault.BROKEN, "the stream ended before the picture did")
        return ImageAnswer(self.pictures, replace(self._usage, images=len(self.pictures)))


def _ask(upstream: Upstream, request: ImageRequest, more: dict[str, Any]) -> tuple[str, bytes, bytes]:
    """Path, content type and body."""
    fields = {name: value for name, value in request.body.items() if name not in FIELDS}
    fields |= {
        "model": upstream.deployment.upstream,
        "prompt": request.prompt,
        "n": request.n,
        "size": request.size,
        "quality": request.quality,
        "output_format": request.output_format,
        **more,
    }
    if not request.inputs:
        return "/images/generations", JSON, msgspec.json.encode(fields)
    form = [(name, value) for name, value in fields.items() if name.isidentifier()]
    files = [_file("image[]", str(number), image) for number, image in enumerate(request.inputs)]
    if request.mask is not None:
        files.append(_file("mask", "mask", request.mask))
    return "/images/edits", *multipart(form, files)


def _file(field: str, name: str, image: InputImage) -> FormFile:
    return FormFile(field, f"{name}.{image.mime.rpartition('/')[2]}", image.mime, image.data)


def _picture(item: Any, answer: dict[str, Any], request: ImageRequest) -> Picture:
    """`answer` names the format, which a stream's events do each for themselves."""
    encoded = item.get("b64_json") if isinstance(item, dict) else None
    try:
        data = b64decode(encoded, validate=True) if isinstance(encoded, str) else b""
    except ValueError:
        data = b""
    if not data:
        raise ProviderError(ProviderFault.BROKEN, "a picture that is no base64")
    prompt, name = item.get("revised_prompt"), answer.get("output_format")
    mime = f"image/{name if isinstance(name, str) and name.isalnum() else request.output_format}"
    return Picture(data, mime, prompt if isinstance(prompt, str) else None)


def _usage(answer: dict[str, Any]) -> Usage:
    return read_usage(answer.get("usage")) or Usage(reported=False)


def _together(one: Usage, other: Usage) -> Usage:
    """The tokens of two pictures."""
    if not one.reported or not other.reported:
        return other if other.reported else one
    counts = {
        name: getattr(one, name) + getattr(other, name) for name in Usage.__struct_fields__ if name.endswith("_tokens")
    }
    return Usage(**counts)
