"""A transcript in the formats of OpenAI's API: `json`, `verbose_json`, `text`, `srt` and `vtt`.

Sources: https://platform.openai.com/docs/api-reference/audio (the JSON objects), https://www.w3.org/TR/webvtt1/ (vtt),
https://docs.fileformat.com/video/srt/ (srt).
"""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from gateway.types import Segment, TranscriptionAnswer, TranscriptionRequest

# Some readers drop a cue that ends where it begins. Milliseconds.
SHORTEST_CUE = 1


def render(answer: TranscriptionAnswer, request: TranscriptionRequest) -> dict[str, Any] | str:
    """The transcript in the request's format: an object for JSON, else the text of the body."""
    return FORMATS[request.format](answer, request)


def usage(request: TranscriptionRequest) -> dict[str, Any]:
    """OpenAI's `usage` of a transcription that is paid by its length."""
    return {"type": "duration", "seconds": request.seconds}


def _json(answer: TranscriptionAnswer, request: TranscriptionRequest) -> dict[str, Any]:
    return {"text": answer.text, "usage": usage(request)}


def _verbose_json(answer: TranscriptionAnswer, request: TranscriptionRequest) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "task": "transcribe",
        "language": answer.language,
        "duration": answer.duration,
        "text": answer.text,
    }
    if request.words:
        rendered["words"] = [{"word": one.word, "start": one.start, "end": one.end} for one in answer.words]
    if request.segments:
        rendered["segments"] = [_segment(number, one) for number, one in enumerate(answer.segments)]
    rendered["usage"] = usage(request)
    return rendered


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": segment.seek,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _text(answer: TranscriptionAnswer, request: TranscriptionRequest) -> str:
    return f"{answer.text}\n"


def _srt(answer: TranscriptionAnswer, request: TranscriptionRequest) -> str:
    blocks = [
        f"{number}\n{srt_time(cue.start)} --> {srt_time(cue.end)}\n{cue.text.replace('-->', '->')}\n"
        for number, cue in enumerate(_cues(answer), 1)
    ]
    return "\n".join(blocks)


def _vtt(answer: TranscriptionAnswer, request: TranscriptionRequest) -> str:
    blocks = [f"{vtt_time(cue.start)} --> {vtt_time(cue.end)}\n{_escape_vtt(cue.text)}\n" for cue in _cues(answer)]
    return "\n".join(["WEBVTT\n", *blocks])


def _escape_vtt(text: str) -> str:
    """Without what would begin a tag or an entity, or end the cue."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Cue(Struct, frozen=True):
    """A line of subtitles. `start` and `end` are milliseconds."""

    text: str
    start: int
    end: int


def _cues(answer: TranscriptionAnswer) -> Iterator[Cue]:
    """One cue for each segment that says something; one for all where the provider told no times."""
    segments = answer.segments or [Segment(text=answer.text, start=0.0, end=answer.duration)]
    for segment in segments:
        # An empty line would end the cue.
        if text := " ".join(segment.text.split()):
            start = milliseconds(segment.start)
            yield Cue(text, start, max(milliseconds(segment.end), start + SHORTEST_CUE))


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def srt_time(time: int) -> str:
    """Milliseconds as `01:02:03,004`."""
    return _clock(time, ",")


def vtt_time(time: int) -> str:
    """Milliseconds as `01:02:03.004`."""
    return _clock(time, ".")


def _clock(time: int, point: str) -> str:
    seconds, thousandths = divmod(time, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"


FORMATS: dict[str, Callable[[TranscriptionAnswer, TranscriptionRequest], dict[str, Any] | str]] = {
    "json": _json,
    "verbose_json": _verbose_json,
    "text": _text,
    "srt": _srt,
    "vtt": _vtt,
}
