"""Recordings: what a file is by its first bytes, and how long it lasts.

Belongs here: the containers that OpenAI's API takes. Does not: what is said in them (gateway.providers).
"""

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from gateway.errors import InvalidValue

TAKEN = "flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav and webm"
METER = Path(__file__).with_name("meter.py")
# Of the process that measures one recording. Four hours in packets of 20 ms take some 4 seconds and 100 MB.
CPU_SECONDS = 20
MEMORY_BYTES = 256 * 1024 * 1024
NOTHING_TO_HEAR = 3  # the exit code of `meter.py`
# Wall-clock seconds, where the machine is busy.
PATIENCE = 60
# Processes at once; the others wait for their turn.
_METERS = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="audio-meter")


class Audio(Struct, frozen=True):
    """A recording: its media type, the extension of its file, and its length in seconds."""

    mime: str
    extension: str
    seconds: float


class Container(Struct, frozen=True):
    """`demuxer` is FFmpeg's name of it."""

    demuxer: str
    mime: str
    extension: str


FLAC = Container("flac", "audio/flac", "flac")
MP3 = Container("mp3", "audio/mpeg", "mp3")
MP4 = Container("mp4", "audio/mp4", "mp4")
M4A = Container("mp4", "audio/mp4", "m4a")
OGG = Container("ogg", "audio/ogg", "ogg")
WAV = Container("wav", "audio/wav", "wav")
WEBM = Container("matroska", "audio/webm", "webm")


async def probe(data: bytes, *, at_most: float) -> Audio:
    """What `data` is. A recording longer than `at_most` seconds is measured up to there only.

    Nothing is decoded. Raises `InvalidValue` for what is no recording of a kind that is taken, or an empty one.
    """
    container = sniff(data)
    if container is None:
        raise _refusal("is no recording of a kind that is taken")
    seconds = await asyncio.get_running_loop().run_in_executor(_METERS, _measure, data, container, at_most)
    if not seconds:
        raise _refusal("holds no sound that can be read")
    return Audio(mime=container.mime, extension=container.extension, seconds=seconds)


def sniff(data: bytes) -> Container | None:
    """The container that the first bytes show. A playlist, which is a text, is none."""
    match data[:4]:
        case b"fLaC":
            return FLAC
        case b"OggS":
            return OGG
        case b"\x1aE\xdf\xa3":
            return WEBM
        case b"RIFF" if data[8:12] == b"WAVE":
            return WAV
    if data[4:8] == b"ftyp":
        return M4A if data[8:11] == b"M4A" else MP4
    if data[:3] == b"ID3" or _is_mpeg_audio(data[:3]):
        return MP3
    return None


def _is_mpeg_audio(head: bytes) -> bool:
    """Whether a frame of MPEG audio begins here: its sync word, then no reserved version, layer, bit or sample rate.

    Layer 0 is reserved there, and what AAC's own frames (ADTS) have.
    """
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bit_rate, sample_rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate not in (0, 15) and sample_rate != 3


def _measure(data: bytes, container: Container, at_most: float) -> float:
    """Seconds; 0 where there is nothing to hear, or no end to the reading."""
    command = [sys.executable, "-I", str(METER), container.demuxer, str(at_most), str(CPU_SECONDS), str(MEMORY_BYTES)]
    try:
        meter = subprocess.run(  # noqa: S603  the command is our own
            command,
            input=data,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            start_new_session=True,  # a terminal's Ctrl-C is for the server, which lets its requests end
        )
    except subprocess.TimeoutExpired:
        return 0.0
    if meter.returncode == 0:
        return float(meter.stdout)
    if meter.returncode == NOTHING_TO_HEAR or meter.returncode < 0:  # a signal: it went beyond its limits
        return 0.0
    raise RuntimeError(f"recordings cannot be measured: {meter.stderr.decode(errors='replace')[-500:]}")


def _refusal(what: str) -> InvalidValue:
    return InvalidValue(f"`file` {what}. Send one of {TAKEN}.", param="file")
