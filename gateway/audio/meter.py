"""Prints how many seconds of sound the recording on its standard input has. Exits with 3 where there is none.

    python meter.py <FFmpeg's demuxer> <seconds at most> <CPU seconds> <bytes of memory>

A program of its own, because FFmpeg takes whatever a file makes it take: 500 kB of tags keep it busy for half a
minute, 16 MB for hours; an index of a few bytes fills gigabytes. Only a process can be given limits. It reads packets
and decodes nothing; it is told the demuxer, since those that FFmpeg might guess open other files and addresses
(playlists); and it imports nothing of ours, since it starts anew for each recording.
"""

import io
import os
import resource
import sys
from fractions import Fraction

import av

# No decoder is opened, not even to guess at a stream's parameters.
OPTIONS = {"codec_whitelist": "none", "protocol_whitelist": "none"}
# The fewest samples of a packet. MP4 says itself how long each lasts, and need not tell the truth.
FEWEST_SAMPLES = {"aac": 960, "mp3": 576}
# Encoders pad the ends: where the container says where the sound ends, within this many seconds, it is believed.
PADDING = 0.25
NOTHING_TO_HEAR = 3
# Packets between two looks at the time.
STRIDE = 1000


class Track:
    """A sound track, and what was read of it."""

    def __init__(self, stream: av.AudioStream) -> None:
        self.stream = stream
        self.tick = stream.time_base or Fraction(0)
        self.ticks = 0
        self.packets = 0

    @property
    def seconds(self) -> float:
        return float(self.ticks * self.tick)

    def length(self, container_duration: int | None) -> float:
        """Seconds, once all is read."""
        length, declared = self.seconds, (container_duration or 0) / av.time_base
        if self.stream.duration and self.tick:
            declared = float(self.stream.duration * self.tick)
        if declared and abs(length - declared) <= PADDING:
            length = min(length, declared)
        codec = self.stream.codec_context
        if codec is None or not codec.sample_rate:
            return length
        return max(length, self.packets * FEWEST_SAMPLES.get(codec.codec.canonical_name, 0) / codec.sample_rate)


def measure(data: bytes, demuxer: str, at_most: float) -> float:
    """Seconds of the longest sound track; it stops soon after `at_most`. Raises `av.FFmpegError`."""
    with av.open(io.BytesIO(data), "r", format=demuxer, options=OPTIONS) as container:
        tracks = {stream.index: Track(stream) for stream in container.streams.audio}
        if not tracks:
            return 0.0
        for packet in container.demux(*container.streams.audio):
            if packet.size:
                track = tracks[packet.stream.index]
                track.ticks += packet.duration or 0
                track.packets += 1
                if track.packets % STRIDE == 0 and track.seconds > at_most:
                    return track.seconds
        return max(track.length(container.duration) for track in tracks.values())


def main() -> int:
    demuxer, at_most, cpu_seconds, memory = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        seconds = measure(sys.stdin.buffer.read(), demuxer, at_most)
    except (av.FFmpegError, MemoryError, ValueError):
        return NOTHING_TO_HEAR
    print(f"{seconds:.6f}")
    return 0 if seconds else NOTHING_TO_HEAR


if __name__ == "__main__":
    sys.exit(main())
