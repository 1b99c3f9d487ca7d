"""What a call would cost before it is made: its body is read as its endpoint reads it, and priced by the same rules."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from gateway.audio import probe
from gateway.call import Call
from gateway.catalog import get_model
from gateway.catalog.schema import Model, ModelType
from gateway.errors import InvalidValue
from gateway.limits import allowed
from gateway.prices import promise
from gateway.pricing import Quote, quote, quote_transcription, quote_video
from gateway.requests.chat import parse_chat
from gateway.requests.decoding import convert, cut
from gateway.requests.embeddings import parse_embedding
from gateway.requests.forms import Form, only_values, sent_fields
from gateway.requests.images import AskedImage, fit_image, parse_edit, parse_edit_form, parse_image
from gateway.requests.responses import parse_response
from gateway.requests.transcriptions import check_transcription, fit_transcription, parse_transcription
from gateway.requests.videos import (
    AskedVideo,
    fit_video,
    parse_openai_video,
    parse_openai_video_form,
    parse_video,
)
from gateway.types import ChatRequest, InputImage

# Stands for a picture that need not be read to be counted.
UNREAD = InputImage(data=b"", mime="")

FindModel = Callable[[str], Model]


class GivenQuote(Struct, frozen=True):
    """A quote that is honoured until `expires_at`. `model` is the name asked for."""

    endpoint: str
    model: str
    quote: Quote
    expires_at: datetime


class Asked(Struct):
    """Which endpoint a quote is asked for; the rest of the body is the call's."""

    endpoint: str


class MeasuredRecording(Struct):
    """A transcription's fields as far as they decide its price: the file is known by its length alone."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    seconds: Annotated[float, Meta(gt=0)]


async def give_quote(call: Call, asked: dict[str, Any] | Form) -> GivenQuote:
    """What the call in `asked`, which names its `endpoint` besides, would cost; its prices are honoured from now on.

    Nothing is held. Raises what the call itself would: a `RequestError` naming the field at fault, `KeyNotAllowed`.
    """
    name = ""

    def find_model(wanted: str) -> Model:
        nonlocal name
        name = wanted
        return allowed.find_model(call, wanted)

    if isinstance(asked, Form):
        fields = {field: values for field, values in asked.fields.items() if field != "endpoint"}
        endpoint = convert(only_values(sent_fields(asked), ["endpoint"]), Asked).endpoint
        quoted = await _quote_form(endpoint, Form(fields, asked.files), find_model, owner=call.caller.user_id)
    else:
        endpoint = convert(asked, Asked).endpoint
        body = {field: value for field, value in asked.items() if field != "endpoint"}
        quoted = quote_call(endpoint, body, find_model)
    return GivenQuote(endpoint, name, quoted, expires_at=await promise(quoted.model))


def quote_call(endpoint: str, body: dict[str, Any], find_model: FindModel = get_model) -> Quote:
    """What the call of `endpoint`, such as `/v1/images/generations`, with `body` would cost. Nothing is held.

    A transcription's body has `seconds` in the place of its file. `find_model` says which model a name stands for, and
    may refuse it. Raises a `RequestError` naming the field at fault, as the call itself would.
    """
    try:
        quote_body = QUOTES[endpoint]
    except KeyError:
        allowed = ", ".join(f"`{name}`" for name in QUOTES)
        raise InvalidValue(
            f"`endpoint` does not take '{cut(endpoint)}'. Allowed: {allowed}.", param="endpoint"
        ) from None
    return quote_body(body, find_model)


async def _quote_form(endpoint: str, form: Form, find_model: FindModel, *, owner: int) -> Quote:
    """`quote_call` for a call whose body is a form: of a recording the length is measured, unless it is told."""
    match endpoint:
        case "/v1/audio/transcriptions" if form.files:
            asked = parse_transcription(form)
            model = _of_type("transcription", find_model(asked.model))
            spec = model.transcription
            assert spec is not None, "a model of type transcription"
            check_transcription(asked, model, spec)
            audio = await probe(asked.file.data, at_most=spec.max_seconds, owner=owner)
            return quote_transcription(model, fit_transcription(asked, spec, audio).seconds)
        case "/v1/audio/transcriptions":
            fields = only_values(sent_fields(form), MeasuredRecording.__struct_fields__)
            return _quote_recording(convert(fields, MeasuredRecording, strict=False), find_model)
        case "/v1/images/edits":
            return _quote_image(parse_edit_form(form), find_model)
        case "/v1/videos":
            return _quote_video(parse_openai_video_form(form), find_model)
    if endpoint in QUOTES:
        raise InvalidValue(f"A quote for `{cut(endpoint)}` is asked for in JSON, as the call is.", param="endpoint")
    return quote_call(endpoint, {}, find_model)


def _chat(body: dict[str, Any], find_model: FindModel) -> Quote:
    return _quote_chat(parse_chat(body), find_model)


def _response(body: dict[str, Any], find_model: FindModel) -> Quote:
    return _quote_chat(parse_response(body).chat, find_model)


def _quote_chat(request: ChatRequest, find_model: FindModel) -> Quote:
    model = _of_type("chat", find_model(request.model))
    if request.stateful:
        raise InvalidValue(
            "A turn of a conversation that is kept here has no quote: all that was said before it counts. Quote the "
            "whole conversation, without `ark_stateful`.",
            param="ark_stateful",
        )
    return quote(model, request)


def _embedding(body: dict[str, Any], find_model: FindModel) -> Quote:
    request = parse_embedding(body)
    return quote(_of_type("embedding", find_model(request.model)), request)


def _transcription(body: dict[str, Any], find_model: FindModel) -> Quote:
    return _quote_recording(convert(body, MeasuredRecording), find_model)


def _quote_recording(recording: MeasuredRecording, find_model: FindModel) -> Quote:
    model = _of_type("transcription", find_model(recording.model))
    if model.transcription is not None and recording.seconds > model.transcription.max_seconds:
        minutes = model.transcription.max_seconds / 60
        raise InvalidValue(f"`{recording.model}` takes {minutes:g} minutes at most. Send it in parts.", param="file")
    return quote_transcription(model, recording.seconds)


def _image(body: dict[str, Any], find_model: FindModel) -> Quote:
    return _quote_image(parse_image(body), find_model)


def _edit(body: dict[str, Any], find_model: FindModel) -> Quote:
    return _quote_image(parse_edit(body), find_model)


def _quote_image(asked: AskedImage, find_model: FindModel) -> Quote:
    model = find_model(asked.fields.model)
    request = fit_image(asked, model)
    return quote(model, replace(request, inputs=[UNREAD] * len(asked.inputs)))


def _video(body: dict[str, Any], find_model: FindModel) -> Quote:
    return _quote_video(parse_video(body), find_model)


def _openai_video(body: dict[str, Any], find_model: FindModel) -> Quote:
    return _quote_video(parse_openai_video(body), find_model)


def _quote_video(asked: AskedVideo, find_model: FindModel) -> Quote:
    model = find_model(asked.model)
    request = fit_video(asked, model, reference="")
    return quote_video(model, request.seconds, request.resolution, request.audio)


def _of_type(wanted: ModelType, model: Model) -> Model:
    if model.type != wanted:
        raise InvalidValue(
            f"`{model.id}` is of type `{model.type}`. Choose a model of type `{wanted}` from GET /v1/models.",
            param="model",
        )
    return model


QUOTES: dict[str, Callable[[dict[str, Any], FindModel], Quote]] = {
    "/v1/chat/completions": _chat,
    "/v1/responses": _response,
    "/v1/embeddings": _embedding,
    "/v1/audio/transcriptions": _transcription,
    "/v1/images/generations": _image,
    "/v1/images/edits": _edit,
    "/v1/video/generations": _video,
    "/v1/videos": _openai_video,
}
