"""`POST /v1/audio/transcriptions`: Whisper, a few recordings at once, each in a thread.

The form and the answers are OpenAI's: https://platform.openai.com/docs/api-reference/audio/createTranscription. A
stream has one event more, `transcript.text.segment`, with all that is known of a segment.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, NamedTuple, TypeVar

import msgspec

from arkroute.engine.exchange import Exchange, Refusal
from arkroute.engine.speech import (
    AT_ONCE,
    Heard,
    HeardSegment,
    HeardWord,
    NotAudio,
    Recogniser,
    TooLong,
    UnknownLanguage,
)
from gateway.errors import InvalidJSON
from gateway.requests.forms import parse_form, sent_fields

PATH = "/v1/audio/transcriptions"
FORMATS = ("json", "text", "verbose_json")
# Recordings that wait for their turn, each in memory with up to 30 MB.
MAX_WAITING = 8
T = TypeVar("T")

_EVENT_STREAM = (b"content-type", b"text/event-stream")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Wanted(NamedTuple):
    """What the form asks for. `words`: their times, too."""

    audio: bytes
    language: str | None
    prompt: str | None
    temperature: float | None
    format: str
    words: bool
    stream: bool


class Transcriptions:
    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser
        # Work that is cancelled goes on to the end of its segment, and keeps its thread so long.
        self._threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="speech")
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._present = 0

    async def answer(self, exchange: Exchange, content: bytes) -> None:
        content_type = exchange.headers.get(b"content-type", b"").decode("latin-1")
        wanted = await asyncio.to_thread(read_wanted, content, content_type)
        if self._present >= AT_ONCE + MAX_WAITING:
            message = f"{MAX_WAITING} recordings are waiting already. Try again later."
            raise Refusal(503, message, kind="server_error", code="overloaded")
        self._present += 1
        try:
            async with self._turn:
                heard = await self._run(lambda: self._listen(wanted))
                answer = _stream if wanted.stream else _answer_whole
                await answer(exchange, wanted, heard, self._segments(heard))
        finally:
            self._present -= 1

    def _listen(self, wanted: Wanted) -> Heard:
        try:
            return self._recogniser.transcribe(
                wanted.audio,
                language=wanted.language,
                prompt=wanted.prompt,
                temperature=wanted.temperature,
                words=wanted.words,
            )
        except (NotAudio, TooLong) as error:
            raise Refusal(400, str(error), param="file") from error
        except UnknownLanguage as error:
            raise Refusal(400, str(error), param="language") from error

    async def _segments(self, heard: Heard) -> AsyncIterator[HeardSegment]:
        while (segment := await self._run(lambda: next(heard.segments, None))) is not None:
            yield segment

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def read_wanted(content: bytes, content_type: str) -> Wanted:
    """What the form in `content` asks for. Raises `Refusal`, naming the field at fault."""
    try:
        form = parse_form(content, content_type)
    except InvalidJSON as error:
        raise Refusal(400, error.message) from None
    files, fields = form.files.get("file"), sent_fields(form)
    sent = {name: values[0] for name, values in fields.items()}
    if not files:
        raise Refusal(400, "`file` is required: the recording.", param="file", code="missing_required_parameter")
    format = sent.get("response_format", "json")
    if format not in FORMATS:
        raise Refusal(400, f"`response_format` must be one of {', '.join(FORMATS)}.", param="response_format")
    try:
        temperature = float(sent.get("temperature", 0))
    except ValueError:
        temperature = -1
    if not 0 <= temperature <= 1:
        raise Refusal(400, "`temperature` must be a number from 0 to 1.", param="temperature")
    return Wanted(
        audio=files[0].data,
        language=sent.get("language"),
        prompt=sent.get("prompt"),
        temperature=temperature or None,
        format=format,
        words="word" in fields.get("timestamp_granularities", ()),
        stream=sent.get("stream", "").lower() in {"true", "1"},
    )


async def _answer_whole(
    exchange: Exchange, wanted: Wanted, heard: Heard, segments: AsyncIterator[HeardSegment]
) -> None:
    found = [segment async for segment in segments]
    text = _joined(found)
    if wanted.format == "text":
        await exchange.answer(200, f"{text}\n".encode(), _TEXT)
        return
    answer: dict[str, Any] = {"text": text, "usage": _usage(heard)}
    if wanted.format == "verbose_json":
        answer |= {
            "task": "transcribe",
            "language": heard.language,
            "duration": heard.duration,
            "segments": [_told(number, segment) for number, segment in enumerate(found)],
        }
        if wanted.words:
            answer["words"] = [_told_word(word) for segment in found for word in segment.words]
    await exchange.answer(200, msgspec.json.encode(answer))


async def _stream(exchange: Exchange, wanted: Wanted, heard: Heard, segments: AsyncIterator[HeardSegment]) -> None:
    await exchange.start(200, [_EVENT_STREAM])
    found: list[HeardSegment] = []
    async for segment in segments:
        told = {"type": "transcript.text.segment"} | _told(len(found), segment)
        if wanted.words:
            told["words"] = [_told_word(word) for word in segment.words]
        delta = segment.text if found else segment.text.lstrip()
        await exchange.send_events([told, {"type": "transcript.text.delta", "delta": delta}])
        found.append(segment)
    done = {"type": "transcript.text.done", "text": _joined(found), "usage": _usage(heard)}
    await exchange.send_events([done | {"language": heard.language, "duration": heard.duration}])
    await exchange.send(b"", more=False)


def _told(number: int, segment: HeardSegment) -> dict[str, Any]:
    fields = asdict(segment)
    del fields["words"]
    return {"id": number} | fields


def _told_word(word: HeardWord) -> dict[str, Any]:
    return {"word": word.word.strip(), "start": word.start, "end": word.end}


def _joined(segments: Iterable[HeardSegment]) -> str:
    return "".join(segment.text for segment in segments).strip()


def _usage(heard: Heard) -> dict[str, Any]:
    return {"type": "duration", "seconds": heard.duration}
