"""What a call would cost before it is made: its body is read as its endpoint reads it, and priced by the same rules."""

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from gateway.catalog import get_model
from gateway.catalog.schema import Model, ModelType
from gateway.errors import InvalidValue
from gateway.pricing import Quote, quote, quote_transcription, quote_video
from gateway.requests.chat import parse_chat
from gateway.requests.decoding import convert, cut
from gateway.requests.embeddings import parse_embedding
from gateway.requests.images import AskedImage, fit_image, parse_edit, parse_image
from gateway.requests.videos import AskedVideo, fit_video, parse_openai_video, parse_video
from gateway.types import InputImage

# Stands for a picture that need not be read to be counted.
UNREAD = InputImage(data=b"", mime="")

FindModel = Callable[[str], Model]


class MeasuredRecording(Struct):
    """A transcription's fields as far as they decide its price: the file is known by its length alone."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    seconds: Annotated[float, Meta(gt=0)]


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


def _chat(body: dict[str, Any], find_model: FindModel) -> Quote:
    request = parse_chat(body)
    return quote(_of_type("chat", find_model(request.model)), request)


def _embedding(body: dict[str, Any], find_model: FindModel) -> Quote:
    request = parse_embedding(body)
    return quote(_of_type("embedding", find_model(request.model)), request)


def _transcription(body: dict[str, Any], find_model: FindModel) -> Quote:
    recording = convert(body, MeasuredRecording)
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
    "/v1/embeddings": _embedding,
    "/v1/audio/transcriptions": _transcription,
    "/v1/images/generations": _image,
    "/v1/images/edits": _edit,
    "/v1/video/generations": _video,
    "/v1/videos": _openai_video,
}
