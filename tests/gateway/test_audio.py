"""What a recording is and how long it lasts, whatever its headers say."""

import asyncio
import io
import random
import struct
import wave
from pathlib import Path

import pytest

from gateway import audio
from gateway.audio import probe
from gateway.errors import InvalidValue
from tests.recordings import FORMATS, hours_of_silence, recording

HOURS = 4 * 3600
GARBAGE = random.Random(1).randbytes(5000)
SENTENCE = Path(__file__).parents[1] / "audio/sentence.flac"
MIMES = {
    "flac": ("audio/flac", "flac"),
    "mp3": ("audio/mpeg", "mp3"),
    "mp4": ("audio/mp4", "mp4"),
    "m4a": ("audio/mp4", "m4a"),
    "ogg": ("audio/ogg", "ogg"),
    "vorbis": ("audio/ogg", "ogg"),
    "wav": ("audio/wav", "wav"),
    "webm": ("audio/webm", "webm"),
}


async def seconds_of(data: bytes) -> float:
    return (await probe(data, at_most=HOURS)).seconds


async def refusal_of(data: bytes) -> InvalidValue:
    with pytest.raises(InvalidValue) as refused:
        await probe(data, at_most=HOURS)
    assert refused.value.param == "file"
    assert "flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav and webm" in refused.value.message
    return refused.value


@pytest.mark.parametrize("name", FORMATS)
async def test_every_format_is_recognised_and_measured(name: str) -> None:
    found = await probe(recording(name, 3.0), at_most=HOURS)
    assert (found.mime, found.extension) == MIMES[name]
    assert found.seconds == pytest.approx(3.0, abs=0.03)


async def test_a_real_sentence_is_measured() -> None:
    assert await seconds_of(SENTENCE.read_bytes()) == pytest.approx(5.3)


async def test_the_padding_of_encoders_is_nobodys_sound() -> None:
    """30 seconds are three units of ten, not four."""
    for name in ("mp3", "m4a"):
        assert await seconds_of(recording(name, 30.0)) <= 30.0


async def test_a_browsers_recording_without_a_length_is_measured() -> None:
    """MediaRecorder writes as it goes: no duration, no index, clusters without a size."""
    live = recording("webm", 2.0, options={"live": "1"})
    assert await seconds_of(live) == pytest.approx(2.0, abs=0.03)


async def test_the_sound_of_a_film_is_measured() -> None:
    found = await probe(recording("mp4", 2.0, video=True), at_most=HOURS)
    assert (found.mime, found.seconds) == ("audio/mp4", pytest.approx(2.0, abs=0.03))


@pytest.mark.parametrize("claimed", [0, 0x7FFFFFF0, 0xFFFFFFFF])
async def test_a_wave_header_that_lies_of_its_length_is_not_believed(claimed: int) -> None:
    data = bytearray(recording("wav", 2.0))
    at = data.index(b"data") + 4
    data[at : at + 4] = claimed.to_bytes(4, "little")
    assert await seconds_of(bytes(data)) == pytest.approx(2.0, abs=0.01)


async def test_an_index_that_says_that_packets_are_short_is_not_believed() -> None:
    """An MP4 of 20 seconds that says that each of its packets lasts one tick."""
    data = recording("m4a", 20.0)
    at = data.index(b"stts")
    shortened = bytearray(data)
    entries = struct.unpack(">I", data[at + 8 : at + 12])[0]
    for entry in range(entries):
        place = at + 16 + 8 * entry
        shortened[place : place + 4] = (1).to_bytes(4, "big")
    assert await seconds_of(bytes(shortened)) > 18


async def test_tags_before_the_sound_do_no_harm() -> None:
    frames = recording("mp3", 2.0)
    size = bytes([*(30_000 >> shift & 0x7F for shift in (21, 14, 7, 0))])
    assert await seconds_of(b"ID3\x04\x00\x00" + size + bytes(30_000) + frames) == pytest.approx(2.0, abs=0.06)
    bare = frames[frames.index(b"\xff\xfb") :]
    assert (await probe(bare, at_most=HOURS)).mime == "audio/mpeg"


async def test_a_recording_that_was_cut_off_is_measured_as_far_as_it_goes() -> None:
    data = recording("mp3", 4.0)
    assert await seconds_of(data[: len(data) // 2]) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
        b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/secret\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(100),
        b"\xff\xf1\x50\x80" + bytes(100),  # AAC without a container
        b"just some words",
    ],
    ids=["empty", "short", "playlist", "playlist of addresses", "concat", "svg", "png", "webp", "adts", "text"],
)
async def test_what_is_no_recording_is_refused_by_its_first_bytes(data: bytes, monkeypatch) -> None:
    monkeypatch.setattr(audio, "METER", "/nowhere")  # nothing is started for it
    assert "no recording of a kind that is taken" in (await refusal_of(data)).message


@pytest.mark.parametrize(
    "data",
    [
        b"fLaC" + GARBAGE,
        b"OggS" + GARBAGE,
        b"ID3" + GARBAGE,
        b"\xff\xfb\x90" + GARBAGE,
        b"\x1aE\xdf\xa3" + GARBAGE,
        b"\x00\x00\x00\x18ftypM4A " + GARBAGE,
        b"RIFF\x00\x00\x00\x00WAVE" + GARBAGE,
        b"ID3\x04\x00\x00\x00\x00\x00\x00#EXTM3U\nfile:///etc/passwd",
    ],
    ids=["flac", "ogg", "id3", "mp3", "webm", "mp4", "wav", "playlist behind a tag"],
)
async def test_garbage_behind_the_right_first_bytes_is_refused(data: bytes) -> None:
    assert "no sound" in (await refusal_of(data)).message


async def test_a_film_without_sound_and_a_recording_of_nothing_are_refused() -> None:
    assert "no sound" in (await refusal_of(recording("mp4", 1.0, sound=False, video=True))).message
    empty = io.BytesIO()
    with wave.open(empty, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
    assert "no sound" in (await refusal_of(empty.getvalue())).message


async def test_hours_of_silence_in_25_mb_are_measured_up_to_the_limit_only() -> None:
    found = await probe(hours_of_silence(25 << 20), at_most=60)
    assert 60 < found.seconds < 600, "it holds some sixty hours"


def tagged_flac(tags: int) -> bytes:
    """A FLAC file whose tags, all different, take FFmpeg time that grows with their square."""
    info = struct.pack(">HH6xQ16x", 4096, 4096, 44_100 << 44 | 15 << 36)
    texts = [b"%06x=v" % number for number in range(tags)]
    comment = struct.pack("<II", 0, tags) + b"".join(struct.pack("<I", len(text)) + text for text in texts)
    blocks = [(0x00, info), (0x84, comment)]
    return b"fLaC" + b"".join(bytes([kind]) + len(block).to_bytes(3, "big") + block for kind, block in blocks)


async def test_a_file_that_keeps_ffmpeg_busy_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(audio, "CPU_SECONDS", 1)
    assert "no sound" in (await refusal_of(tagged_flac(200_000))).message


async def test_an_index_that_would_fill_the_memory_is_given_up() -> None:
    data = bytearray(recording("m4a", 1.0))
    for box, offset in ((b"stsz", 12), (b"stsc", 16), (b"stts", 12)):
        at = data.index(box) + offset
        data[at : at + 4] = (60_000_000).to_bytes(4, "big")
    at = data.index(b"stsz") + 8
    data[at : at + 4] = (1).to_bytes(4, "big")  # each sample has one byte, so that no list of sizes follows
    assert "no sound" in (await refusal_of(bytes(data))).message


async def test_a_meter_that_does_not_work_is_no_fault_of_the_file(monkeypatch) -> None:
    monkeypatch.setattr(audio, "METER", "/nowhere")
    with pytest.raises(RuntimeError, match="cannot be measured"):
        await probe(recording("wav", 1.0), at_most=HOURS)


async def test_several_are_measured_at_once() -> None:
    lengths = await asyncio.gather(*(seconds_of(recording("wav", 1.0 + number)) for number in range(3)))
    assert lengths == pytest.approx([1.0, 2.0, 3.0])
