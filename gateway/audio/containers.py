"""What a recording is by its first bytes."""

from msgspec import Struct

TAKEN = "flac, mp3 (mpeg, mpga), mp4, m4a, ogg, wav and webm"


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
    if data[:3] == b"ID3":
        # Tagging programs put one before other files, too, and FFmpeg skips it.
        behind = _end_of_tag(data)
        return {b"fLaC": FLAC, b"OggS": OGG}.get(data[behind : behind + 4], MP3)
    return MP3 if _is_mpeg_audio(data[:3]) else None


def _end_of_tag(data: bytes) -> int:
    """Where the ID3 tag that `data` begins with ends. https://id3.org/id3v2.4.0-structure, section 3.1"""
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    has_footer = len(data) > 5 and data[5] & 0x10
    return size + (20 if has_footer else 10)


def _is_mpeg_audio(head: bytes) -> bool:
    """Whether a frame of MPEG audio begins here: its sync word, then no reserved version, layer, bit or sample rate.

    Layer 0 is reserved there, and what AAC's own frames (ADTS) have.
    """
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bit_rate, sample_rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate not in (0, 15) and sample_rate != 3
