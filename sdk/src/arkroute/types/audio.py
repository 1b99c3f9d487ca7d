from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from arkroute.types.record import PaidAnswer, Record


class Word(Record):
    """`start` and `end` are seconds from the beginning."""

    __slots__ = ()

    word: str
    start: float
    end: float


class Segment(Record):
    __slots__ = ()

    id: int
    start: float
    end: float
    text: str


class Transcription(PaidAnswer):
    __slots__ = ()

    text: str
    usage: Record | None


class VerboseTranscription(Transcription):
    """With times. `duration` is in seconds; `words` are there with the granularity `word`."""

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"words": Word, "segments": Segment}

    language: str
    duration: float
    words: list[Word] | None
    segments: list[Segment] | None


class TranscriptionEvent(Record):
    """A piece of a transcript, by its `type`: `transcript.text.delta`, or `transcript.text.done` with all `text`."""

    __slots__ = ()

    type: str
    delta: str | None
    text: str | None
    usage: Record | None
