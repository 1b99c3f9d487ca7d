from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from arkroute.types.record import PaidAnswer, Record


class Image(Record):
    """A picture: `url` or `b64_json`, as `response_format` says. Whoever has the link can open it."""

    __slots__ = ()

    url: str | None
    b64_json: str | None
    revised_prompt: str | None


class ImagesResponse(PaidAnswer):
    """Pictures. `url` is the first one's link once more; `size` is the size that was made."""

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"data": Image}

    created: int
    model: str
    data: list[Image]
    size: str
    output_format: str
    quality: str | None
    url: str | None
    usage: Record | None


class ImageEvent(Record):
    """A piece of a picture that is streamed: its `type` ends in `.partial_image` (a sketch) or `.completed`."""

    __slots__ = ()

    type: str
    b64_json: str
    created_at: int
    size: str
    quality: str
    background: str
    output_format: str
    partial_image_index: int | None
    usage: Record | None
