"""Transcripts, by `generateContent` with an `audioTranscriptionConfig` in its `generationConfig`.

The answer's parts carry `audioTranscription`: `{text, languageCode, …}`, each a whole turn of a speaker without the
space around it. Known from Google's SDK (`AudioTranscriptionConfig`, `Transcription` and `Part` in `types.py` of
https://github.com/googleapis/python-genai), not from a page. Uncertain, and therefore read as it comes: whether a part
repeats its text in `text`, whether silence is an empty part or none, and which containers are taken beyond those that
Google names for all its models (https://ai.google.dev/gemini-api/docs/audio#supported-formats). Times would have to be
put together from those of single words: they are not asked for.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.errors import ProviderError, ProviderFault
from gateway.languages import language_name
from gateway.providers.base import Deployment
from gateway.providers.google.answers import read_parts, read_tokens
from gateway.providers.google.wire import generate_content, native, path_of
from gateway.providers.openai_compatible.wire import JSON
from gateway.providers.sse import EventReader
from gateway.types import Segment, TranscriptionAnswer, TranscriptionRequest, Usage


async def transcribe(deployment: Deployment, request: TranscriptionRequest) -> TranscriptionAnswer:
    heard = _Heard(deployment, request)
    heard.take(await generate_content(deployment, _body(request), patience=request.seconds))
    return heard.answer()


async def stream(
    deployment: Deployment, request: TranscriptionRequest
) -> AsyncGenerator[Segment | TranscriptionAnswer, None]:
    """Segments come without times."""
    upstream = native(deployment)
    path = path_of(deployment, "streamGenerateContent") + "?alt=sse"
    response = await upstream.send(path, JSON, msgspec.json.encode(_body(request)), patience=request.seconds)
    try:
        await upstream.expect_stream(response)
        events, heard = EventReader(), _Heard(deployment, request)
        async for piece in response:
            for event in events.feed(piece):
                for segment in heard.take(upstream.decode(event)):
                    yield segment
        for event in events.end():
            for segment in heard.take(upstream.decode(event)):
                yield segment
        if not heard.finished:
            raise ProviderError(ProviderFault.BROKEN, "the stream ended before the transcript did", status=200)
        yield heard.answer()
    finally:
        response.close()


class _Heard:
    """Puts together what one answer, or the events of a stream, tell. `finished`: the model came to its end."""

    def __init__(self, deployment: Deployment, request: TranscriptionRequest) -> None:
        self.finished = False
        self._deployment = deployment
        self._request = request
        self._texts: list[str] = []
        self._language = ""
        self._usage = Usage()

    def take(self, answer: dict[str, Any]) -> list[Segment]:
        """What `answer` adds."""
        if "usageMetadata" in answer:
            self._usage = read_tokens(answer)  # of all events so far
        if "candidates" not in answer and "usageMetadata" in answer and "promptFeedback" not in answer:
            return []
        found = [segment for part in read_parts(self._deployment, answer) if (segment := self._read(part))]
        self.finished = self.finished or bool(answer["candidates"][0].get("finishReason"))
        return found

    def answer(self) -> TranscriptionAnswer:
        return TranscriptionAnswer(
            text="".join(self._texts).strip(),
            language=language_name(self._language.partition("-")[0] or self._request.language or ""),
            duration=self._request.seconds,
            segments=[],
            words=[],
            usage=replace(self._usage, seconds=self._request.seconds, reported=True),
        )

    def _read(self, part: dict[str, Any]) -> Segment | None:
        told = part.get("audioTranscription")
        text = told.get("text") if isinstance(told, dict) else part.get("text")
        if isinstance(told, dict) and isinstance(code := told.get("languageCode"), str):
            self._language = self._language or code
        if not isinstance(text, str) or not text.strip():
            return None
        if self._texts and not (text[0].isspace() or self._texts[-1][-1].isspace()):
            text = f" {text}"
        self._texts.append(text)
        return Segment(text=text, start=0.0, end=0.0)


def _body(request: TranscriptionRequest) -> dict[str, Any]:
    config = {"languageCodes": [request.language]} if request.language else {}
    audio = {"mimeType": request.mime, "data": b64encode(request.audio).decode()}
    return {
        "contents": [{"role": "user", "parts": [{"inlineData": audio}]}],
        "generationConfig": {"audioTranscriptionConfig": config},
    }
