"""The engine's ears: Whisper, run by faster-whisper, which `make setup` installs unless LOCAL_AUDIO is off."""

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from gateway.languages import NAMES, language_name

# More would only take each other's turns, and each keeps its whole recording in memory: 115 MB an hour.
AT_ONCE = 2
# A file of 25 MB may be much longer than it should: silence packs well.
LONGEST_SECONDS = 2 * 3600
# What is heard at once, give or take: its analysis takes some 400 MB, and is what the first words wait for.
PIECE_SECONDS = 180
# A piece ends at the quietest moment of its last seconds, so as to cut no word.
CUT_SECONDS = 20
# More threads gain nothing on a model of this size.
MOST_THREADS = 4
SAMPLE_RATE = 16_000

Sound = NDArray[np.int16]


class NotAudio(Exception):
    """The bytes are no recording that can be decoded, or an empty one. The message is for the client."""


class TooLong(Exception):
    """The recording is longer than `LONGEST_SECONDS`. The message is for the client."""


class UnknownLanguage(Exception):
    """The model knows no language of that code. The message is for the client."""


class HeardWord(NamedTuple):
    """A word as it is written, with the space in front; `start` and `end` in seconds from the recording's start."""

    word: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class HeardSegment:
    """Some words in a row. `start` and `end` are in seconds from the recording's start.

    The rest is Whisper's own: where it began to listen, in hundredths of a second; its tokens, natural logarithms and
    probabilities. `words` is empty unless they were asked for.
    """

    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: list[HeardWord]


@dataclass(frozen=True, slots=True)
class Heard:
    """`language` is an English name in lower case, `duration` is in seconds. `segments` listens while it is read."""

    language: str
    duration: float
    segments: Iterator[HeardSegment]


def is_installed() -> bool:
    """Whether the packages of requirements-local.txt are here."""
    return find_spec("faster_whisper") is not None


class Recogniser:
    """The model in a folder, loaded when it is first needed (a second, 200 MB): most machines never hear anything.

    Threads may share it. They take turns, a window of 30 seconds at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loading = threading.Lock()
        self._loaded: Any = None

    def transcribe(
        self, audio: bytes, *, language: str | None, prompt: str | None, temperature: float | None, words: bool
    ) -> Heard:
        """What is said in `audio`, in any container and codec that FFmpeg reads.

        `language` is an ISO 639-1 code; without one, the first 30 seconds of speech decide. The transcript goes on from
        `prompt` in words and style. At a `temperature` of 0 or None, Whisper raises it by itself where it doubts.
        Closing `segments` ends the work. Raises `UnknownLanguage`, `NotAudio` and `TooLong`.
        """
        model = self._model()
        # The name of a language is no code, and some special tokens of the model are no language.
        if language and (language not in NAMES or model.hf_tokenizer.token_to_id(f"<|{language}|>") is None):
            raise UnknownLanguage(f"The model knows no language `{language}`. Use an ISO 639-1 code such as `en`.")
        sound = _decode(audio)
        # The best of five readings costs a tenth more than the first, and gets the punctuation right. Silence is taken
        # out beforehand: Whisper hears words in it that nobody said.
        options: dict[str, Any] = {
            "beam_size": 5,
            "vad_filter": True,
            "word_timestamps": words,
            "initial_prompt": prompt or None,
            **({"temperature": temperature} if temperature else {}),
        }
        pieces = _pieces(sound)
        for start, samples in pieces:
            segments, about = model.transcribe(samples, language=language, **options)
            heard = _converted(segments, start)
            if about.duration_after_vad:
                break

        def listen() -> Iterator[HeardSegment]:
            yield from heard
            for start, samples in pieces:
                yield from _converted(model.transcribe(samples, language=about.language, **options)[0], start)

        return Heard(language_name(about.language), len(sound) / SAMPLE_RATE, listen())

    def _model(self) -> Any:
        with self._loading:
            if self._loaded is None:
                # Here alone: the engine runs without it.
                from faster_whisper import WhisperModel

                threads = min(os.cpu_count() or 1, MOST_THREADS)
                self._loaded = WhisperModel(
                    str(self._folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
                )
            return self._loaded


def _converted(segments: Iterable[Any], start: float) -> Iterator[HeardSegment]:
    for segment in segments:
        # float, since numbers of NumPy are not written as JSON.
        yield HeardSegment(
            segment.seek + round(start * 100),
            round(start + float(segment.start), 2),
            round(start + float(segment.end), 2),
            segment.text,
            segment.tokens,
            segment.temperature,
            segment.avg_logprob,
            segment.compression_ratio,
            segment.no_speech_prob,
            [
                HeardWord(word.word, round(start + float(word.start), 2), round(start + float(word.end), 2))
                for word in segment.words or ()
            ],
        )


def _pieces(sound: Sound) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """The recording in pieces of about `PIECE_SECONDS`: where each starts, in seconds, and its samples from -1 to 1."""
    piece, search, tenth = PIECE_SECONDS * SAMPLE_RATE, CUT_SECONDS * SAMPLE_RATE, SAMPLE_RATE // 10
    start = 0
    while start < len(sound):
        end = len(sound)
        if end - start > piece:
            first = start + piece - search
            loudness = np.abs(sound[first : first + search].astype(np.float32)).reshape(-1, tenth).sum(axis=1)
            end = first + int(np.argmin(loudness)) * tenth + tenth // 2
        yield start / SAMPLE_RATE, sound[start:end].astype(np.float32) / np.float32(32768)
        start = end


def _decode(audio: bytes) -> Sound:
    """The first audio stream's samples, mono."""
    samples = bytearray()
    try:
        for part in _resampled(audio):
            samples += part
            if len(samples) > LONGEST_SECONDS * SAMPLE_RATE * 2:
                raise TooLong(f"The recording is longer than {LONGEST_SECONDS // 60} minutes.")
    except av.FFmpegError as error:
        # A recording that breaks off is heard as far as it goes.
        if not samples:
            raise NotAudio("The file is no audio that can be decoded.") from error
    if not samples:
        raise NotAudio("There is no sound in the file.")
    return np.frombuffer(samples, np.int16)


def _resampled(audio: bytes) -> Iterator[bytes]:
    # A playlist is a format too; what it names must be opened nowhere.
    options = {"protocol_whitelist": "none"}
    with av.open(BytesIO(audio), "r", metadata_errors="ignore", options=options) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        for stream in container.streams.audio[:1]:
            for frame in container.decode(stream):
                frame.pts = None  # gaps in the file's clock are not the resampler's business
                yield from (piece.to_ndarray().tobytes() for piece in resampler.resample(frame))
            yield from (piece.to_ndarray().tobytes() for piece in resampler.resample(None))
