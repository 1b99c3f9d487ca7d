"""An image generation's body: OpenAI's fields, and `image` for image-to-image."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.catalog.schema import ImageSpec, Model
from gateway.errors import InvalidValue
from gateway.requests.decoding import convert, cut
from gateway.requests.pictures import decode_picture
from gateway.sizes import fit_size
from gateway.types import ImageRequest

# What clients made for dall-e-3 send, and what it means to the models of today.
OLDER_QUALITIES = {"standard": "auto", "hd": "high"}


class ImageBody(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)]
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: Annotated[str, Meta(max_length=20)] | None = None
    image: str | list[str] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    quality: str | None = None
    output_format: str | None = None
    user: str | None = None


def parse_image(body: dict[str, Any]) -> ImageBody:
    """The checked body. Raises a `RequestError` naming the field at fault."""
    return convert(body, ImageBody)


def fit_image(image: ImageBody, model: Model, body: dict[str, Any]) -> ImageRequest:
    """`image` as `model` can make it: its closest size, its qualities and formats. Raises `InvalidValue`."""
    spec = model.image
    assert spec is not None, "the flow asks for models of its own type only"
    inputs = [image.image] if isinstance(image.image, str) else image.image or []
    if len(inputs) > spec.max_inputs:
        raise InvalidValue(
            f"`{image.model}` takes {spec.max_inputs or 'no'} reference images, not {len(inputs)}.", param="image"
        )
    if image.n and image.n > spec.max_n:
        raise InvalidValue(f"`n` is at most {spec.max_n} for `{image.model}`.", param="n")
    size = fit_size(model, image.size or "auto")
    return ImageRequest(
        model=image.model,
        prompt=image.prompt,
        width=size.width,
        height=size.height,
        tier=size.tier,
        body=body,
        n=image.n or 1,
        quality=_quality(image.quality, spec),
        output_format=_one_of(image.output_format, spec.formats, spec.formats[0], "output_format"),
        inputs=[decode_picture(one, param="image") for one in inputs],
        b64=image.response_format == "b64_json",
    )


def _quality(wanted: str | None, spec: ImageSpec) -> str:
    if wanted in OLDER_QUALITIES and wanted not in spec.qualities:
        wanted = OLDER_QUALITIES[wanted]
        wanted = wanted if wanted in spec.qualities else "auto"
    return _one_of(wanted, ("auto", *spec.qualities), spec.default_quality, "quality")


def _one_of(value: str | None, allowed: tuple[str, ...], default: str, param: str) -> str:
    if value is None:
        return default
    if value not in allowed:
        names = ", ".join(f"`{name}`" for name in allowed)
        raise InvalidValue(f"`{param}` does not take '{cut(value)}'. Allowed: {names}.", param=param)
    return value
