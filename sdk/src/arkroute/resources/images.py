"""`client.images`: pictures from text, and from pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, overload

from arkroute.http.call import Call, paid, paid_form
from arkroute.http.files import FileInput, Upload, is_named_file, picture_text, read_file
from arkroute.http.options import PaidOptions
from arkroute.http.streams import AsyncStream, Stream
from arkroute.resources.downloads import Target, save, save_async, write
from arkroute.resources.resource import AsyncResource, Resource
from arkroute.types import Image, ImageEvent, ImagesResponse

if TYPE_CHECKING:
    from typing_extensions import Unpack

# A text is base64, a data URI or an https address. Everything else is a file.
Picture = Union[str, FileInput]


class EditParameters(PaidOptions, total=False):
    """Which of them a model takes, `client.models.retrieve(…).parameters` says.

    What a vendor takes beyond these goes into `extra_body`.
    """

    # A PNG of the first picture's size, transparent where it is to change.
    mask: Picture
    # How many pictures: 1 to 10, each at the price of one.
    n: int
    # "1024x1024", "1024x1536", "1536x1024", any other width and height, a class such as "2K", or "auto".
    size: str
    quality: str
    background: str
    # "png", "jpeg" or "webp".
    output_format: str
    response_format: Literal["url", "b64_json"]
    # Sketches on the way, of a stream: 0 to 3.
    partial_images: int
    user: str


class GenerationParameters(EditParameters, total=False):
    # Pictures to go by.
    image: Picture | Sequence[Picture]


class Images(Resource):
    @overload
    def generate(
        self, *, model: str, prompt: str, stream: Literal[False] = False, **parameters: Unpack[GenerationParameters]
    ) -> ImagesResponse: ...
    @overload
    def generate(
        self, *, model: str, prompt: str, stream: Literal[True], **parameters: Unpack[GenerationParameters]
    ) -> Stream[ImageEvent]: ...
    def generate(
        self, *, model: str, prompt: str, stream: bool = False, **parameters: Any
    ) -> ImagesResponse | Stream[ImageEvent]:
        """Pictures of what the prompt says. With `stream` they come as base64, after sketches where asked for."""
        call = _generation(model, prompt, stream, parameters)
        if stream:
            return Stream(self._exchange.send(call, stream=True), ImageEvent)
        return self._ask(call, ImagesResponse)

    @overload
    def edit(
        self,
        *,
        model: str,
        image: Picture | Sequence[Picture],
        prompt: str,
        stream: Literal[False] = False,
        **parameters: Unpack[EditParameters],
    ) -> ImagesResponse: ...
    @overload
    def edit(
        self,
        *,
        model: str,
        image: Picture | Sequence[Picture],
        prompt: str,
        stream: Literal[True],
        **parameters: Unpack[EditParameters],
    ) -> Stream[ImageEvent]: ...
    def edit(
        self, *, model: str, image: Picture | Sequence[Picture], prompt: str, stream: bool = False, **parameters: Any
    ) -> ImagesResponse | Stream[ImageEvent]:
        """The picture, or the pictures, changed as the prompt says. Files travel as a form, smaller than as base64."""
        call = _edit(model, image, prompt, stream, parameters)
        if stream:
            return Stream(self._exchange.send(call, stream=True), ImageEvent)
        return self._ask(call, ImagesResponse)

    def download(self, image: Image, path: Target) -> Path:
        """Writes a picture of an answer to a file: its base64, else what its link leads to. Returns the file's path."""
        if image.b64_json:
            return write(base64.b64decode(image.b64_json), path)
        return save(self._exchange, _linked(image), path)


class AsyncImages(AsyncResource):
    @overload
    async def generate(
        self, *, model: str, prompt: str, stream: Literal[False] = False, **parameters: Unpack[GenerationParameters]
    ) -> ImagesResponse: ...
    @overload
    async def generate(
        self, *, model: str, prompt: str, stream: Literal[True], **parameters: Unpack[GenerationParameters]
    ) -> AsyncStream[ImageEvent]: ...
    async def generate(
        self, *, model: str, prompt: str, stream: bool = False, **parameters: Any
    ) -> ImagesResponse | AsyncStream[ImageEvent]:
        """As `Images.generate`."""
        call = _generation(model, prompt, stream, parameters)
        if stream:
            return AsyncStream(await self._exchange.send(call, stream=True), ImageEvent)
        return await self._ask(call, ImagesResponse)

    @overload
    async def edit(
        self,
        *,
        model: str,
        image: Picture | Sequence[Picture],
        prompt: str,
        stream: Literal[False] = False,
        **parameters: Unpack[EditParameters],
    ) -> ImagesResponse: ...
    @overload
    async def edit(
        self,
        *,
        model: str,
        image: Picture | Sequence[Picture],
        prompt: str,
        stream: Literal[True],
        **parameters: Unpack[EditParameters],
    ) -> AsyncStream[ImageEvent]: ...
    async def edit(
        self, *, model: str, image: Picture | Sequence[Picture], prompt: str, stream: bool = False, **parameters: Any
    ) -> ImagesResponse | AsyncStream[ImageEvent]:
        """As `Images.edit`."""
        call = _edit(model, image, prompt, stream, parameters)
        if stream:
            return AsyncStream(await self._exchange.send(call, stream=True), ImageEvent)
        return await self._ask(call, ImagesResponse)

    async def download(self, image: Image, path: Target) -> Path:
        """As `Images.download`."""
        if image.b64_json:
            return write(base64.b64decode(image.b64_json), path)
        return await save_async(self._exchange, _linked(image), path)


def _generation(model: str, prompt: str, stream: bool, parameters: dict[str, Any]) -> Call:
    pictures = [picture_text(one) for one in several(parameters.pop("image", None))]
    if pictures:
        parameters["image"] = pictures[0] if len(pictures) == 1 else pictures
    if (mask := parameters.pop("mask", None)) is not None:
        parameters["mask"] = picture_text(mask)
    return paid("/images/generations", {"model": model, "prompt": prompt, "stream": stream or None, **parameters})


def _edit(
    model: str, image: Picture | Sequence[Picture], prompt: str, stream: bool, parameters: dict[str, Any]
) -> Call:
    texts: dict[str, list[str]] = {"image": [], "mask": []}
    files: list[tuple[str, Upload]] = []
    masks = several(parameters.pop("mask", None))
    for field, picture in (*(("image", one) for one in several(image)), *(("mask", one) for one in masks)):
        if isinstance(picture, str):
            texts[field].append(picture)
        else:
            files.append((field, read_file(picture, field)))
    fields = {"model": model, "prompt": prompt, "stream": stream or None, **texts, **parameters}
    return paid_form("/images/edits", fields, files)


def several(pictures: Picture | Sequence[Picture] | None) -> Sequence[Picture]:
    """A list of pictures as it is; one of them as a list of it."""
    if pictures is None:
        return ()
    if isinstance(pictures, (list, tuple)) and not is_named_file(pictures):
        return pictures
    return [pictures]  # type: ignore[list-item]  # no other sequence of pictures is left


def _linked(image: Image) -> Call:
    if not image.url:
        raise ValueError("This picture has neither `b64_json` nor `url`.")
    return Call("GET", image.url)
