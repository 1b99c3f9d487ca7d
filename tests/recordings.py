"""Recordings of a tone, made here in every container that the API takes."""

import io
import math
import struct
from fractions import Fraction

import av

# Name -> (FFmpeg's muxer, encoder, samples a second).
FORMATS = {
    "flac": ("flac", "flac", 44_100),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "mp4": ("mp4", "aac", 44_100),
    "m4a": ("ipod", "aac", 44_100),
    "ogg": ("ogg", "libopus", 48_000),
    "vorbis": ("ogg", "vorbis", 44_100),
    "wav": ("wav", "pcm_s16le", 16_000),
    "webm": ("webm", "libopus", 48_000),
}


BLOCK = 4096  # samples
TONE = struct.pack(f"<{BLOCK}h", *(int(8000 * math.sin(at / 20)) for at in range(BLOCK)))


def recording(
    name: str = "wav",
    seconds: float = 3.0,
    *,
    sound: bool = True,
    video: bool = False,
    options: dict[str, str] | None = None,
) -> bytes:
    """A tone, encoded as `FORMATS` says; with `video` beside a small black film. `options` are the muxer's."""
    muxer, encoder, rate = FORMATS[name]
    file = io.BytesIO()
    with av.open(file, "w", format=muxer, container_options=options or {}) as container:
        film = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p") if video else None
        layout = "stereo" if encoder == "vorbis" else "mono"
        track = container.add_stream(encoder, rate=rate, layout=layout) if sound else None
        if film is not None:
            for number in range(int(10 * seconds)):
                picture = av.VideoFrame(64, 64, "yuv420p")
                picture.pts = number
                container.mux(film.encode(picture))
            container.mux(film.encode(None))
        if track is not None:
            track.codec_context.options = {"strict": "experimental"}
            total = round(rate * seconds)
            for start in range(0, total, BLOCK):
                frame = av.AudioFrame("s16", "mono", min(BLOCK, total - start))
                frame.planes[0].update(TONE[: frame.planes[0].buffer_size].ljust(frame.planes[0].buffer_size, b"\0"))
                frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return file.getvalue()


def hours_of_silence(size: int) -> bytes:
    """`size` bytes of FLAC in which every frame is the same: some 2.5 hours in each megabyte."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        track = container.add_stream("flac", rate=44_100, layout="mono")
        for start in (0, BLOCK):
            frame = av.AudioFrame("s16", "mono", BLOCK)
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts, frame.time_base = 44_100, start, Fraction(1, 44_100)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    head, first, *_ = file.getvalue().split(b"\xff\xf8")
    silent = b"\xff\xf8" + first
    return head + silent * ((size - len(head)) // len(silent))


def shortened(data: bytes, muxer: str, *, together: int = 1) -> bytes:
    """The same sound in a container that says of each packet that it lasts a millisecond.

    `together`: so many packets become one.
    """
    file = io.BytesIO()
    # An edit list would say where the sound ends, and leave out what lies beyond.
    options = {"strict": "experimental"} | ({"use_editlist": "0"} if muxer in ("mp4", "ipod") else {})
    with av.open(io.BytesIO(data)) as source, av.open(file, "w", format=muxer, options=options) as target:
        track = target.add_stream_from_template(source.streams.audio[0])
        packets = [bytes(packet) for packet in source.demux(source.streams.audio[0]) if packet.size]
        for number in range(0, len(packets), together):
            packet = av.Packet(b"".join(packets[number : number + together]))
            packet.stream, packet.time_base, packet.duration = track, Fraction(1, 1000), 1
            packet.pts = packet.dts = number // together
            target.mux(packet)
    return file.getvalue()
