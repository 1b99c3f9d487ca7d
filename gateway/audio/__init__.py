"""Recordings: what a file is by its first bytes, and how long it lasts.

Belongs here: the containers that OpenAI's API takes. Does not: what is said in them (gateway.providers).
"""

from msgspec import Struct

from gateway.audio.containers import TAKEN, sniff
from gateway.audio.measuring import CodecNotTaken, NothingToHear, measure
from gateway.errors import InvalidValue

__all__ = ["Audio", "probe"]


class Audio(Struct, frozen=True):
    """A recording: its media type, the extension of its file, and its length in seconds."""

    mime: str
    extension: str
    seconds: float


async def probe(data: bytes, *, at_most: float, owner: int) -> Audio:
    """What `data` is. A recording longer than `at_most` seconds is measured up to there only.

    Nothing is decoded. An `owner`'s recordings wait for each other. Raises `InvalidValue` for what is no recording of a
    kind that is taken, or an empty one, `Overloaded` where too many others wait.
    """
    container = sniff(data)
    if container is None:
        raise _refusal(f"is no recording of a kind that is taken. Send one of {TAKEN}.")
    try:
        seconds = await measure(data, container.demuxer, at_most=at_most, owner=owner)
    except NothingToHear:
        raise _refusal(f"holds no sound that can be read. Send one of {TAKEN}.") from None
    except CodecNotTaken:
        message = "holds sound in a codec that is not taken. Send AAC, ALAC, FLAC, MP3, Opus, PCM or Vorbis."
        raise _refusal(message) from None
    return Audio(mime=container.mime, extension=container.extension, seconds=seconds)


def _refusal(what: str) -> InvalidValue:
    return InvalidValue(f"`file` {what}", param="file")
