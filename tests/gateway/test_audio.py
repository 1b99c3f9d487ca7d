"""What a recording is and how long it lasts, whatever its headers say."""

import asyncio
import io
import os
import random
import struct
import wave
from pathlib import Path

import av
import pytest

from gateway.audio import measuring, probe
from gateway.errors import InvalidValue, Overloaded
from tests.recordings import FORMATS, hours_of_silence, recording, shortened

HOURS = 4 * 3600
OWNER = 1
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
    return (await probe(data, at_most=HOURS, owner=OWNER)).seconds


async def refusal_of(data: bytes) -> InvalidValue:
    with pytest.raises(InvalidValue) as refused:
        await probe(data, at_most=HOURS, owner=OWNER)
    assert refused.value.param == "file"
    return refused.value


@pytest.mark.parametrize("name", FORMATS)
async def test_every_format_is_recognised_and_measured(name: str) -> None:
    found = await probe(recording(name, 3.0), at_most=HOURS, owner=OWNER)
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
    found = await probe(recording("mp4", 2.0, video=True), at_most=HOURS, owner=OWNER)
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
    assert (await probe(bare, at_most=HOURS, owner=OWNER)).mime == "audio/mpeg"


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
    monkeypatch.setattr(measuring, "METER", "/nowhere")  # nothing is started for it
    message = (await refusal_of(data)).message
    assert "no recording of a kind that is taken" in message
    assert "Send one of flac, mp3 (mpeg, mpga), mp4, m4a, ogg, wav and webm." in message


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
    found = await probe(hours_of_silence(25 << 20), at_most=60, owner=OWNER)
    assert 60 < found.seconds < 600, "it holds some sixty hours"


def tagged_flac(tags: int) -> bytes:
    """A FLAC file whose tags, all different, take FFmpeg time that grows with their square."""
    info = struct.pack(">HH6xQ16x", 4096, 4096, 44_100 << 44 | 15 << 36)
    texts = [b"%06x=v" % number for number in range(tags)]
    comment = struct.pack("<II", 0, tags) + b"".join(struct.pack("<I", len(text)) + text for text in texts)
    blocks = [(0x00, info), (0x84, comment)]
    return b"fLaC" + b"".join(bytes([kind]) + len(block).to_bytes(3, "big") + block for kind, block in blocks)


async def test_a_file_that_keeps_ffmpeg_busy_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(measuring, "CPU_SECONDS", 0)  # and one for its first five megabytes
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
    monkeypatch.setattr(measuring, "METER", "/nowhere")
    with pytest.raises(RuntimeError, match="cannot be measured"):
        await seconds_of(recording("wav", 1.0))


# --- Files that are made to look short -----------------------------------------------------------------------------


def encoded(encoder: str, muxer: str, rate: int, options: dict[str, str]) -> bytes:
    """Twelve seconds of a tone by another encoder, or with options."""
    file = io.BytesIO()
    with av.open(io.BytesIO(recording("wav", 12.0))) as source, av.open(file, "w", format=muxer) as target:
        track = target.add_stream(encoder, rate=rate, layout="mono", options=options)
        resampler = av.AudioResampler(track.format, "mono", rate, track.codec_context.frame_size or None)
        for frame in [*source.decode(audio=0), None]:
            for piece in resampler.resample(frame):
                target.mux(track.encode(piece))
        target.mux(track.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "muxer"),
    [
        *(("webm", muxer) for muxer in ("webm", "mp4", "matroska")),
        *(("vorbis", muxer) for muxer in ("webm", "mp4")),
        *(("flac", muxer) for muxer in ("matroska", "mp4")),
        *(("mp3", muxer) for muxer in ("matroska", "mp4")),
        *(("m4a", muxer) for muxer in ("matroska", "mp4")),
        ("wav", "matroska"),
    ],
)
async def test_a_container_that_says_that_packets_are_short_is_not_believed(name: str, muxer: str) -> None:
    assert await seconds_of(shortened(recording(name, 12.0), muxer)) == pytest.approx(12.0, abs=0.3)


@pytest.mark.parametrize(
    ("milliseconds", "application"),
    [*zip(["2.5", "5", "10", "20", "40", "60", "100", "120"], ["audio", "voip"] * 4, strict=True)],
)
async def test_opus_tells_its_frames_whatever_their_length(milliseconds: str, application: str) -> None:
    options = {"frame_duration": milliseconds, "application": application, "b": "16000"}
    data = encoded("libopus", "webm", 48_000, options)
    assert await seconds_of(shortened(data, "webm")) == pytest.approx(12.0, abs=0.2)


async def test_alac_tells_how_short_its_last_packet_is() -> None:
    data = encoded("alac", "ipod", 16_000, {})
    assert await seconds_of(data) == pytest.approx(12.0, abs=0.001)
    assert await seconds_of(shortened(data, "ipod")) == pytest.approx(12.0, abs=0.3)


@pytest.mark.parametrize("name", ["flac", "mp3"])
async def test_frames_that_share_a_packet_are_all_counted(name: str) -> None:
    data = shortened(recording(name, 12.0), "matroska", together=20)
    assert await seconds_of(data) == pytest.approx(12.0, abs=0.3)


async def test_of_aac_as_much_is_counted_as_its_bytes_need() -> None:
    """Twenty frames in a packet. Only a decoder could tell how many: of silence they would need far fewer bytes."""
    data = shortened(recording("m4a", 60.0), "matroska", together=20)
    assert 12.0 < await seconds_of(data) < 60.0


@pytest.mark.parametrize(("encoder", "muxer"), [("ac3", "mp4"), ("ac3", "matroska"), ("adpcm_ima_wav", "wav")])
async def test_a_codec_whose_packets_do_not_tell_is_refused(encoder: str, muxer: str) -> None:
    message = (await refusal_of(encoded(encoder, muxer, 48_000, {}))).message
    assert message.endswith("in a codec that is not taken. Send AAC, ALAC, FLAC, MP3, Opus, PCM or Vorbis.")


@pytest.mark.parametrize("name", ["flac", "ogg"])
async def test_a_tag_of_mp3_before_other_sound_does_no_harm(name: str) -> None:
    tag = b"ID3\x03\x00\x00\x00\x00\x01\x00" + bytes(128)
    found = await probe(tag + recording(name, 2.0), at_most=HOURS, owner=OWNER)
    assert (found.mime, found.extension) == MIMES[name]
    assert found.seconds == pytest.approx(2.0, abs=0.03)


async def test_tags_that_are_no_utf_8_do_no_harm() -> None:
    """As those of many programs that write WAV."""
    assert await seconds_of(recording("wav", 2.0).replace(b"Lavf", b"M\xfcll")) == pytest.approx(2.0)


# --- Turns ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def stub_meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program in the meter's place, which notes its start and its end in the file that is returned."""

    def install(work: str) -> Path:
        notes = tmp_path / "notes"
        notes.touch()
        program = tmp_path / "meter.py"
        program.write_text(
            "import os, sys, time\n"
            f"def note(what): os.write(file, f'{{what}} {{os.getpid()}}\\n'.encode())\n"
            f"file = os.open({str(notes)!r}, os.O_WRONLY | os.O_APPEND)\n"
            f"note('start')\nsys.stdin.buffer.read()\n{work}\nnote('end')\nprint(1.5)\n"
        )
        monkeypatch.setattr(measuring, "METER", program)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        return notes

    return install


def read_notes(notes: Path) -> list[tuple[str, int]]:
    return [(line.split()[0], int(line.split()[1])) for line in notes.read_text().splitlines()]


async def first_process(notes: Path) -> int:
    """As soon as there is one."""
    async with asyncio.timeout(10):
        while not (found := read_notes(notes)):  # noqa: ASYNC110  another process writes it
            await asyncio.sleep(0.01)
    return found[0][1]


FOREVER = "time.sleep(600)"


async def test_recordings_of_one_owner_are_measured_one_after_another(stub_meter) -> None:
    notes = stub_meter("time.sleep(0.05)")
    data = recording("wav", 1.0)
    assert await asyncio.gather(*(seconds_of(data) for _ in range(3))) == [1.5] * 3
    assert [what for what, _ in read_notes(notes)] == ["start", "end"] * 3


async def test_others_do_not_wait_for_an_owner_of_many_recordings(stub_meter) -> None:
    notes = stub_meter(FOREVER)
    data = recording("wav", 1.0)
    many = [asyncio.create_task(seconds_of(data)) for _ in range(5)]
    await first_process(notes)
    stub_meter("")
    assert (await probe(data, at_most=HOURS, owner=2)).seconds == 1.5
    for task in many:
        task.cancel()
    await asyncio.gather(*many, return_exceptions=True)


async def test_who_waits_too_long_for_a_turn_is_told_to_come_again(stub_meter, monkeypatch) -> None:
    notes = stub_meter(FOREVER)
    monkeypatch.setattr(measuring, "LONGEST_WAIT", 0.05)
    data = recording("wav", 1.0)
    first = asyncio.create_task(seconds_of(data))
    pid = await first_process(notes)
    with pytest.raises(Overloaded) as refused:
        await seconds_of(data)
    assert refused.value.retry_after == measuring.RETRY_AFTER
    # Who leaves takes the process along, and gives up the turn.
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    stub_meter("")
    assert await seconds_of(data) == 1.5


async def test_a_machine_that_is_too_busy_is_no_fault_of_the_file(stub_meter, monkeypatch) -> None:
    stub_meter(FOREVER)
    monkeypatch.setattr(measuring, "PATIENCE", 0.3)
    with pytest.raises(Overloaded):
        await seconds_of(recording("wav", 1.0))


async def test_a_process_that_the_system_ends_is_no_fault_of_the_file(stub_meter) -> None:
    stub_meter("os.kill(os.getpid(), 9)")
    with pytest.raises(Overloaded):
        await seconds_of(recording("wav", 1.0))
