"""Pictures."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from api.openapi import headers
from api.openapi.chat import Count, Credits, Seconds
from api.openapi.errors import OF_CALL
from api.openapi.operation import EVENTS, FORM, JSON, Answer, Content, Operation, Schema, stream_of
from gateway.requests.images import ImageBody

FILE: Schema = {"format": "binary", "contentMediaType": "image/*"}


class ImageEditForm(ImageBody, kw_only=True):
    """Pictures as files. `image` may come several times, also as `image[]`."""

    image: Annotated[str, Meta(description="The picture to change, as a file.", extra_json_schema=FILE)]
    mask: Annotated[
        str,
        Meta(
            description="A PNG of the first picture's size, transparent where it is to change.", extra_json_schema=FILE
        ),
    ] = ""


class ImageUsage(Struct):
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count
    input_tokens_details: dict[str, Any]
    output_tokens_details: dict[str, Any]


class ImageStreamUsage(ImageUsage, kw_only=True):
    credits: Credits


class Picture(Struct):
    """`url` or `b64_json`, as `response_format` says."""

    url: Annotated[str | UnsetType, Meta(description="A link to the file. Whoever has it can open it.")] = UNSET
    b64_json: Annotated[str | UnsetType, Meta(description="The file in base64.")] = UNSET
    revised_prompt: Annotated[str | UnsetType, Meta(description="The prompt, as the model took it.")] = UNSET


class Images(Struct):
    created: Seconds
    model: Annotated[str, Meta(description="The name that was asked for.")]
    data: list[Picture]
    size: Annotated[str, Meta(description="The size that was made.")]
    output_format: Annotated[str, Meta(description="`png`, `jpeg` or `webp`.")]
    quality: Annotated[str | UnsetType, Meta(description="Where the model has qualities.")] = UNSET
    usage: Annotated[ImageUsage | UnsetType, Meta(description="Where the provider counts tokens.")] = UNSET
    url: Annotated[str | UnsetType, Meta(description="The first picture's link once more.")] = UNSET


class ImageEvent(Struct):
    type: Literal[
        "image_generation.partial_image",
        "image_generation.completed",
        "image_edit.partial_image",
        "image_edit.completed",
    ]
    b64_json: Annotated[str, Meta(description="The picture, or a sketch of it, in base64.")]
    created_at: Seconds
    size: str
    quality: str
    background: str
    output_format: str
    partial_image_index: Annotated[int | UnsetType, Meta(description="Of a sketch: which it is.")] = UNSET
    usage: Annotated[ImageStreamUsage | UnsetType, Meta(description="Of a completed picture.")] = UNSET


_IMAGES = {
    "created": 1767225600,
    "model": "nano-banana-2",
    "data": [
        {"url": "{base_url}/media/…", "revised_prompt": "a cat astronaut floating in space"},
    ],
    "size": "1024x1024",
    "output_format": "png",
    "url": "{base_url}/media/…",
}
_EVENTS = """\
event: image_generation.completed
data: {"type":"image_generation.completed","b64_json":"iVBORw0KGgo…","background":"auto","created_at":1767225600,\
"output_format":"png","quality":"auto","size":"1024x1024","usage":{"input_tokens":0,"input_tokens_details":\
{"image_tokens":0,"text_tokens":0},"output_tokens":0,"output_tokens_details":{"image_tokens":0,"text_tokens":0},\
"total_tokens":0,"credits":2}}

"""
_ANSWERS = {
    200: Answer(
        "The pictures; with `stream` sketches, then each picture.",
        {JSON: Content(Images, {"one picture": _IMAGES}), EVENTS: stream_of(ImageEvent, example=_EVENTS)},
        headers.OF_CALL,
    )
}
_ERRORS = ("BadRequest", "InvalidParametersOrPicture", "KeyInUse", *OF_CALL)
_PARAMETERS = ("IdempotencyKey", "MaxCredits", "ClientRequestId")

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/images/generations",
        id="createImage",
        tag="Images",
        summary="Generate images from text, and from pictures",
        description=(
            "Makes up to ten pictures. A size that the model lacks becomes its closest one of the same ratio. What a "
            "vendor takes for a model beyond these fields is passed on to it. Where fewer pictures are made than were "
            "asked for, these are answered and charged."
        ),
        parameters=_PARAMETERS,
        body={
            JSON: Content(
                ImageBody,
                {
                    "from text": {
                        "model": "nano-banana-2",
                        "prompt": "a cat astronaut floating in space",
                        "size": "1024x1024",
                    }
                },
            )
        },
        answers=_ANSWERS,
        errors=_ERRORS,
    ),
    Operation(
        method="POST",
        path="/v1/images/edits",
        id="createImageEdit",
        tag="Images",
        summary="Change pictures",
        description="The same from pictures that you have: as OpenAI's form, or as JSON.",
        parameters=_PARAMETERS,
        body={
            FORM: Content(
                ImageEditForm,
                {"without the file": {"model": "nano-banana-2", "prompt": "make it snow"}},
            ),
            JSON: Content(ImageBody),
        },
        answers=_ANSWERS,
        errors=_ERRORS,
    ),
)
