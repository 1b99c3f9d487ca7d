"""`client.audio.transcriptions`: speech written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, overload

from arkroute.http.call import Call, paid_form
from arkroute.http.exchange import AsyncExchange, Exchange
from arkroute.http.files import FileInput, read_file
from arkroute.http.options import PaidOptions
from arkroute.http.streams import AsyncStream, Stream
from arkroute.resources.resource import AsyncResource, Resource, parse
from arkroute.types import TextAnswer, Transcription, TranscriptionEvent, VerboseTranscription

if TYPE_CHECKING:
    import httpx
    from typing_extensions import Unpack

# A path may be a text here.
Recording = Union[str, FileInput]
TEXTS = ("text", "srt", "vtt")
TextFormat = Literal["text", "srt", "vtt"]


class TranscriptionParameters(PaidOptions, total=False):
    # Of the speech, as ISO 639-1: "en".
    language: str
    # Names and words to expect.
    prompt: str
    # 0 to 1.
    temperature: float
    # With "verbose_json".
    timestamp_granularities: list[Literal["word", "segment"]]


class Transcriptions(Resource):
    @overload
    def create(
        self,
        *,
        model: str,
        file: Recording,
        response_format: Literal["json"] = "json",
        stream: Literal[False] = False,
        **parameters: Unpack[TranscriptionParameters],
    ) -> Transcription: ...
    @overload
    def create(
        self,
        *,
        model: str,
        file: Recording,
        response_format: Literal["verbose_json"],
        stream: Literal[False] = False,
        **parameters: Unpack[TranscriptionParameters],
    ) -> VerboseTranscription: ...
    @overload
    def create(
        self,
        *,
        model: str,
        file: Recording,
        response_format: TextFormat,
        stream: Literal[False] = False,
        **parameters: Unpack[TranscriptionParameters],
    ) -> TextAnswer: ...
    @overload
    def create(
        self,
        *,
        model: str,
        file: Recording,
        response_format: Literal["json"] = "json",
        stream: Literal[True],
        **parameters: Unpack[TranscriptionParameters],
    ) -> Stream[TranscriptionEvent]: ...
    def create(
        self, *, model: str, file: Recording, response_format: str = "json", stream: bool = False, **parameters: Any
    ) -> Transcription | TextAnswer | Stream[TranscriptionEvent]:
        """What is said in a recording of up to 25 MB: a path, bytes or an open file.

        `text`, `srt` and `vtt` answer a `str`; `verbose_json` has times. With `stream` it comes as it is heard.
        """
        call = _call(model, file, response_format, stream, parameters)
        response = self._exchange.send(call, stream=stream)
        return Stream(response, TranscriptionEvent) if stream else _transcript(response, response_format)


class Audio:
    def __init__(self, exchange: Exchange) -> None:
        self.transcriptions = Transcriptions(exchange)


class AsyncTranscriptions(AsyncResource):
    @overload
    async def create(
        self,
        *,
        model: str,
        file: Recording,
        response_format: Literal["json"] = "json",
        stream: Literal[False] = False,
        **parameters: Unpack[TranscriptionParameters],
    ) -> Transcription: ...
    @overload
    async def create(
        self,
        *,
        model: str,
        file: Recording,
        response_format: Literal["verbose_json"],
        stream: Literal[False] = False,
        **parameters: Unpack[TranscriptionParameters],
    ) -> VerboseTranscription: ...
    @overload
    async def create(
        self,
        *,
        model: str,
        file: Recording,
        response_format: TextFormat,
        stream: Literal[False] = False,
        **parameters: Unpack[TranscriptionParameters],
    ) -> TextAnswer: ...
    @overload
    async def create(
        self,
        *,
        model: str,
        file: Recording,
        response_format: Literal["json"] = "json",
        stream: Literal[True],
        **parameters: Unpack[TranscriptionParameters],
    ) -> AsyncStream[TranscriptionEvent]: ...
    async def create(
        self, *, model: str, file: Recording, response_format: str = "json", stream: bool = False, **parameters: Any
    ) -> Transcription | TextAnswer | AsyncStream[TranscriptionEvent]:
        """As `Transcriptions.create`."""
        call = _call(model, file, response_format, stream, parameters)
        response = await self._exchange.send(call, stream=stream)
        return AsyncStream(response, TranscriptionEvent) if stream else _transcript(response, response_format)


class AsyncAudio:
    def __init__(self, exchange: AsyncExchange) -> None:
        self.transcriptions = AsyncTranscriptions(exchange)


def _call(model: str, file: Recording, response_format: str, stream: bool, parameters: dict[str, Any]) -> Call:
    upload = read_file(Path(file) if isinstance(file, str) else file, "recording")
    granularities = parameters.pop("timestamp_granularities", None)
    fields = {
        "model": model,
        "response_format": response_format,
        "stream": stream or None,
        # The name that OpenAI's form has for a list.
        "timestamp_granularities[]": granularities,
        **parameters,
    }
    return paid_form("/audio/transcriptions", fields, [("file", upload)])


def _transcript(response: httpx.Response, response_format: str) -> Transcription | TextAnswer:
    if response_format in TEXTS:
        return TextAnswer(response)
    return parse(response, VerboseTranscription if response_format == "verbose_json" else Transcription)
