"""A transcript: measure, hold, ask, settle, answer."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from billing.amounts import credits_number
from gateway.audio import probe
from gateway.call import Call
from gateway.catalog.schema import Model
from gateway.charge import charging, check_balance
from gateway.errors import InvalidValue, ProviderError
from gateway.inputs import note_inputs
from gateway.limits.allowed import find_model
from gateway.prices import honoured
from gateway.pricing import Quote, quote_transcription
from gateway.providers.base import Deployment, TranscriptionProvider
from gateway.providers.registry import get_provider
from gateway.requests.transcriptions import AskedTranscription, check_transcription, fit_transcription, ignored_fields
from gateway.routing.deployments import find_deployments
from gateway.routing.execute import execute, explain, note_failure
from gateway.transcripts import render, usage
from gateway.types import Segment, TranscriptionAnswer, TranscriptionRequest, Usage

logger = logging.getLogger(__name__)

# Of text without times, as UTF-8: 150 words of English a minute, or 300 characters of Chinese.
BYTES_PER_SECOND = 15


async def transcribe(call: Call, asked: AskedTranscription) -> dict[str, Any] | str:
    """The transcript in the format asked for: an object, or a text.

    Raises a `GatewayError`; then nothing was charged.
    """
    model, request = await _measure(call, asked)
    deployments = await find_deployments(model, request)
    _note(call, asked, deployments[0])
    async with charging(call, _quote(model, request)) as charge:
        answer = await execute(
            call, deployments, lambda deployment: _provider(deployment).transcribe(deployment, request)
        )
        await charge.capture(replace(answer.usage, seconds=request.seconds))
    _compare_lengths(call, answer, request)
    return render(answer, request)


async def stream(call: Call, asked: AskedTranscription) -> AsyncGenerator[list[bytes], None]:
    """OpenAI's events as JSON: a `transcript.text.delta` for each segment, at the end `transcript.text.done`.

    Before the first it raises like `transcribe`. After it, the sound up to the end of the last segment sent is charged,
    whatever ends the stream: a provider that fails (raised as a `GatewayError`), or a client that leaves (`aclose`).
    """
    model, request = await _measure(call, asked)
    deployments = await find_deployments(model, request)
    _note(call, asked, deployments[0])
    async with charging(call, _quote(model, request)) as charge:
        opened = await execute(call, deployments, lambda deployment: _open(deployment, request))
        said = Said(request)
        async with aclosing(opened.parts):
            try:
                part = opened.first
                while isinstance(part, Segment):
                    if event := said.take(part):
                        yield [event]
                    part = await _next(call, opened.parts)
                answer = part
                if event := said.rest(answer):
                    yield [event]
            except BaseException as error:
                cost = 0
                if isinstance(error, ProviderError):
                    note_failure(call, error)
                if said.anything:
                    cost = await charge.capture(Usage(seconds=said.seconds, reported=False), cut_by=error)
                if isinstance(error, ProviderError):
                    raise explain(error, cost) from error
                raise
        charged = await charge.capture(replace(answer.usage, seconds=request.seconds))
    _compare_lengths(call, answer, request)
    yield [_done(answer, request, charged)]


def _quote(model: Model, request: TranscriptionRequest) -> Quote:
    return honoured(model, lambda one: quote_transcription(one, request.seconds))


class Said:
    """What of a stream the client has been told."""

    def __init__(self, request: TranscriptionRequest) -> None:
        self._request = request
        self._heard = 0.0
        self._bytes = 0
        self.anything = False

    def take(self, segment: Segment) -> bytes | None:
        """The event that tells `segment`; nothing where it says nothing."""
        self._heard = max(self._heard, segment.end)
        # Models put a space before a sentence that follows another.
        return self._tell(segment.text if self.anything else segment.text.lstrip())

    def rest(self, answer: TranscriptionAnswer) -> bytes | None:
        """The event that tells all, where the provider told it at the end only."""
        return None if self.anything else self._tell(answer.text)

    def _tell(self, text: str) -> bytes | None:
        if not text:
            return None
        self.anything = True
        self._bytes += len(text.encode())
        return msgspec.json.encode({"type": "transcript.text.delta", "delta": text})

    @property
    def seconds(self) -> float:
        """Of the recording, up to where the client was told; by the length of the text where it came without times."""
        return min(self._heard or self._bytes / BYTES_PER_SECOND, self._request.seconds)


def _done(answer: TranscriptionAnswer, request: TranscriptionRequest, charged: int) -> bytes:
    return msgspec.json.encode(
        {
            "type": "transcript.text.done",
            "text": answer.text,
            "usage": {**usage(request), "credits": credits_number(charged)},
        }
    )


class _Opened(Struct):
    """A stream whose first part has come, so that a failure before it was still another deployment's chance."""

    first: Segment | TranscriptionAnswer
    parts: AsyncGenerator[Segment | TranscriptionAnswer, None]


async def _open(deployment: Deployment, request: TranscriptionRequest) -> _Opened:
    parts = _provider(deployment).stream_transcription(deployment, request)
    try:
        return _Opened(await anext(parts), parts)
    except BaseException:
        await parts.aclose()
        raise


async def _next(
    call: Call, parts: AsyncGenerator[Segment | TranscriptionAnswer, None]
) -> Segment | TranscriptionAnswer:
    """What follows. The wait for it is not our own time."""
    began = perf_counter()
    try:
        return await anext(parts)
    finally:
        call.waited += perf_counter() - began


async def _measure(call: Call, asked: AskedTranscription) -> tuple[Model, TranscriptionRequest]:
    """The model, and the request with the recording's length.

    The hold needs the length, and measuring takes a while: not for those who could not pay for the shortest recording.
    """
    model = find_model(call, asked.model)
    spec = model.transcription
    if spec is None:
        raise InvalidValue(
            f"`{asked.model}` is no transcription model. Choose a model of type `transcription` from GET /v1/models.",
            param="model",
        )
    check_transcription(asked, model, spec)
    await check_balance(call, model.base)
    audio = await probe(asked.file.data, at_most=spec.max_seconds, owner=call.caller.user_id)
    return model, fit_transcription(asked, spec, audio)


def _compare_lengths(call: Call, answer: TranscriptionAnswer, request: TranscriptionRequest) -> None:
    """Tells the operator of a provider that heard far more than was measured, and so was charged.

    A file may have been made to look shorter than it is: the receipt names its account. The caller gets the transcript
    all the same: the work is done, a refusal would charge nothing for it, and a server whose `duration` is wrong, in
    nanoseconds even, would serve nobody.
    """
    if answer.duration > request.seconds * 1.1 + 2:
        logger.error(
            "%s: %s heard %.1f seconds in a recording measured as %.1f",
            *(call.request_id, call.served_by, answer.duration, request.seconds),
        )


def _note(call: Call, asked: AskedTranscription, deployment: Deployment) -> None:
    call.model = asked.model
    said = {"language": asked.language, "prompt": asked.prompt, "temperature": asked.temperature}
    note_inputs(call, {"model": asked.model, **said, "response_format": asked.format, "file": asked.file.data})
    if deployment.model.transcription is not None:
        call.ignored_params = ignored_fields(asked, deployment.model.transcription)


def _provider(deployment: Deployment) -> TranscriptionProvider:
    return get_provider(deployment.provider)
