"""What is asked for of a clip, in both public shapes, and what a model makes of it.

The gateway's own: `{"model", "prompt", "image", "last_frame", "duration", "aspect_ratio", "resolution", "audio"}`.
OpenAI's (https://platform.openai.com/docs/api-reference/videos/create): `seconds`, `size`, `input_reference`, in JSON
or in a form.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from gateway.catalog.parameters import MAX_PROMPT
from gateway.catalog.schema import Model, VideoSpec, lines_of, parse_size
from gateway.errors import InvalidType, InvalidValue
from gateway.requests.decoding import convert, cut
from gateway.requests.forms import Form, only_values, sent_fields
from gateway.requests.pictures import Source, load_pictures
from gateway.types import InputImage, VideoRequest
from gateway.webhooks.addresses import check_webhook_url

Prompt = Annotated[str, Meta(min_length=1, max_length=MAX_PROMPT)]
# What OpenAI's clients ask for where they name no model.
DEFAULT_MODEL = "seedance-1.5-pro"
# Fields that hold pictures, which may be large.
PICTURES = frozenset({"image", "last_frame", "input_reference"})
MAX_KEPT_BYTES = 64 * 1024
# How far OpenAI's sizes may be from a model's ratio: 1024x1792 is meant as 9:16.
CLOSE_ENOUGH = Fraction(115, 100)


class VideoBody(Struct):
    """The gateway's own request."""

    model: Annotated[str, Meta(min_length=1)]
    prompt: Prompt
    image: str | None = None
    last_frame: str | None = None
    duration: int | float | str | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
    audio: bool | None = None
    webhook_url: str | None = None


class PictureReference(Struct):
    image_url: str | None = None
    file_id: str | None = None


class OpenAIVideoBody(Struct):
    """OpenAI's request; what is ours may come along."""

    prompt: Prompt
    model: Annotated[str, Meta(min_length=1)] = DEFAULT_MODEL
    seconds: int | float | str | None = None
    size: str | None = None
    input_reference: str | PictureReference | None = None
    last_frame: str | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
    audio: bool | None = None
    webhook_url: str | None = None


class AskedVideo(Struct):
    """A request that was read, in whichever shape. `frames` are the pictures by their role, as they came.

    `names` says what the client calls `duration` and `aspect_ratio`, for errors.
    """

    model: str
    prompt: str
    body: dict[str, Any]
    duration: int | float | str | None = None
    ratio: str | None = None
    resolution: str | None = None
    size: str | None = None
    audio: bool | None = None
    webhook_url: str = ""
    frames: dict[str, Source] = {}
    seconds_name: str = "duration"
    image_name: str = "image"


def parse_video(body: dict[str, Any]) -> AskedVideo:
    """The gateway's own shape. Raises a `RequestError` naming the field."""
    fields = convert(body, VideoBody)
    frames = {"first_frame": fields.image, "last_frame": fields.last_frame}
    return _asked(body, fields, frames, duration=fields.duration)


def parse_openai_video(body: dict[str, Any]) -> AskedVideo:
    """OpenAI's shape in JSON. Raises a `RequestError` naming the field."""
    fields = convert(body, OpenAIVideoBody)
    return _openai(body, fields, _reference(fields.input_reference))


def parse_openai_video_form(form: Form) -> AskedVideo:
    """OpenAI's shape as a form, whose `input_reference` may be a file. Raises a `RequestError` naming the field."""
    sent = sent_fields(form)
    files = {name.partition("[")[0]: files for name, files in form.files.items()}
    if unknown := sorted(files.keys() - {"input_reference", "last_frame"}):
        raise InvalidType(f"`{unknown[0]}` must be a text, not a file.", param=unknown[0])
    uploads = {name: _only(found, name) for name, found in files.items()}
    scalars = only_values(sent, OpenAIVideoBody.__struct_fields__)
    # `input_reference[image_url]` is how the SDK writes an object into a form.
    if "input_reference[image_url]" in form.fields:
        scalars["input_reference"] = form.fields["input_reference[image_url]"][0]
    fields = convert(scalars, OpenAIVideoBody, strict=False)
    body: dict[str, Any] = {
        name: _scalar(values[0]) if len(values) == 1 else [*map(_scalar, values)] for name, values in sent.items()
    }
    body["prompt"] = fields.prompt
    asked = _openai(body, fields, uploads.get("input_reference") or _reference(fields.input_reference))
    if "last_frame" in uploads:
        asked.frames = {**asked.frames, "last_frame": uploads["last_frame"]}
    return asked


def fit_video(asked: AskedVideo, model: Model, *, reference: str) -> VideoRequest:
    """What is asked for in the values that `model` has, without the pictures. Raises `InvalidValue`."""
    spec = _spec(model, asked)
    _check_frames(asked, spec)
    audio = _audio(asked, spec)
    ratio, resolution = _shape(asked, spec, spec.resolutions_for(audio=audio, last_frame="last_frame" in asked.frames))
    return VideoRequest(
        model=asked.model,
        prompt=asked.prompt,
        seconds=_seconds(asked, spec),
        resolution=resolution,
        ratio=ratio,
        reference=reference,
        body=asked.body,
        audio=audio,
    )


async def load_frames(asked: AskedVideo, *, owner: int) -> dict[str, InputImage]:
    """The pictures by their role, read or fetched. Raises `InvalidImage`, `InvalidImageURL`, `Overloaded`."""
    found = {}
    for role, source in asked.frames.items():
        param = asked.image_name if role == "first_frame" else role
        [found[role]] = await load_pictures([source], param=param, owner=owner)
    return found


def can_make(model: Model, request: VideoRequest, frames: set[str]) -> bool:
    """Whether `model` may make `request` in the place of the model that it was made for: as it is, or not at all."""
    spec = model.video
    return (
        spec is not None
        and request.seconds in spec.durations
        and request.resolution in spec.resolutions_for(audio=request.audio, last_frame="last_frame" in frames)
        and (not request.ratio or request.ratio in spec.ratios)
        and (spec.audio or not request.audio)
        and (spec.image_input or not frames)
        and (spec.text_input or bool(frames))
        and (spec.last_frame or "last_frame" not in frames)
    )


def _asked(
    body: dict[str, Any],
    fields: VideoBody | OpenAIVideoBody,
    frames: Mapping[str, Source | None],
    *,
    duration: int | float | str | None,
) -> AskedVideo:
    return AskedVideo(
        model=fields.model,
        prompt=fields.prompt,
        body=_keep(body),
        duration=duration,
        ratio=fields.aspect_ratio,
        resolution=fields.resolution,
        audio=fields.audio,
        webhook_url=check_webhook_url(fields.webhook_url, "webhook_url") if fields.webhook_url else "",
        frames={role: source for role, source in frames.items() if source},
    )


def _keep(body: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a request with its task, and gone through at each look: of the rest no more than a little.

    The prompt has a limit of its own, and pictures are kept apart.
    """
    kept = {name: value for name, value in body.items() if name not in PICTURES}
    sizes = {name: len(msgspec.json.encode([name, value])) for name, value in kept.items() if name != "prompt"}
    if sum(sizes.values()) > MAX_KEPT_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise InvalidValue(
            f"`{cut(largest)}` is too large: all fields but the prompt and the pictures may have "
            f"{MAX_KEPT_BYTES >> 10} KB together.",
            param=cut(largest),
        )
    for name, value in kept.items():
        if _has_nul([name, value]):
            raise InvalidValue("No text may hold the character U+0000. Leave it out.", param=cut(name))
    return kept


def _has_nul(value: Any) -> bool:
    """Postgres keeps none in JSON."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return _has_nul([*value, *value.values()])
    return isinstance(value, list) and any(map(_has_nul, value))


def _openai(body: dict[str, Any], fields: OpenAIVideoBody, first: Source | None) -> AskedVideo:
    asked = _asked(body, fields, {"first_frame": first, "last_frame": fields.last_frame}, duration=fields.seconds)
    return replace(asked, size=fields.size, seconds_name="seconds", image_name="input_reference")


def _scalar(text: str) -> Any:
    """What a form's text stands for, where that is a number or a boolean: vendors' own fields have types."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, int | float) else text


def _reference(value: str | PictureReference | None) -> Source | None:
    if not isinstance(value, PictureReference):
        return value
    if value.image_url is None:
        raise InvalidValue(
            "`input_reference` takes a file, or `image_url`: an https address or a data URI. Files are not kept here.",
            param="input_reference",
        )
    return value.image_url


def _only(uploads: list[Any], name: str) -> bytes:
    if len(uploads) > 1:
        raise InvalidValue(f"`{name}` was sent {len(uploads)} times. Send one file.", param=name)
    data: bytes = uploads[0].data
    return data


def _spec(model: Model, asked: AskedVideo) -> VideoSpec:
    if model.video is None:
        raise InvalidValue(
            f"`{asked.model}` is no video model. Choose a model of type `video` from GET /v1/models.", param="model"
        )
    return model.video


def _check_frames(asked: AskedVideo, spec: VideoSpec) -> None:
    if asked.frames and not spec.image_input:
        raise InvalidValue(
            f"`{asked.model}` makes videos from text alone. Leave `{asked.image_name}` out, or choose another model.",
            param=asked.image_name,
        )
    if "first_frame" not in asked.frames and ("last_frame" in asked.frames or not spec.text_input):
        raise InvalidValue(
            f"`{asked.image_name}` is required: the picture that the video begins with.", param=asked.image_name
        )
    if "last_frame" in asked.frames and not spec.last_frame:
        raise InvalidValue(
            f"`{asked.model}` takes no `last_frame`. Leave it out, or choose another model.", param="last_frame"
        )


def _seconds(asked: AskedVideo, spec: VideoSpec) -> int:
    if asked.duration is None:
        return spec.default_duration
    try:
        seconds = float(asked.duration)
    except (ValueError, OverflowError):
        seconds = -1.0
    if seconds not in spec.durations:
        allowed = ", ".join(map(str, spec.durations))
        raise InvalidValue(
            f"`{asked.seconds_name}` does not take '{cut(str(asked.duration))}' with `{asked.model}`. "
            f"Allowed: {allowed} seconds.",
            param=asked.seconds_name,
        )
    return int(seconds)


def _shape(asked: AskedVideo, spec: VideoSpec, resolutions: tuple[str, ...]) -> tuple[str, str]:
    """Ratio, and one of `resolutions`. A clip with a first frame has its ratio, unless another is asked for."""
    ratio, resolution = asked.ratio, asked.resolution
    if asked.size and asked.size != "auto":
        sized = _of_size(asked, spec, resolutions)
        ratio, resolution = ratio or sized[0], resolution or sized[1]
    usual = spec.default_resolution if spec.default_resolution in resolutions else resolutions[0]
    return (
        _one_of(asked, ratio, spec.ratios, "" if "first_frame" in asked.frames else spec.ratios[0], "aspect_ratio"),
        _one_of(asked, resolution, resolutions, usual, "resolution"),
    )


def _of_size(asked: AskedVideo, spec: VideoSpec, resolutions: tuple[str, ...]) -> tuple[str, str]:
    """The model's ratio and resolution that are closest to OpenAI's `size`."""
    try:
        width, height = parse_size(asked.size or "")
        wanted = Fraction(width, height)
    except (ValueError, ZeroDivisionError):
        raise InvalidValue(
            f"`size` does not take '{cut(asked.size or '')}'. Send `<width>x<height>`, such as `1280x720`.",
            param="size",
        ) from None

    def distance(name: str) -> Fraction:
        ratio = Fraction(*map(int, name.split(":")))
        return max(ratio, wanted) / min(ratio, wanted) if wanted else Fraction(10**6)

    ratio = min(spec.ratios, key=distance)
    if distance(ratio) > CLOSE_ENOUGH:
        raise InvalidValue(
            f"`size` {cut(asked.size or '')} has none of the ratios of `{asked.model}`: {', '.join(spec.ratios)}.",
            param="size",
        )
    return ratio, min(resolutions, key=lambda name: abs(lines_of(name) - min(width, height)))


def _audio(asked: AskedVideo, spec: VideoSpec) -> bool:
    if asked.audio is None:
        return spec.default_audio
    if asked.audio and not spec.audio:
        raise InvalidValue(f"`{asked.model}` makes no sound. Leave `audio` out, or choose another.", param="audio")
    return asked.audio


def _one_of(asked: AskedVideo, value: str | None, allowed: tuple[str, ...], default: str, param: str) -> str:
    if value is None:
        return default
    if value not in allowed:
        names = ", ".join(f"`{name}`" for name in allowed)
        raise InvalidValue(
            f"`{param}` does not take '{cut(value)}' with `{asked.model}`. Allowed: {names}.", param=param
        )
    return value
