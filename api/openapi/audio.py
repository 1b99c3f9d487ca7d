"""Transcription."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from api.openapi import headers
from api.openapi.chat import Credits
from api.openapi.errors import OF_CALL
from api.openapi.operation import EVENTS, FORM, JSON, TEXT, Answer, Content, Operation, stream_of
from gateway.requests.transcriptions import TranscriptionBody

Moment = Annotated[float, Meta(description="Seconds from the beginning.")]


class TranscriptionForm(TranscriptionBody, kw_only=True):
    """`timestamp_granularities` is also read as `timestamp_granularities[]`."""

    file: Annotated[
        str,
        Meta(
            description="The recording, as a file of up to 25 MB: flac, m4a, mp3, mp4, ogg, wav, webm, …",
            extra_json_schema={"format": "binary", "contentMediaType": "audio/*"},
        ),
    ]


class TranscriptUsage(Struct):
    type: Literal["duration"]
    seconds: Annotated[float, Meta(description="The recording's length, as it was measured.")]


class TranscriptStreamUsage(TranscriptUsage, kw_only=True):
    credits: Credits


class Transcript(Struct):
    text: str
    usage: TranscriptUsage


class TranscriptWord(Struct):
    word: str
    start: Moment
    end: Moment


class TranscriptSegment(Struct):
    id: int
    seek: int
    start: Moment
    end: Moment
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscript(Struct):
    task: Literal["transcribe"]
    language: str
    duration: Annotated[float, Meta(description="Seconds, as the model heard them.")]
    text: str
    usage: TranscriptUsage
    words: Annotated[list[TranscriptWord] | UnsetType, Meta(description="With the granularity `word`.")] = UNSET
    segments: Annotated[list[TranscriptSegment] | UnsetType, Meta(description="Unless only words were asked for.")] = (
        UNSET
    )


class TranscriptDelta(Struct):
    type: Literal["transcript.text.delta"]
    delta: Annotated[str, Meta(description="What was heard next.")]


class TranscriptDone(Struct):
    type: Literal["transcript.text.done"]
    text: Annotated[str, Meta(description="All of it.")]
    usage: TranscriptStreamUsage


_TRANSCRIPT = {"text": "Good morning, everybody.", "usage": {"type": "duration", "seconds": 2.4}}
_SUBTITLES = "1\n00:00:00,000 --> 00:00:02,400\nGood morning, everybody.\n"
_STREAM = """\
data: {"type":"transcript.text.delta","delta":"Good morning, everybody."}

data: {"type":"transcript.text.done","text":"Good morning, everybody.","usage":{"type":"duration","seconds":2.4,\
"credits":0.1}}

"""

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/audio/transcriptions",
        id="createTranscription",
        tag="Audio",
        summary="Write down a recording",
        description=(
            "The formats `json` and `verbose_json` are answered as JSON, `text`, `srt` and `vtt` as plain text. The "
            "price is for every ten seconds of the recording that are begun."
        ),
        parameters=("IdempotencyKey", "MaxCredits", "SessionCookie", "ClientRequestId"),
        body={FORM: Content(TranscriptionForm, {"without the file": {"model": "gpt-transcribe"}})},
        answers={
            200: Answer(
                "The transcript; with `stream` its pieces.",
                {
                    JSON: Content((Transcript, VerboseTranscript), {"json": _TRANSCRIPT}),
                    TEXT: Content({"type": "string"}, {"srt": _SUBTITLES}),
                    EVENTS: stream_of(TranscriptDelta, TranscriptDone, example=_STREAM),
                },
                headers.OF_MODEL,
            )
        },
        errors=("BadRequest", "InvalidParameters", "KeyInUse", *OF_CALL),
    ),
)
