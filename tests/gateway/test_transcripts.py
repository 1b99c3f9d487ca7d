"""A transcript in OpenAI's five formats."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcripts import render, srt_time, vtt_time
from gateway.types import Segment, SpokenWord, TranscriptionAnswer, TranscriptionRequest, Usage

SEGMENTS = [
    Segment(" It is late.", 0.0, 1.5, seek=0, tokens=(1, 2), avg_logprob=-0.2, compression_ratio=1.1),
    Segment(" We should  go,\n\nnow.", 1.5, 3661.0405),
]
WORDS = [SpokenWord("It", 0.0, 0.4), SpokenWord("is", 0.4, 0.6)]


def shown(style: str, heard: list[Segment] = SEGMENTS, **request: Any) -> Any:
    answer = TranscriptionAnswer(
        text="It is late. We should go, now.",
        language="english",
        duration=3661.04,
        segments=heard,
        words=WORDS,
        usage=Usage(seconds=3661.041),
    )
    asked = TranscriptionRequest(model="m", audio=b"", filename="a.wav", seconds=3661.041, format=style, **request)
    return render(answer, asked)


def test_json_is_the_text_and_what_it_is_charged_by() -> None:
    usage = {"type": "duration", "seconds": 3661.041}
    assert shown("json") == {"text": "It is late. We should go, now.", "usage": usage}


def test_text_ends_with_a_line_break() -> None:
    assert shown("text") == "It is late. We should go, now.\n"


def test_srt_numbers_its_cues() -> None:
    assert shown("srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nIt is late.\n\n2\n00:00:01,500 --> 01:01:01,040\nWe should go, now.\n"
    )


def test_vtt_begins_with_its_name() -> None:
    assert shown("vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nIt is late.\n\n00:00:01.500 --> 01:01:01.040\nWe should go, now.\n"
    )


@pytest.mark.parametrize(
    ("words", "segments", "keys"),
    [
        (False, True, {"segments"}),
        (True, False, {"words"}),
        (True, True, {"words", "segments"}),
    ],
)
def test_verbose_json_tells_the_times_that_were_asked_for(words: bool, segments: bool, keys: set[str]) -> None:
    verbose = shown("verbose_json", words=words, segments=segments)
    assert set(verbose) == {"task", "language", "duration", "text", "usage"} | keys
    assert (verbose["task"], verbose["language"], verbose["duration"]) == ("transcribe", "english", 3661.04)
    if words:
        assert verbose["words"][0] == {"word": "It", "start": 0.0, "end": 0.4}
    if segments:
        assert verbose["segments"][0] == {
            **{"id": 0, "seek": 0, "start": 0.0, "end": 1.5, "text": " It is late.", "tokens": [1, 2]},
            **{"temperature": 0.0, "avg_logprob": -0.2, "compression_ratio": 1.1, "no_speech_prob": 0.0},
        }
        assert verbose["segments"][1]["id"] == 1


def test_what_would_end_a_cue_or_begin_a_tag_is_escaped() -> None:
    tricky = [Segment(" a --> b & <b>c</b>", 0.0, 1.0)]
    assert "\na -> b & <b>c</b>\n" in shown("srt", tricky)
    assert "\na --&gt; b &amp; &lt;b&gt;c&lt;/b&gt;\n" in shown("vtt", tricky)


def test_segments_that_say_nothing_are_no_cues() -> None:
    assert shown("srt", [Segment("  ", 0.0, 1.0), Segment("Yes.", 1.0, 2.0)]).startswith("1\n00:00:01,000")


def test_a_text_without_times_is_one_cue() -> None:
    assert shown("srt", []) == "1\n00:00:00,000 --> 01:01:01,040\nIt is late. We should go, now.\n"


TIME = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)[,.](\d{3})", re.ASCII)


@given(st.integers(0, 400 * 3600 * 1000))
def test_a_time_reads_back_as_itself(milliseconds: int) -> None:
    for text, point in ((srt_time(milliseconds), ","), (vtt_time(milliseconds), ".")):
        assert text[-4] == point
        hours, minutes, seconds, thousandths = map(int, TIME.fullmatch(text).groups())
        assert ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths == milliseconds


@given(st.floats(0, 100_000), st.floats(0, 100), st.text(max_size=40))
def test_every_cue_has_one_arrow_in_it_and_lasts(start: float, length: float, text: str) -> None:
    for style in ("srt", "vtt"):
        found = shown(style, [Segment(f"x{text}", start, start + length)])
        assert found.count("-->") == 1
        assert "\n\n" not in found.removeprefix("WEBVTT\n\n")
        first, second = re.findall(r"\d{2,}:\d\d:\d\d[,.]\d{3}", found.partition(" x")[0].partition("\nx")[0])
        assert first < second
        assert abs(_seconds(first) - start) <= 0.0005 + 1e-9


def _seconds(text: str) -> float:
    hours, minutes, seconds, thousandths = map(int, TIME.fullmatch(text).groups())
    return (hours * 60 + minutes) * 60 + seconds + thousandths / 1000
