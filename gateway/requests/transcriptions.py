"""A transcription's form. Source: the OpenAI API reference, `POST /audio/transcriptions`."""

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.audio import Audio
from gateway.catalog.openai_parameters import TRANSCRIPTION_BASIC, TRANSCRIPTION_OPTIONAL
from gateway.catalog.schema import Model, TranscriptionSpec
from gateway.errors import InvalidValue, RequestTooLarge
from gateway.requests.decoding import convert, cut
from gateway.requests.forms import Form, Upload, only_file, only_values, sent_fields
from gateway.types import TranscriptionRequest

SCALARS = ("model", "language", "prompt", "response_format", "temperature", "stream")
# ISO 639-1 and 639-3.
LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)
# An unknown field's name is repeated in a header.
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
MOST_NAMES = 20
LONGEST_STEM = 100


class TranscriptionBody(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    language: str | None = None
    prompt: Annotated[str, Meta(max_length=32_000)] | None = None
    response_format: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    timestamp_granularities: list[Literal["word", "segment"]] = []
    stream: bool | None = None


class AskedTranscription(Struct):
    """A form whose fields are sound by themselves. `sent` names all of them, `format` is not yet the model's."""

    file: Upload
    model: str
    sent: list[str]
    format: str
    language: str | None
    prompt: str | None
    temperature: float | None
    granularities: list[Literal["word", "segment"]]
    stream: bool


def parse_transcription(form: Form) -> AskedTranscription:
    """The request in `form`. Raises a `RequestError` naming the field at fault."""
    file = only_file(form, "file")
    sent = sent_fields(form)
    fields: dict[str, Any] = {**only_values(sent, SCALARS)}
    if granularities := sent.get("timestamp_granularities"):
        fields["timestamp_granularities"] = granularities
    body = convert(fields, TranscriptionBody, strict=False)
    asked = AskedTranscription(
        file=file,
        model=body.model,
        sent=list(sent),
        format=body.response_format or "json",
        language=body.language.lower() if body.language else None,
        prompt=body.prompt,
        temperature=body.temperature,
        granularities=body.timestamp_granularities,
        stream=bool(body.stream),
    )
    _check_together(asked)
    return asked


def _check_together(asked: AskedTranscription) -> None:
    if asked.language is not None and not LANGUAGE.fullmatch(asked.language):
        raise InvalidValue(
            f"`language` must be an ISO 639-1 code such as `en`, not `{cut(asked.language)}`.", param="language"
        )
    if asked.granularities and asked.format != "verbose_json":
        raise InvalidValue(
            "`timestamp_granularities` needs `response_format=verbose_json`.", param="timestamp_granularities"
        )
    if asked.stream and asked.format != "json":
        raise InvalidValue("`stream` needs `response_format=json`.", param="stream")


def check_transcription(asked: AskedTranscription, model: Model, spec: TranscriptionSpec) -> None:
    """Raises `InvalidValue` for what `model` does not take, `RequestTooLarge` for a file that it does not."""
    if asked.format not in spec.formats:
        allowed = ", ".join(f"`{name}`" for name in spec.formats)
        raise InvalidValue(
            f"`response_format` does not take `{cut(asked.format)}` with `{model.id}`. Allowed: {allowed}.",
            param="response_format",
        )
    if "word" in asked.granularities and not spec.words:
        raise InvalidValue(f"`{model.id}` does not tell the times of words.", param="timestamp_granularities")
    for name in asked.sent:
        if name in spec.refuses:
            raise InvalidValue(
                f"`{name}` is not supported by `{model.id}`. "
                "Choose another model from GET /v1/models, or leave it out.",
                param=name,
            )
    if len(asked.file.data) > spec.max_megabytes << 20:
        raise RequestTooLarge(
            f"`file` is larger than {spec.max_megabytes} MB. Compress the recording, or send it in parts.", param="file"
        )


def fit_transcription(asked: AskedTranscription, spec: TranscriptionSpec, audio: Audio) -> TranscriptionRequest:
    """The request for a model with `spec`. Raises `InvalidValue` for a recording that is too long."""
    if audio.seconds > spec.max_seconds:
        raise InvalidValue(
            f"`file` is longer than {spec.max_seconds / 60:g} minutes, which `{asked.model}` takes at most. "
            "Send it in parts.",
            param="file",
        )
    # Servers tell the container by the extension.
    stem = "".join(letter for letter in PurePath(asked.file.filename).stem if letter.isprintable())
    return TranscriptionRequest(
        model=asked.model,
        audio=asked.file.data,
        filename=f"{stem[:LONGEST_STEM] or 'audio'}.{audio.extension}",
        seconds=round(audio.seconds, 3),
        mime=audio.mime,
        language=asked.language,
        prompt=asked.prompt,
        temperature=asked.temperature,
        format=asked.format,
        words="word" in asked.granularities,
        segments=not asked.granularities or "segment" in asked.granularities,
        stream=asked.stream,
    )


def ignored_fields(asked: AskedTranscription, spec: TranscriptionSpec) -> list[str]:
    """The fields that are left out on the way to a model with `spec`: those that it ignores, and those nobody knows."""
    known = {*TRANSCRIPTION_BASIC, *TRANSCRIPTION_OPTIONAL}
    left_out = [name for name in asked.sent if name in spec.ignores or name not in known]
    return [name for name in left_out if NAME.fullmatch(name)][:MOST_NAMES]
