"""Pictures that come with a request: as base64, as a data URI, or as an address on the public internet."""

import base64
import binascii
import ipaddress
import socket
from urllib.parse import urlsplit

from gateway.errors import InvalidImage, InvalidImageURL
from gateway.types import InputImage

MAX_PICTURE_BYTES = 20 * 1024 * 1024
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")


def check_picture(value: str, *, param: str) -> None:
    """Accepts a data URI that holds a picture, or a public http(s) address; neither is fetched nor decompressed.

    Raises `InvalidImage` or `InvalidImageURL`.
    """
    if value[:5].lower() == "data:":
        decode_picture(value, param=param)
    else:
        check_address(value, param=param)


def decode_picture(value: str, *, param: str) -> InputImage:
    """The picture in a data URI or in bare base64 (both alphabets). Its type is sniffed, never believed."""
    encoded = value
    if value[:5].lower() == "data:":
        head, comma, encoded = value.partition(",")
        if not comma or ";base64" not in head.lower():
            raise InvalidImage(f"`{param}`: a data URI looks like `data:image/png;base64,…`.", param=param)
    if len(encoded) > MAX_PICTURE_BYTES * 4 // 3 + 4:
        raise InvalidImage(f"`{param}`: a picture has at most {MAX_PICTURE_BYTES >> 20} MB.", param=param)
    try:
        data = base64.b64decode(encoded.translate({45: 43, 95: 47}), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidImage(f"`{param}` is not valid base64.", param=param) from None
    mime = sniff_picture(data)
    if mime is None:
        raise InvalidImage(f"`{param}` is no PNG, JPEG, WebP, GIF, BMP, TIFF or HEIC picture.", param=param)
    return InputImage(data=data, mime=mime)


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


def check_address(url: str, *, param: str) -> None:
    """Accepts an http(s) address whose host is not plainly private. Names are not resolved here."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:
        raise InvalidImageURL(f"`{param}` is no valid URL.", param=param) from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise InvalidImageURL(f"`{param}` must be an https URL or a data URI with base64.", param=param)
    if host == "localhost" or host.endswith(_LOCAL_NAMES) or not _is_public(host):
        raise InvalidImageURL(f"`{param}` must be an address on the public internet.", param=param)


def _is_public(host: str) -> bool:
    """False for a private address, in any spelling that a resolver would take (`127.1`, `0x7f000001`)."""
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return True
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_global
