"""The pictures that a task is given, and the clip that it comes to: in our storage, under names that nobody is told."""

import logging
from collections.abc import Iterable
from typing import Any

from django.core.files.storage import default_storage

from gateway.fetch import ChosenBy, stream
from gateway.media import store, store_sniffed
from gateway.providers.base import Clip
from gateway.types import InputImage

logger = logging.getLogger(__name__)

MAX_CLIP_BYTES = 1024 * 1024 * 1024
# For a clip to come and to be stored.
FETCH_SECONDS = 600.0
_EBML = b"\x1a\x45\xdf\xa3"


class NoVideo(Exception):
    """What was to be a clip is none."""


async def store_frames(frames: dict[str, InputImage]) -> dict[str, dict[str, Any]]:
    """What a task's row remembers of the pictures, which are stored."""
    return {
        role: {
            "name": await store(picture.data, picture.mime),
            "mime": picture.mime,
            "width": picture.width,
            "height": picture.height,
        }
        for role, picture in frames.items()
    }


def read_frames(frames: dict[str, dict[str, Any]], *, whole: bool) -> dict[str, InputImage]:
    """The pictures again; without their bytes, unless they are wanted `whole`. Raises `OSError`."""
    return {
        role: InputImage(
            data=_read(frame["name"]) if whole else b"",
            mime=frame["mime"],
            width=frame["width"],
            height=frame["height"],
        )
        for role, frame in frames.items()
    }


async def store_clip(clip: Clip, *, seconds: float) -> str:
    """The name under which the clip now lies in our storage; it has `seconds` at most, and FETCH_SECONDS.

    Raises `FetchError`, `NoVideo`, `OSError`.
    """
    if not clip.url:
        return await store(clip.data, _sniff(clip.data))
    async with stream(
        clip.url,
        max_bytes=MAX_CLIP_BYTES,
        seconds=max(1.0, min(seconds, FETCH_SECONDS)),
        chosen_by=ChosenBy.PROVIDER,
        headers=clip.headers,
    ) as (_, pieces):
        name, _ = await store_sniffed(pieces, _sniff)
        return name


def discard(names: Iterable[str]) -> None:
    """Deletes what nobody needs any more. What stays for a fault of the storage's goes with its days."""
    for name in names:
        try:
            default_storage.delete(name)
        except Exception:
            logger.warning("%s is left in the storage", name, exc_info=True)


def _read(name: str) -> bytes:
    with default_storage.open(name) as file:
        content: bytes = file.read()
    return content


def _sniff(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return "video/quicktime" if data[8:12] == b"qt  " else "video/mp4"
    if data.startswith(_EBML):
        return "video/webm"
    raise NoVideo("a result that is no MP4, MOV or WebM")
