"""The engine's ears: the real Whisper model on a real sentence (tests/audio/README.md says whose)."""

import dataclasses
import io
import json
import os
import re
import wave
from itertools import pairwise
from pathlib import Path

import av
import pytest
from PIL import Image

from arkroute.engine import speech
from arkroute.engine.speech import Heard, HeardSegment, NotAudio, Recogniser, TooLong, UnknownLanguage
from tests.models import models_folder

AUDIO = Path(__file__).resolve().parents[1] / "audio"
SENTENCE = (AUDIO / "sentence.flac").read_bytes()
SECONDS = 5.3


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(models_folder() / "whisper-base")


def hear(recogniser: Recogniser, audio: bytes, *, language: str | None = "en", words: bool = False) -> Heard:
    return recogniser.transcribe(audio, language=language, prompt=None, temperature=None, words=words)


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def heard_words(segments: list[HeardSegment]) -> list[str]:
    return words_of("".join(segment.text for segment in segments))


SPOKEN = words_of((AUDIO / "sentence.txt").read_text())


def samples() -> bytes:
    """The sentence's samples, 16 bits each, 16,000 a second."""
    with av.open(io.BytesIO(SENTENCE), "r") as container:
        return b"".join(frame.to_ndarray().tobytes() for frame in container.decode(audio=0))


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * 16_000) * 2)


def wav(content: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(content)
    return file.getvalue()


def test_a_sentence_is_heard_and_its_language_found(recogniser):
    heard = hear(recogniser, SENTENCE, language=None)
    segments = list(heard.segments)

    assert heard.language == "english"
    assert heard.duration == pytest.approx(SECONDS, abs=0.1)
    assert len(set(heard_words(segments)) & set(SPOKEN)) >= len(set(SPOKEN)) - 1
    for segment in segments:
        assert 0 <= segment.start < segment.end <= SECONDS
        assert segment.words == []
        assert segment.tokens
        assert segment.avg_logprob < 0
        assert 0 <= segment.no_speech_prob < 0.6
    assert json.dumps([dataclasses.asdict(segment) for segment in segments])


def test_words_come_in_order_with_their_times(recogniser):
    (segment,) = hear(recogniser, SENTENCE, words=True).segments
    words = segment.words

    assert "".join(word.word for word in words) == segment.text
    assert len(words) >= len(SPOKEN) - 2
    assert all(word.start <= word.end for word in words)
    assert all(one.end <= next_one.start for one, next_one in pairwise(words))
    assert segment.start <= words[0].start
    assert words[-1].end <= segment.end


def test_nothing_is_heard_in_silence(recogniser):
    heard = hear(recogniser, wav(silence(4)), language=None)
    assert list(heard.segments) == []
    assert heard.duration == pytest.approx(4)


def test_a_long_recording_is_heard_piece_by_piece_and_no_word_is_cut(recogniser, monkeypatch):
    monkeypatch.setattr(speech, "PIECE_SECONDS", 9)
    monkeypatch.setattr(speech, "CUT_SECONDS", 6)
    heard = hear(recogniser, wav(samples() + silence(2) + samples()), language=None, words=True)
    first, *others = heard.segments

    assert heard.duration == pytest.approx(2 * SECONDS + 2, abs=0.1)
    assert len(heard_words([first, *others])) == pytest.approx(2 * len(SPOKEN), abs=2)
    assert first.end < SECONDS + 1
    second = others[0]
    assert SECONDS + 1 < second.start <= second.words[0].start
    assert second.seek > 500
    assert others[-1].end <= heard.duration


def test_what_is_closed_listens_no_further(recogniser, monkeypatch):
    monkeypatch.setattr(speech, "PIECE_SECONDS", 9)
    monkeypatch.setattr(speech, "CUT_SECONDS", 6)
    segments = hear(recogniser, wav(samples() + silence(2) + samples())).segments
    next(segments)
    segments.close()
    assert list(segments) == []


def test_a_recording_that_breaks_off_is_heard_as_far_as_it_goes(recogniser):
    heard = hear(recogniser, SENTENCE[: len(SENTENCE) // 2])
    assert 2 < heard.duration < 3
    assert heard_words(list(heard.segments))[:4] == SPOKEN[:4]


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        os.urandom(20_000),
        b"Unless to be rather cold hearted",
        picture(),
        wav(b""),
        b"ffconcat version 1.0\nfile 'sentence.flac'\n",
    ],
    ids=["nothing", "noise", "text", "a picture", "no sound", "a list of files"],
)
def test_what_is_no_audio_is_refused(recogniser, content, monkeypatch):
    monkeypatch.chdir(AUDIO)  # where the listed file is
    with pytest.raises(NotAudio):
        hear(recogniser, content)


@pytest.mark.parametrize("language", ["xx", "english", "translate", "yue"])
def test_a_language_that_the_model_does_not_know_is_refused(recogniser, language):
    with pytest.raises(UnknownLanguage, match=f"`{language}`"):
        hear(recogniser, SENTENCE, language=language)


def test_a_recording_that_is_too_long_is_refused_before_it_is_heard(recogniser, monkeypatch):
    monkeypatch.setattr(speech, "LONGEST_SECONDS", 3)
    with pytest.raises(TooLong):
        hear(recogniser, SENTENCE)
