"""Pictures that come with a request: as a file, as base64, as a data URI, or as an address on the public internet."""

import asyncio
import base64
import binascii
import io
import re
from typing import TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary

from PIL import Image

from gateway.addresses import may_be_public, read_address
from gateway.errors import InvalidImage, InvalidImageURL, Overloaded
from gateway.fetch import FetchError, stream
from gateway.together import together
from gateway.types import InputImage

# A picture as it came: the bytes of a file, or base64, a data URI or an address.
Source: TypeAlias = bytes | str

MAX_PICTURE_BYTES = 20 * 1024 * 1024
# All that is fetched for one request.
MAX_FETCHED_BYTES = 32 * 1024 * 1024
FETCH_SECONDS = 20.0
# Fetches of one owner at once, over all requests, and the seconds for which one waits for its turn.
OWNERS_FETCHES = 4
LONGEST_WAIT = 60.0
RETRY_AFTER = 10
# A few kilobytes can unpack to gigabytes. The largest of phones' cameras have a little less.
MAX_PICTURE_PIXELS = 50_000_000
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}
# What reads a header; nothing of Pillow's else touches what somebody sent. It does not know HEIC.
_READERS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
}
# The box of a HEIC file that tells an item's size: version and flags, then width and height (ISO/IEC 23008-12, 6.5.3).
_HEIC_SIZE = re.compile(rb"ispe.{4}(.{4})(.{4})", re.DOTALL)
# To the standard alphabet; the line breaks of wrapped base64 fall away.
_ALPHABET, _WHITESPACE = bytes.maketrans(b"-_", b"+/"), b" \t\n\v\f\r"


# Of each owner; semaphores belong to an event loop.
_Turns: TypeAlias = WeakValueDictionary[int, asyncio.Semaphore]
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


async def load_pictures(sources: list[Source], *, param: str, owner: int) -> list[InputImage]:
    """The pictures, in their order; those that came as an address are fetched, a few of an `owner` at once.

    Raises `InvalidImage`, `InvalidImageURL`, or `Overloaded` where too many of the owner's wait.
    """
    budget = _Budget(MAX_FETCHED_BYTES)
    turns = _turns.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    turn = turns.setdefault(owner, asyncio.Semaphore(OWNERS_FETCHES))
    return await together(_load(source, budget, turn, param) for source in sources)


async def _load(source: Source, budget: "_Budget", turn: asyncio.Semaphore, param: str) -> InputImage:
    if isinstance(source, bytes):
        return read_picture(source, param=param)
    if not is_address(source):
        return decode_picture(source, param=param)
    try:
        return read_picture(await _fetch(source, budget, turn), param=param)
    except FetchError as error:
        raise InvalidImageURL(
            f"`{param}` cannot be fetched: {error}. Send the address of a picture, or the picture itself.", param=param
        ) from None
    except InvalidImage as error:
        raise InvalidImageURL(error.message, param=param) from None


class _Budget:
    """The bytes that the addresses of one request may still bring."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise FetchError(f"the pictures of a request have more than {MAX_FETCHED_BYTES >> 20} MB together")


async def _fetch(url: str, budget: _Budget, turn: asyncio.Semaphore) -> bytes:
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            await turn.acquire()
    except TimeoutError:
        raise Overloaded(
            "Too many of your pictures wait to be fetched. Nothing was charged; try again.", retry_after=RETRY_AFTER
        ) from None
    try:
        pieces = []
        async with stream(url, max_bytes=MAX_PICTURE_BYTES, seconds=FETCH_SECONDS) as (_, body):
            async for piece in body:
                budget.spend(len(piece))
                pieces.append(piece)
    finally:
        turn.release()
    return b"".join(pieces)


def is_address(value: str) -> bool:
    """Whether `value` names a picture rather than holding it."""
    return value[:8].lower().startswith(("http://", "https://"))


def check_picture(value: str, *, param: str) -> None:
    """Accepts a data URI that holds a picture, or a public http(s) address; neither is fetched nor decompressed.

    Raises `InvalidImage` or `InvalidImageURL`.
    """
    if value[:5].lower() == "data:":
        _sniff(_decode(value, param), param)
    else:
        check_address(value, param=param)


def check_address(url: str, *, param: str) -> None:
    """Accepts an http(s) address whose host is not plainly private. Names are not resolved here.

    Raises `InvalidImageURL`.
    """
    try:
        address = read_address(url)
    except ValueError:
        raise InvalidImageURL(f"`{param}` must be an https URL or a data URI with base64.", param=param) from None
    if not may_be_public(address.host):
        raise InvalidImageURL(f"`{param}` must be an address on the public internet.", param=param)


def decode_picture(value: str, *, param: str) -> InputImage:
    """The picture in a data URI or in bare base64 (both alphabets, also in lines), its header read.

    Raises `InvalidImage`.
    """
    return read_picture(_decode(value, param), param=param)


def _decode(value: str, param: str) -> bytes:
    encoded = value
    if value[:5].lower() == "data:":
        head, comma, encoded = value.partition(",")
        if not comma or ";base64" not in head.lower():
            raise InvalidImage(f"`{param}`: a data URI looks like `data:image/png;base64,…`.", param=param)
    try:
        data = encoded.encode("ascii").translate(_ALPHABET, _WHITESPACE)
        if len(data) > MAX_PICTURE_BYTES * 4 // 3 + 4:
            raise _too_large(param)
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidImage(
            f"`{param}` is not valid base64. Send the picture as base64, as a data URI, or its https address.",
            param=param,
        ) from None


def read_picture(data: bytes, *, param: str) -> InputImage:
    """The picture in `data`, of which the header alone was read. Its type is sniffed, never believed.

    Raises `InvalidImage` for what is none, and for one of too many bytes or pixels.
    """
    if len(data) > MAX_PICTURE_BYTES:
        raise _too_large(param)
    mime = _sniff(data, param)
    try:
        width, height = _measure(data, mime)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(param) from None
    except Exception:  # Pillow's readers stumble over bad bytes in many ways
        raise InvalidImage(f"`{param}` cannot be read. Send a whole picture.", param=param) from None
    if width * height > MAX_PICTURE_PIXELS:
        raise _too_many_pixels(param)
    return InputImage(data=data, mime=mime, width=width, height=height)


def _sniff(data: bytes, param: str) -> str:
    mime = sniff_picture(data)
    if mime is None:
        raise InvalidImage(f"`{param}` is no PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC picture.", param=param)
    return mime


def sniff_picture(data: bytes) -> str | None:
    """The media type that the first bytes show; nothing for what is no picture (SVG is a document)."""
    for magic, mime in _MAGIC.items():
        if data.startswith(magic):
            return mime
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        return "image/avif" if data[8:12] == b"avif" else "image/heic"
    return None


def _measure(data: bytes, mime: str) -> tuple[int, int]:
    """Width and height as the header tells them. Pillow reads no further before it is told to."""
    if reader := _READERS.get(mime):
        with Image.open(io.BytesIO(data), formats=[reader]) as image:
            return image.size
    sizes = [(int.from_bytes(width), int.from_bytes(height)) for width, height in _HEIC_SIZE.findall(data)]
    # Several: the tiles that it is made of, and the whole.
    return max(sizes, key=lambda size: size[0] * size[1])


def _too_large(param: str) -> InvalidImage:
    return InvalidImage(f"`{param}`: a picture has at most {MAX_PICTURE_BYTES >> 20} MB.", param=param)


def _too_many_pixels(param: str) -> InvalidImage:
    return InvalidImage(
        f"`{param}` has more than {MAX_PICTURE_PIXELS // 1_000_000} million pixels. Send a smaller one.", param=param
    )
