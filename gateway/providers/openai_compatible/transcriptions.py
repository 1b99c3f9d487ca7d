"""Transcripts, whole or as they are heard.

Streams come in several shapes, since OpenAI's has no times in it:
- OpenAI: `transcript.text.delta` events, then `transcript.text.done`; our engine sends a `transcript.text.segment`,
  with times, before each delta. https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event
- speaches: an answer of its own for each segment (`verbose_json`: with times; `json`: its text; or the bare text),
  and no end mark. https://github.com/speaches-ai/speaches/blob/master/src/speaches/routers/stt.py
- vLLM: chunks as of a chat, then `[DONE]`. https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
Servers that know of no stream answer whole.
"""

import math
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.languages import language_name
from gateway.providers.base import Deployment
from gateway.providers.openai_compatible.wire import FormFile, Upstream, multipart
from gateway.providers.sse import EventReader
from gateway.tokens import read_usage
from gateway.types import Segment, SpokenWord, TranscriptionAnswer, TranscriptionRequest, Usage

PATH = "/audio/transcriptions"


async def transcribe(upstream: Upstream, request: TranscriptionRequest) -> TranscriptionAnswer:
    content_type, body = _form(upstream.deployment, request, stream=False)
    content = await upstream.fetch(PATH, content_type, body, patience=_patience(request))
    return _read_answer(upstream.decode(content), request)


async def stream(
    upstream: Upstream, request: TranscriptionRequest
) -> AsyncGenerator[Segment | TranscriptionAnswer, None]:
    """A segment whose `end` is 0 came without times."""
    content_type, body = _form(upstream.deployment, request, stream=True)
    response = await upstream.send(PATH, content_type, body, patience=_patience(request))
    try:
        if response.status != 200:
            raise await upstream.read_error(response)
        if response.headers.get(b"content-type", b"").lower().startswith((b"application/json", b"text/html")):
            yield _read_answer(upstream.decode(await response.read()), request)
            return
        events, heard = EventReader(), _Heard(upstream, request)
        async for piece in response:
            for event in events.feed(piece):
                for segment in heard.take(event):
                    yield segment
                if heard.answer is not None:
                    response.finish()
                    yield heard.answer
                    return
        for event in events.end():
            for segment in heard.take(event):
                yield segment
        yield heard.end()
    finally:
        response.close()


class _Heard:
    """Reads the events of one stream. `answer` is there once the server says that it is whole."""

    def __init__(self, upstream: Upstream, request: TranscriptionRequest) -> None:
        self.answer: TranscriptionAnswer | None = None
        self._upstream = upstream
        self._request = request
        self._segments: list[Segment] = []
        self._words: list[SpokenWord] = []
        self._language = ""
        # Of segments and deltas of one stream, the kind that came first tells the whole text.
        self._by_segments: bool | None = None
        # It has, or needs, no event that says that the text is whole.
        self._may_end = False

    def take(self, event: bytes) -> Iterator[Segment]:
        """The segments that `event` tells."""
        if event == b"[DONE]":
            self.answer = self._assemble()
            return
        found = [segment for segment in self._read(event) if segment.text]
        self._segments += found
        yield from found

    def end(self) -> TranscriptionAnswer:
        """The answer at the end of the connection."""
        if self.answer is None:
            if not self._may_end:
                raise ProviderError(ProviderFault.BROKEN, "the stream ended before the transcript did")
            self.answer = self._assemble()
        return self.answer

    def _read(self, event: bytes) -> list[Segment]:
        if not event.startswith(b"{"):
            self._may_end = True
            return [_untimed(self._parted(event.decode(errors="replace")))]
        message = self._upstream.decode(event)
        match message.get("type"):
            case "transcript.text.segment":
                return self._timed(message) if self._told_by(segments=True) else []
            case "transcript.text.delta":
                return [_untimed(_text(message, "delta"))] if self._told_by(segments=False) else []
            case "transcript.text.done":
                self.answer = self._assemble(message)
                return []
            case None:
                return self._read_untyped(message)
        return []  # other events of OpenAI's tell nothing of the text

    def _read_untyped(self, message: dict[str, Any]) -> list[Segment]:
        choices = message.get("choices")
        if isinstance(choices, list):
            chosen = choices[0] if choices and isinstance(choices[0], dict) else {}
            self._may_end = self._may_end or bool(chosen.get("finish_reason"))
            delta = chosen.get("delta")
            return [_untimed(text)] if isinstance(delta, dict) and (text := _text(delta, "content")) else []
        self._may_end = True
        self._language = self._language or _text(message, "language")
        rows = message.get("segments")
        if isinstance(rows, list) and rows:
            self._words += _words(message)
            return [segment for row in rows for segment in self._timed(row)]
        return [_untimed(self._parted(_text(message, "text")))]

    def _parted(self, text: str) -> str:
        """A segment's text whose server took away the space that parts it from the one before."""
        return f" {text}" if text and self._segments and not text[0].isspace() else text

    def _told_by(self, *, segments: bool) -> bool:
        if self._by_segments is None:
            self._by_segments = segments
        return self._by_segments is segments

    def _timed(self, row: Any) -> list[Segment]:
        segment = _segment(row)
        self._words += _words(row)
        return [segment] if segment is not None else []

    def _assemble(self, done: dict[str, Any] | None = None) -> TranscriptionAnswer:
        text = "".join(segment.text for segment in self._segments)
        whole = {"text": text.strip(), "language": self._language, **(done or {})}
        answer = _read_answer(whole, self._request)
        answer.segments = answer.segments or [segment for segment in self._segments if segment.end]
        answer.words = answer.words or self._words
        return answer


def _patience(request: TranscriptionRequest) -> float:
    """A model on a processor hears little faster than it was spoken."""
    return request.seconds


def _form(deployment: Deployment, request: TranscriptionRequest, *, stream: bool) -> tuple[bytes, bytes]:
    spec = deployment.model.transcription
    assert spec is not None, "a recording is sent to transcription models only"
    verbose = "verbose_json" in spec.formats
    fields: list[tuple[str, Any]] = [
        ("model", deployment.upstream),
        ("language", request.language),
        ("prompt", request.prompt),
        ("temperature", request.temperature),
        ("response_format", "verbose_json" if verbose else "json"),
    ]
    if verbose:
        fields.append(("timestamp_granularities[]", "segment"))
    if verbose and request.words:
        fields.append(("timestamp_granularities[]", "word"))
    if stream:
        fields.append(("stream", True))
    file = FormFile("file", request.filename, request.mime, request.audio)
    taken = [(name, value) for name, value in fields if name.removesuffix("[]") not in spec.ignores]
    return multipart(taken, [file])


def _read_answer(answer: dict[str, Any], request: TranscriptionRequest) -> TranscriptionAnswer:
    text = answer.get("text")
    if not isinstance(text, str):
        raise ProviderError(ProviderFault.BROKEN, "an answer without a transcript")
    rows = answer.get("segments")
    segments = [segment for row in rows if (segment := _segment(row))] if isinstance(rows, list) else []
    return TranscriptionAnswer(
        text=text.strip(),
        language=language_name(_text(answer, "language") or request.language or ""),
        duration=_seconds(answer.get("duration")) or request.seconds,  # some servers send it as a text
        segments=segments,
        words=_words(answer),
        usage=_usage(answer.get("usage"), request),
    )


def _segment(row: Any) -> Segment | None:
    """A segment in any server's words; nothing where it tells no text or no times."""
    if not isinstance(row, dict):
        return None
    text, start, end = row.get("text"), _seconds(row.get("start")), _seconds(row.get("end"))
    if not isinstance(text, str) or start is None or end is None:
        return None
    tokens = row.get("tokens")
    return Segment(
        text=text,
        start=start,
        end=max(start, end),
        seek=int(_number(row.get("seek"))),
        tokens=tuple(one for one in tokens if type(one) is int) if isinstance(tokens, list) else (),
        temperature=_number(row.get("temperature")),
        avg_logprob=_number(row.get("avg_logprob")),
        compression_ratio=_number(row.get("compression_ratio")),
        no_speech_prob=_number(row.get("no_speech_prob")),
    )


def _untimed(text: str) -> Segment:
    return Segment(text=text, start=0.0, end=0.0)


def _words(row: Any) -> list[SpokenWord]:
    """The words that an answer or a segment tells of."""
    found = []
    words = row.get("words") if isinstance(row, dict) else None
    for one in words if isinstance(words, list) else []:
        if isinstance(one, dict):
            word, start, end = one.get("word"), _seconds(one.get("start")), _seconds(one.get("end"))
            if isinstance(word, str) and start is not None and end is not None:
                found.append(SpokenWord(word=word.strip(), start=start, end=max(start, end)))
    return found


def _usage(usage: Any, request: TranscriptionRequest) -> Usage:
    """The tokens that a server reports, if it counts in those. The seconds are our own measure, by which is charged."""
    if isinstance(usage, dict) and usage.get("type") == "tokens" and (counted := read_usage(usage)):
        return msgspec.structs.replace(counted, seconds=request.seconds)
    return Usage(seconds=request.seconds)


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _seconds(value: Any) -> float | None:
    """A time; nothing for what is none."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
