"""Prints how many seconds of sound the recording on its standard input has. Exits with 3 where there is none, with 4
where it is in a codec that is not taken.

    python meter.py <FFmpeg's demuxer> <seconds at most> <CPU seconds> <bytes of memory>

A program of its own, because FFmpeg takes whatever a file makes it take: 500 kB of tags keep it busy for half a
minute, 16 MB for hours; an index of a few bytes fills gigabytes. Only a process can be given limits. It reads packets
and decodes nothing; it is told the demuxer, since those that FFmpeg might guess open other files and addresses
(playlists); and it imports nothing of ours, since it starts anew for each recording.

Containers say themselves how long each packet lasts, and need not tell the truth. So packets are asked, too: the ears
below read from a packet how much sound a decoder makes of it. Of AAC they know the least of it only, if somebody puts
several frames into one packet: where one ends shows only to those who decode it.
"""

import io
import os
import re
import resource
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial

import av

# No decoder is opened, not even to guess at a stream's parameters.
OPTIONS = {"codec_whitelist": "none", "protocol_whitelist": "none"}
# Encoders pad the ends: a container that says where the sound ends, within this many seconds, is believed.
PADDING = 0.25
NOTHING_TO_HEAR = 3
CODEC_NOT_TAKEN = 4
# Packets between two looks at the time.
STRIDE = 1000

# The seconds of sound in a packet.
Ear = Callable[[bytes], float]


class CodecNotTaken(Exception):
    """A sound track is in a codec that no ear is for."""


# --- Opus: RFC 6716, sections 3.1 and 3.2 -----------------------------------------------------------------------------

# Samples of a frame by its configuration: SILK, hybrid, CELT.
OPUS_FRAMES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4


def opus_ear(track: av.AudioStream) -> Ear:
    return _hear_opus


def _hear_opus(packet: bytes) -> float:
    head = packet[0]
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[head & 3]
    return OPUS_FRAMES[head >> 3] * frames / 48_000


# --- AAC: ISO/IEC 14496-3, sections 1.6.2.1 and 4.4.1 -----------------------------------------------------------------

AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
# The audio object types that are taken, by the samples of their frames, long and short: low complexity and its kin,
# then low delay.
AAC_FRAMES = {1: (1024, 960), 2: (1024, 960), 3: (1024, 960), 4: (1024, 960), 23: (512, 480), 39: (512, 480)}
SBR, PS = 5, 29  # double the samples and the rate
MOST_AAC_BYTES = 768  # of a frame and channel


def aac_ear(track: av.AudioStream) -> Ear:
    context = track.codec_context
    rate, samples, channels = context.sample_rate, 1024, context.layout.nb_channels
    if context.extradata:
        read = Bits(context.extradata).read
        kind, rate, layout = _read_kind(read), _read_rate(read), read(4)
        if kind in (SBR, PS):
            _read_rate(read)
            kind = _read_kind(read)
        if kind not in AAC_FRAMES:
            raise CodecNotTaken(f"AAC of type {kind}")
        samples = AAC_FRAMES[kind][read(1)]
        channels = (channels, 1, 2, 3, 4, 5, 6, 8)[layout & 7]

    def hear(packet: bytes) -> float:
        if packet[0] == 0xFF and packet[1:2] >= b"\xf0":
            raise ValueError("a frame with a header of its own (ADTS), which may have another rate")
        return samples * -(-len(packet) // (MOST_AAC_BYTES * channels)) / rate

    return hear


class Bits:
    """Reads `data` bit by bit, the highest first; zeros behind its end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data[:32].ljust(32, b"\0"), "big")
        self._left = 256

    def read(self, count: int) -> int:
        self._left -= count
        return self._value >> self._left & (1 << count) - 1


def _read_kind(read: Callable[[int], int]) -> int:
    kind = read(5)
    return 32 + read(6) if kind == 31 else kind


def _read_rate(read: Callable[[int], int]) -> int:
    index = read(4)
    if 13 <= index <= 14:
        raise ValueError("a reserved rate")
    return read(24) if index == 15 else AAC_RATES[index]


# --- MP3 and its elder layers: ISO/IEC 11172-3, section 2.4.2.3, and 13818-3 ------------------------------------------

# Kilobits a second, by layer: of MPEG 1, then of 2 and 2.5.
BIT_RATES = (
    {
        1: range(32, 449, 32),
        2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
        3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    },
    {
        1: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
        2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
        3: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    },
)
UNTIL_THE_NEXT = sys.maxsize  # a frame without a bit rate ends where the next one begins


def mpeg_ear(track: av.AudioStream) -> Ear:
    return _hear_mpeg


def _hear_mpeg(packet: bytes) -> float:
    seconds, at = 0.0, packet.find(0xFF)
    while at >= 0:
        size, lasts = _read_mpeg(packet[at : at + 3])
        seconds += lasts
        at = packet.find(0xFF, at + size)
    return seconds


@cache
def _read_mpeg(head: bytes) -> tuple[int, float]:
    """Bytes and seconds of the frame that `head` begins; one byte and none where it begins none."""
    if len(head) < 3 or head[1] & 0xE0 != 0xE0:
        return 1, 0.0
    version, layer, bit_rate, rate = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3), head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bit_rate == 15 or rate == 3:
        return 1, 0.0
    newer = version != 3
    hertz = (44_100, 48_000, 32_000)[rate] >> (newer + (version == 0))
    samples = 384 if layer == 1 else 576 if layer == 3 and newer else 1152
    padding = head[2] >> 1 & 1
    if bit_rate == 0:
        return UNTIL_THE_NEXT, samples / hertz
    bits = BIT_RATES[newer][layer][bit_rate - 1] * 1000
    size = (12 * bits // hertz + padding) * 4 if layer == 1 else samples // 8 * bits // hertz + padding
    return size, samples / hertz


# --- FLAC: RFC 9639, section 9.1 --------------------------------------------------------------------------------------

FLAC_RATES = (0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)


def flac_ear(track: av.AudioStream) -> Ear:
    info = track.codec_context.extradata or b""
    rate = int.from_bytes(info[10:13], "big") >> 4
    return partial(_hear_flac, rate)


def _hear_flac(rate: int, packet: bytes) -> float:
    """Of all frames in `packet`, since decoders take one after another. They are alike, which chance hardly is."""
    seconds, at = _read_flac(packet[:16], rate), packet.find(packet[:2], 2)
    while at >= 0:
        head = packet[at : at + 16]
        if head[3:4] == packet[3:4] and head[2] & 15 == packet[2] & 15:
            seconds += _read_flac(head, rate)
        at = packet.find(packet[:2], at + 2)
    return seconds


def _read_flac(head: bytes, rate: int) -> float:
    """Seconds of the frame that `head` begins; none where it begins none, as its checksum tells."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] >> 4 > 10 or head[3] & 1:
        return 0.0
    size_code, rate_code = head[2] >> 4, head[2] & 15
    # The frame's number, as UTF-8 writes numbers.
    at = 5 if head[4] < 0x80 else 4 + (8 - (~head[4] & 0xFF).bit_length())
    if size_code in (6, 7):
        width = size_code - 5
        samples, at = int.from_bytes(head[at : at + width], "big") + 1, at + width
    else:
        samples = (0, 192, 576, 1152, 2304, 4608)[size_code] if size_code < 6 else 1 << size_code
    if rate_code >= 12:
        width, unit = ((1, 1000), (2, 1), (2, 10), (0, 0))[rate_code - 12]
        rate, at = int.from_bytes(head[at : at + width], "big") * unit, at + width
    else:
        rate = FLAC_RATES[rate_code] or rate
    if not samples or not rate or at >= len(head) or _flac_checksum(head[:at]) != head[at]:
        return 0.0
    return samples / rate


def _flac_checksum(data: bytes) -> int:
    checksum = 0
    for byte in data:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum << 1 ^ (0x107 if checksum & 0x80 else 0)
    return checksum


# --- ALAC: https://github.com/macosforge/alac/blob/master/ALACMagicCookieDescription.txt ------------------------------


def alac_ear(track: av.AudioStream) -> Ear:
    cookie = track.codec_context.extradata or b""
    longest, rate = int.from_bytes(cookie[12:16], "big"), int.from_bytes(cookie[32:36], "big")

    def hear(packet: bytes) -> float:
        head = int.from_bytes(packet[:7].ljust(7, b"\0"), "big")
        # The last packet of a recording says how many samples it has.
        samples = head >> 1 & 0xFFFFFFFF if head >> 36 & 1 else longest
        return min(samples, longest) / rate

    return hear


# --- Vorbis: the Vorbis I specification, sections 4.2 and 4.3.1 -------------------------------------------------------

MODE_BITS = 41  # a block flag, window type 0 and transform type 0 of 16 bits each, the mapping


class VorbisEar:
    """Half of a block overlaps half of the one before it; there are two sizes of them."""

    def __init__(self, track: av.AudioStream) -> None:
        identification, _, setup = _xiph_headers(track.codec_context.extradata or b"")
        self._rate = int.from_bytes(identification[12:16], "little")
        self._sizes = 1 << (identification[28] & 15), 1 << (identification[28] >> 4)
        self._modes = _vorbis_modes(setup)
        self._before = 0

    def __call__(self, packet: bytes) -> float:
        mode = packet[0] >> 1 & (1 << (len(self._modes) - 1).bit_length()) - 1
        if packet[0] & 1 or mode >= len(self._modes):
            return 0.0  # no sound: a header, or one that no decoder takes
        size = self._sizes[self._modes[mode]]
        samples, self._before = (self._before + size) // 4 if self._before else 0, size
        return samples / self._rate


def _xiph_headers(data: bytes) -> list[bytes]:
    """The three headers, each after its length or all after their lengths."""
    if data[:2] == b"\x00\x1e":
        headers, at = [], 0
        for _ in range(3):
            size = int.from_bytes(data[at : at + 2], "big")
            headers.append(data[at + 2 : at + 2 + size])
            at += 2 + size
        return headers
    if data[:1] != b"\x02":
        raise ValueError("no headers of Vorbis")
    sizes, at = [0, 0], 1
    for number in range(2):
        while data[at] == 255:
            sizes[number] += 255
            at += 1
        sizes[number] += data[at]
        at += 1
    first, second = at + sizes[0], at + sum(sizes)
    return [data[at:first], data[first:second], data[second:]]


def _vorbis_modes(setup: bytes) -> list[int]:
    """The block flag of each mode. They stand at the end of the header, and are read backwards, as FFmpeg does: to find
    them from its start, all codebooks would have to be read."""
    bits = int.from_bytes(setup[-400:], "little")
    at, count = bits.bit_length() - 1, 0  # behind the last mode, a one
    flags: list[int] = []
    while at >= MODE_BITS + 6 and len(flags) < 64:
        at -= MODE_BITS
        mode = bits >> at & (1 << MODE_BITS) - 1
        if mode >> 1 & 0xFFFFFFFF or mode >> 33 > 63:
            break
        flags.append(mode & 1)
        if (bits >> at - 6 & 63) + 1 == len(flags):
            count = len(flags)
    if not count:
        raise ValueError("no modes of Vorbis")
    return flags[:count][::-1]


# --- PCM --------------------------------------------------------------------------------------------------------------

PCM = re.compile(r"pcm_(?:[su](?P<bits>8|16|24|32)(?:le|be)?|f(?P<float>32|64)(?:le|be)|alaw|mulaw)")


def pcm_ear(track: av.AudioStream) -> Ear:
    context = track.codec_context
    found = PCM.fullmatch(context.codec.canonical_name)
    assert found is not None, "the name chose this ear"
    sample = int(found["bits"] or found["float"] or 8) // 8 * context.layout.nb_channels
    rate = context.sample_rate
    return lambda packet: len(packet) / sample / rate


# --- Tracks -----------------------------------------------------------------------------------------------------------

EARS: dict[str, Callable[[av.AudioStream], Ear]] = {
    "aac": aac_ear,
    "alac": alac_ear,
    "flac": flac_ear,
    "mp1": mpeg_ear,
    "mp2": mpeg_ear,
    "mp3": mpeg_ear,
    "opus": opus_ear,
    "vorbis": VorbisEar,
}


class Track:
    """A sound track, and what was read of it."""

    def __init__(self, stream: av.AudioStream) -> None:
        self._stream = stream
        self._tick = stream.time_base or Fraction(0)
        self._ticks = 0
        self._heard = 0.0
        name = stream.codec_context.codec.canonical_name
        make = pcm_ear if PCM.fullmatch(name) else EARS.get(name)
        if make is None:
            raise CodecNotTaken(name)
        self._hear = make(stream)

    def take(self, packet: av.Packet) -> None:
        self._ticks += packet.duration or 0
        self._heard += self._hear(bytes(packet))

    @property
    def seconds(self) -> float:
        return max(self._claimed, self._heard)

    @property
    def _claimed(self) -> float:
        return float(self._ticks * self._tick)

    def length(self, container_duration: int | None) -> float:
        """Seconds, once all is read."""
        length, declared = self.seconds, (container_duration or 0) / av.time_base
        if self._stream.duration and self._tick:
            declared = float(self._stream.duration * self._tick)
        believed = [claim for claim in (self._claimed, declared) if claim and length - claim <= PADDING]
        return min([length, *believed])


def measure(data: bytes, demuxer: str, at_most: float) -> float:
    """Seconds of the longest sound track; it stops soon after `at_most`. Raises `av.FFmpegError`, `CodecNotTaken`."""
    with av.open(io.BytesIO(data), "r", format=demuxer, options=OPTIONS, metadata_errors="ignore") as container:
        # A track that FFmpeg has no decoder for is nobody's to hear, as the second one of some telephones' films.
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        tracks = {stream.index: Track(stream) for stream in streams}
        if not tracks:
            return 0.0
        for number, packet in enumerate(container.demux(*streams)):
            if packet.size:
                track = tracks[packet.stream.index]
                track.take(packet)
                if number % STRIDE == 0 and track.seconds > at_most:
                    return track.seconds
        return max(track.length(container.duration) for track in tracks.values())


def main() -> int:
    demuxer, at_most, cpu_seconds, memory = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    os.nice(5)
    # SIGXCPU comes at the first; at the second SIGKILL, by which nobody could tell it from a machine without memory.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        seconds = measure(sys.stdin.buffer.read(), demuxer, at_most)
    except CodecNotTaken:
        return CODEC_NOT_TAKEN
    except (av.FFmpegError, ArithmeticError, IndexError, MemoryError, ValueError):
        return NOTHING_TO_HEAR
    print(f"{seconds:.6f}")
    return 0 if seconds else NOTHING_TO_HEAR


if __name__ == "__main__":
    sys.exit(main())
