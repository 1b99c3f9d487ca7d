"""Clips of the painter's films, encoded: MP4 files of exactly the length asked for, that browsers play at once.

H.264 as every browser takes it, the file's index before its pictures; where sound is wanted, a quiet chord in AAC.
"""

from __future__ import annotations  # an `array[float]` is no type to Python 3.11

import re
from array import array
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from math import pi, sin

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from gateway.providers.painter.film import Film
from gateway.providers.painter.planes import Planes
from gateway.providers.sandbox.images import NOTE

FRAMES_PER_SECOND = 24
# Pixels of the longer side: a stand-in is to be quick, so that what is asked for in 1080p or 4k has those of 720p.
LONGEST_SIDE = 1280
SHORTEST_SIDE = 64
_LINES = re.compile(r"(\d{3,4})p", re.ASCII)
_RATIO = re.compile(r"(\d{1,4}):(\d{1,4})", re.ASCII)
# Samples a second; a frame of the film has 2000 of them.
SAMPLE_RATE = 48_000
SAMPLES = SAMPLE_RATE // FRAMES_PER_SECOND
# Hertz, whole ones, so that a second of the chord can be repeated without a seam; and how loud, of 1.
CHORD = (196, 294, 392, 494)
LOUDNESS = 0.02
# Bytes of the index: what it has in any case, and what each second adds, with room to spare.
INDEX, INDEX_PER_SECOND = 4096, 1024


def frame_size(ratio: str, resolution: str, shape: tuple[int, int] | None = None) -> tuple[int, int]:
    """Width and height in pixels: even numbers, at most 1280, and 720 for the shorter side.

    `shape` is the first frame's size, which decides where the ratio is empty; without either it is 16:9.
    """
    lines = min(720, int(found[1])) if (found := _LINES.fullmatch(resolution)) else 720
    named = _RATIO.fullmatch(ratio)
    across, down = (int(named[1]), int(named[2])) if named else shape or (16, 9)
    across, down = max(1, across), max(1, down)
    scale = min(lines / min(across, down), LONGEST_SIDE / max(across, down))
    return _side(across * scale), _side(down * scale)


def encode(film: Film, prompt: str, *, sound: bool, on_frame: Callable[[], None]) -> bytes:
    """The film as a file, and `on_frame` called after each of its pictures. What that raises ends the work."""
    file = BytesIO()
    seconds = -(-film.frames // FRAMES_PER_SECOND)
    options = {"moov_size": str(INDEX + INDEX_PER_SECOND * seconds), "fflags": "+bitexact"}
    with av.open(file, "w", format="mp4", options=options) as container:
        container.metadata.update({"title": prompt[:200], "comment": NOTE})
        video = _add_video(container, film.size)
        audio = _add_audio(container) if sound else None
        chord = _chord() if sound else array("f")
        for index in range(film.frames):
            picture = _to_frame(film.frame(index))
            picture.pts, picture.time_base = index, Fraction(1, FRAMES_PER_SECOND)
            container.mux(video.encode(picture))
            if audio is not None:
                container.mux(audio.encode(_to_sound(chord, index, film.frames)))
            on_frame()
        for stream in container.streams.get():
            container.mux(stream.encode(None))  # type: ignore[attr-defined]  # of a picture or of a sound
    return file.getvalue()


def _side(length: float) -> int:
    return max(SHORTEST_SIDE, round(length / 2) * 2)


def _add_video(container: OutputContainer, size: tuple[int, int]) -> VideoStream:
    stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    # One thread: the same bytes on every machine, and the others are left to those who serve requests.
    context.thread_count = 1
    # What the planes are, by their numbers in ITU-T H.273.
    context.colorspace = context.color_primaries = context.color_trc = 1
    context.color_range = 1
    context.options = {"preset": "superfast", "crf": "24", "bf": "0", "g": str(2 * FRAMES_PER_SECOND)}
    return stream


def _add_audio(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("aac", rate=SAMPLE_RATE)
    stream.codec_context.layout = "mono"
    stream.codec_context.bit_rate = 64_000
    return stream


def _to_frame(picture: Planes) -> av.VideoFrame:
    frame = av.VideoFrame(*picture.light.size, "yuv420p")
    for plane, grey in zip(frame.planes, (picture.light, picture.blue, picture.red), strict=True):
        plane.update(grey.tobytes("raw", "L", plane.line_size, 1))
    return frame


def _chord() -> array[float]:
    """A second of it, which swells and ebbs."""
    samples = array("f")
    for index in range(SAMPLE_RATE):
        turn = 2 * pi * index / SAMPLE_RATE
        swell = 0.75 - 0.25 * sin(turn)
        samples.append(LOUDNESS * swell * sum(sin(turn * tone) for tone in CHORD))
    return samples


def _to_sound(chord: array[float], index: int, frames: int) -> av.AudioFrame:
    """What is heard during a frame: at the film's both ends it fades within a quarter of a second."""
    start = index % FRAMES_PER_SECOND * SAMPLES
    samples = chord[start : start + SAMPLES]
    fade = FRAMES_PER_SECOND // 4 * SAMPLES
    done, left = index * SAMPLES, (frames - index) * SAMPLES
    if done < fade or left <= fade:
        samples = array("f", (v * min(1.0, (done + i) / fade, (left - i) / fade) for i, v in enumerate(samples)))
    frame = av.AudioFrame(format="fltp", layout="mono", samples=SAMPLES)
    frame.planes[0].update(samples.tobytes())
    frame.sample_rate, frame.pts = SAMPLE_RATE, index * SAMPLES
    return frame
