"""Bodies of image generations and edits: OpenAI's fields, and `image` for image-to-image in either.

Source: the OpenAI API reference, `POST /images/generations` and `POST /images/edits` (as a form, or as JSON).
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from gateway.catalog.schema import ImageSpec, Model
from gateway.errors import InvalidImage, InvalidValue, MissingParameter
from gateway.requests.decoding import convert, cut
from gateway.requests.forms import Form, only_values, sent_fields
from gateway.requests.pictures import Source, is_address, load_pictures
from gateway.sizes import fit_size
from gateway.types import ImageRequest

# What clients made for dall-e-3 send, and what it means to the models of today.
OLDER_QUALITIES = {"standard": "auto", "hd": "high"}
# The fields that hold pictures.
PICTURES = ("image", "images", "mask")


class ImageReference(Struct):
    """A picture in the JSON form of an edit."""

    image_url: str | None = None
    file_id: str | None = None


class ImageBody(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)]
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: Annotated[str, Meta(max_length=20)] | None = None
    image: str | list[str] | None = None
    images: list[str | ImageReference] | None = None
    mask: str | ImageReference | None = None
    response_format: Literal["url", "b64_json"] | None = None
    quality: str | None = None
    output_format: str | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None = None
    user: str | None = None


class AskedImage(Struct):
    """A request whose fields are sound by themselves.

    `body` is what the client sent but for its pictures: those are `inputs` and `mask`, as they came.
    """

    fields: ImageBody
    body: dict[str, Any]
    inputs: list[Source]
    mask: Source | None = None
    # How the events of a stream begin.
    event: str = "image_generation"

    @property
    def stream(self) -> bool:
        return bool(self.fields.stream)

    @property
    def names_addresses(self) -> bool:
        """Whether a picture of it has to be fetched."""
        return any(isinstance(source, str) and is_address(source) for source in (*self.inputs, self.mask))


def parse_image(body: dict[str, Any]) -> AskedImage:
    """What the body of a generation asks for. Raises a `RequestError` naming the field at fault."""
    fields = convert(body, ImageBody)
    named = [fields.image] if isinstance(fields.image, str) else fields.image or []
    inputs = [*named, *(_picture(one, "images") for one in fields.images or [])]
    mask = None if fields.mask is None else _picture(fields.mask, "mask")
    return _asked(body, fields, list(inputs), mask)


def parse_edit(body: dict[str, Any]) -> AskedImage:
    """What the JSON body of an edit asks for. Raises a `RequestError` naming the field at fault."""
    return _edit(parse_image(body))


def parse_edit_form(form: Form) -> AskedImage:
    """What the form of an edit asks for. Raises a `RequestError` naming the field at fault.

    Its pictures are files in `image`, `image[]` or `images[]` and `mask`; texts there are read as in JSON.
    """
    sent = sent_fields(form)
    pictures: dict[str, list[Source]] = {name: [*sent.pop(name, [])] for name in PICTURES}
    for field, files in form.files.items():
        name = field.partition("[")[0]
        if name not in PICTURES:
            raise InvalidValue(f"`{cut(name)}` takes no file. Send pictures as `image` and `mask`.", param=cut(name))
        pictures[name] += [file.data for file in files]
    masks = pictures.pop("mask")
    if len(masks) > 1:
        raise InvalidValue(f"`mask` was sent {len(masks)} times. Send one.", param="mask")
    scalars = only_values(sent, ImageBody.__struct_fields__)
    fields = convert(scalars, ImageBody, strict=False)
    body = {name: values[0] if len(values) == 1 else values for name, values in sent.items()}
    inputs = [source for sources in pictures.values() for source in sources]
    return _edit(_asked(body, fields, inputs, masks[0] if masks else None))


def _picture(picture: str | ImageReference, param: str) -> str:
    if isinstance(picture, str):
        return picture
    if picture.image_url is None:
        raise InvalidValue(
            f"`{param}` takes `image_url`: an https address or a data URI. Files are not kept here.", param=param
        )
    return picture.image_url


def _asked(body: dict[str, Any], fields: ImageBody, inputs: list[Source], mask: Source | None) -> AskedImage:
    if fields.stream and fields.response_format == "url":
        raise InvalidValue(
            "`stream` sends pictures as `b64_json`. Leave `response_format` out.", param="response_format"
        )
    if fields.partial_images and not fields.stream:
        raise InvalidValue("`partial_images` needs `stream`.", param="partial_images")
    if mask is not None and not inputs:
        raise MissingParameter("`image` is required with `mask`: the picture that it belongs to.", param="image")
    # They can be large, and are not needed twice.
    fields = replace(fields, image=None, images=None, mask=None)
    body = {name: value for name, value in body.items() if name not in PICTURES}
    return AskedImage(fields=fields, body=body, inputs=inputs, mask=mask)


def _edit(asked: AskedImage) -> AskedImage:
    if not asked.inputs:
        raise MissingParameter("`image` is required. Send the picture to edit.", param="image")
    return replace(asked, event="image_edit")


def fit_image(asked: AskedImage, model: Model) -> ImageRequest:
    """What is asked for as `model` can make it: its closest size, its qualities and formats. Without the pictures.

    Raises `InvalidValue`.
    """
    spec, fields = _spec(model), asked.fields
    if len(asked.inputs) > spec.max_inputs:
        raise InvalidValue(
            f"`{fields.model}` takes {spec.max_inputs or 'no'} reference images, not {len(asked.inputs)}.",
            param="image",
        )
    if asked.mask is not None and not spec.mask:
        raise InvalidValue(
            f"`{fields.model}` takes no `mask`. Say in the prompt what is to change, or choose another model.",
            param="mask",
        )
    if fields.n and fields.n > spec.max_n:
        raise InvalidValue(f"`n` is at most {spec.max_n} for `{fields.model}`.", param="n")
    output_format = _one_of(fields.output_format, spec.formats, spec.formats[0], "output_format")
    return _request(asked, model, _quality(fields.quality, spec), output_format)


async def add_pictures(asked: AskedImage, request: ImageRequest, *, owner: int) -> None:
    """Puts the pictures that came, or came as addresses, into `request`.

    Raises `InvalidImage`, `InvalidImageURL`, `Overloaded`.
    """
    request.inputs = await load_pictures(asked.inputs, param="image", owner=owner)
    if asked.mask is not None:
        [mask] = await load_pictures([asked.mask], param="mask", owner=owner)
        first = request.inputs[0]
        if mask.mime != "image/png" or (mask.width, mask.height) != (first.width, first.height):
            raise InvalidImage(
                f"`mask` must be a PNG of the size of the first image, {first.width}x{first.height} pixels.",
                param="mask",
            )
        request.mask = mask
    asked.inputs, asked.mask = [], None


def can_make(model: Model, request: ImageRequest) -> bool:
    """Whether `model` may answer `request` in the place of the model that it was made for."""
    spec = model.image
    return spec is not None and len(request.inputs) <= spec.max_inputs and (request.mask is None or spec.mask)


def refit_image(asked: AskedImage, model: Model, request: ImageRequest) -> ImageRequest:
    """`request`, which was made for another model, as `model` can make it: what it lacks is left to it."""
    spec = _spec(model)
    quality = request.quality if request.quality in spec.qualities else spec.default_quality
    output_format = request.output_format if request.output_format in spec.formats else spec.formats[0]
    refitted = _request(asked, model, quality, output_format)
    return replace(refitted, inputs=request.inputs, mask=request.mask)


def _spec(model: Model) -> ImageSpec:
    if model.image is None:
        raise InvalidValue(
            f"`{model.id}` is no image model. Choose a model of type `image` from GET /v1/models.", param="model"
        )
    return model.image


def _request(asked: AskedImage, model: Model, quality: str, output_format: str) -> ImageRequest:
    fields = asked.fields
    size = fit_size(model, fields.size or "auto")
    return ImageRequest(
        model=fields.model,
        prompt=fields.prompt,
        width=size.width,
        height=size.height,
        tier=size.tier,
        body=asked.body,
        n=fields.n or 1,
        quality=quality,
        output_format=output_format,
        partial_images=fields.partial_images or 0,
        b64=asked.stream or fields.response_format == "b64_json",
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
