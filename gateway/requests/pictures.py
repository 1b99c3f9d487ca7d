"""Pictures that come with a request: as base64, as a data URI, or as an address on the public internet."""

import base64
import binascii
import ipaddress
import re
import socket
from unicodedata import normalize
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
# To the standard alphabet; the line breaks of wrapped base64 fall away.
_ALPHABET, _WHITESPACE = bytes.maketrans(b"-_", b"+/"), b" \t\n\v\f\r"
# Parsers disagree about what these mean in an address: the one that fetches it could see another host than we do.
_AMBIGUOUS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\\]")
_HOST = re.compile(r"[0-9a-z._:-]{1,253}", re.ASCII)
# IPv6 networks whose addresses end in an IPv4 address that a translator on the way may send to (RFC 6052, 7915, 4291).
_ENDS_IN_IPV4 = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
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
    """The picture in a data URI or in bare base64 (both alphabets, also in lines). Its type is sniffed, never believed.

    Raises `InvalidImage`.
    """
    encoded = value
    if value[:5].lower() == "data:":
        head, comma, encoded = value.partition(",")
        if not comma or ";base64" not in head.lower():
            raise InvalidImage(f"`{param}`: a data URI looks like `data:image/png;base64,…`.", param=param)
    elif value[:8].lower().startswith(("http://", "https://")):
        raise InvalidImage(
            f"`{param}` takes the picture itself, as base64 or as a data URI, not its address.", param=param
        )
    try:
        data = encoded.encode("ascii").translate(_ALPHABET, _WHITESPACE)
        if len(data) > MAX_PICTURE_BYTES * 4 // 3 + 4:
            raise InvalidImage(f"`{param}`: a picture has at most {MAX_PICTURE_BYTES >> 20} MB.", param=param)
        data = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidImage(
            f"`{param}` is not valid base64. Send the picture as base64 or as a data URI.", param=param
        ) from None
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
    """Accepts an http(s) address whose host is not plainly private. Names are not resolved here.

    Raises `InvalidImageURL`.
    """
    if _AMBIGUOUS.search(url):
        raise InvalidImageURL(f"`{param}` is no valid URL: it holds whitespace or a backslash.", param=param)
    try:
        parts = urlsplit(url)
        host = _canonical(parts.hostname or "")
        _ = parts.port
    except ValueError:
        raise InvalidImageURL(f"`{param}` is no valid URL.", param=param) from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise InvalidImageURL(f"`{param}` must be an https URL or a data URI with base64.", param=param)
    if host == "localhost" or host.endswith(_LOCAL_NAMES) or not _is_public(host):
        raise InvalidImageURL(f"`{param}` must be an address on the public internet.", param=param)


def _canonical(host: str) -> str:
    """`host` as a resolver gets it: `①②⑦。0。0。1` is 127.0.0.1. Raises `ValueError` for what is no host."""
    if len(host) > 253:
        raise ValueError("too long for a host")
    # The codec knows the dots of IDNA and the characters without a width, but only the digits of an old Unicode.
    name = normalize("NFKC", host).encode("idna").decode("ascii").lower().rstrip(".")
    if name and not _HOST.fullmatch(name):
        raise ValueError("no host")
    return name


def _is_public(host: str) -> bool:
    """False for a private address, in any spelling that a resolver would take (`127.1`, `0x7f000001`)."""
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return True
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global
    if address.ipv4_mapped:
        return address.ipv4_mapped.is_global
    return address.is_global and all(embedded.is_global for embedded in _embedded_in(address))


def _embedded_in(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses to which `address` may lead: through NAT64, 6to4 or Teredo."""
    found = [address.sixtofour] if address.sixtofour else []
    found += address.teredo or ()
    if any(address in network for network in _ENDS_IN_IPV4):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found
