"""Results in our own storage, and the signed links by which anybody who has one may fetch them.

The storage is Django's default one (`STORAGES["default"]`): files under MEDIA_ROOT, or whatever is configured there.
Links live MEDIA_LINK_SECONDS, files MEDIA_FILE_DAYS.

    MediaError
    ├── MediaLinkInvalid      no link of ours
    ├── MediaLinkExpired
    └── MediaGone             the link is good, the file is deleted
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from io import BytesIO
from tempfile import TemporaryFile
from time import time
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner, b62_decode
from django.utils import timezone
from msgspec import Struct

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/heic": "heic",
    "image/tiff": "tiff",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
}
MIMES = {extension: mime for mime, extension in EXTENSIONS.items()}
# Bytes by which a file's type is told.
SNIFFED_BYTES = 16
# Bytes that are gathered before they are written: a write is a thread's, and a network's pieces are small.
BLOCK = 256 * 1024
# 160 random bits: who does not know a name cannot find it.
NAME_BYTES = 20
TOKEN = re.compile(
    r"(?P<stem>[0-9a-f]{40})\.(?P<since>[0-9A-Za-z]{1,10})\.(?P<seal>[\w-]{20,100})\.(?P<extension>\w{2,5})", re.ASCII
)


class MediaError(Exception):
    """A link leads to nothing. The message is shown to whoever followed it."""


class MediaLinkInvalid(MediaError):
    def __init__(self) -> None:
        super().__init__("This is no link to a file of ours. Copy the whole link from the answer that it came in.")


class MediaLinkExpired(MediaError):
    def __init__(self) -> None:
        super().__init__("This link has expired. Links to results are good for a limited time: download them early.")


class MediaGone(MediaError):
    def __init__(self) -> None:
        super().__init__("This file has been deleted. Results are kept for a limited time: download them early.")


class StoredMedia(Struct):
    """An open file. `size` is in bytes, `seconds_left` until the link expires. Whoever opens it closes `file`."""

    name: str
    mime: str
    size: int
    seconds_left: int
    file: File


async def store(data: bytes, mime: str) -> str:
    """The name under which the file now lies in the storage. Raises `ValueError` for a type that we do not keep."""
    return await asyncio.to_thread(store_now, BytesIO(data), mime)


async def store_stream(pieces: AsyncIterator[bytes], mime: str) -> str:
    """`store` for what comes in pieces: it is never held as a whole.

    It waits on the disk until it is there to the end, so that the storage gets no part of a file.
    """
    _extension_of(mime)
    # Without a name: whatever happens, nothing is left of it.
    with TemporaryFile(dir=settings.ARKROUTE_DATA) as file:
        block = bytearray()
        async for piece in pieces:
            block += piece
            if len(block) >= BLOCK:
                await asyncio.to_thread(file.write, block)
                block = bytearray()
        await asyncio.to_thread(file.write, block)
        return await asyncio.to_thread(store_now, file, mime)


async def store_sniffed(pieces: AsyncIterator[bytes], sniff: Callable[[bytes], str]) -> tuple[str, str]:
    """`store_stream` for what shows its type in its first bytes, as `sniff` reads it. Returns name and type.

    Raises what `sniff` raises, before anything is stored.
    """
    first = b""
    async for piece in pieces:
        first += piece
        if len(first) >= SNIFFED_BYTES:
            break
    mime = sniff(first)

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return await store_stream(whole(), mime), mime


def store_now(content: IO[bytes], mime: str) -> str:
    """`store` for code that is not async: the content is read in chunks, from its beginning."""
    name = _name_of(f"{secrets.token_hex(NAME_BYTES)}.{_extension_of(mime)}")
    try:
        return default_storage.save(name, File(content))
    except BaseException:
        # A full disk keeps the part that it had room for.
        default_storage.delete(name)
        raise


def signed_url(name: str) -> str:
    """An absolute link to a stored file, good for MEDIA_LINK_SECONDS from now. It ends in the file's extension."""
    file_name = name.rpartition("/")[2]
    stem, _, extension = file_name.partition(".")
    _, since, seal = _signer().sign(file_name).rsplit(".", 2)
    return f"{settings.PUBLIC_URL}/media/{stem}.{since}.{seal}.{extension}"


async def open_signed(token: str) -> StoredMedia:
    """The file that a link's last part stands for. Raises a `MediaError`."""
    return await open_stored(*_read_token(token))


async def open_stored(name: str, seconds_left: int = 0) -> StoredMedia:
    """A file by its name in the storage, for whoever may have it. Raises `MediaGone`."""
    try:
        file = await asyncio.to_thread(default_storage.open, name)
        size = await asyncio.to_thread(_size_of, file)
    except FileNotFoundError:
        raise MediaGone from None
    return StoredMedia(name=name, mime=mime_of(name), size=size, seconds_left=seconds_left, file=file)


def purge_expired() -> int:
    """Deletes the files that are older than MEDIA_FILE_DAYS. Returns how many."""
    oldest = timezone.now() - timedelta(days=settings.MEDIA_FILE_DAYS)
    purged = 0
    shards = default_storage.listdir("")[0] if default_storage.exists("") else []
    for shard in shards:
        for file_name in default_storage.listdir(shard)[1]:
            name = f"{shard}/{file_name}"
            try:
                expired = default_storage.get_modified_time(name) < oldest
            except FileNotFoundError:
                continue  # another process purges, too
            if expired:
                default_storage.delete(name)
                purged += 1
    return purged


def _read_token(token: str) -> tuple[str, int]:
    """The file's name, and the seconds that the link is still good for."""
    parts = TOKEN.fullmatch(token)
    if parts is None:
        raise MediaLinkInvalid
    file_name = f"{parts['stem']}.{parts['extension']}"
    try:
        _signer().unsign(f"{file_name}.{parts['since']}.{parts['seal']}", max_age=settings.MEDIA_LINK_SECONDS)
    except SignatureExpired:
        raise MediaLinkExpired from None
    except BadSignature:
        raise MediaLinkInvalid from None
    seconds_left = b62_decode(parts["since"]) + settings.MEDIA_LINK_SECONDS - int(time())
    return _name_of(file_name), max(0, seconds_left)


def _extension_of(mime: str) -> str:
    extension = EXTENSIONS.get(mime.partition(";")[0].strip().lower())
    if extension is None:
        raise ValueError(f"media of type {mime!r} is not kept; known are {', '.join(EXTENSIONS)}")
    return extension


def mime_of(name: str) -> str:
    """The media type of a stored file, as its name tells it."""
    return MIMES.get(name.rpartition(".")[2], "application/octet-stream")


def _name_of(file_name: str) -> str:
    """Where a file lies: in one of 256 folders, for no folder shall hold millions."""
    return f"{file_name[:2]}/{file_name}"


def _signer() -> TimestampSigner:
    return TimestampSigner(sep=".", salt="gateway.media")


def _size_of(file: Any) -> int:
    return int(file.size)
