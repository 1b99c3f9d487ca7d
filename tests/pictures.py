"""Small pictures for the tests, as files."""

import base64
import io
import struct
import zlib
from functools import cache

from PIL import Image


@cache
def picture(width: int = 64, height: int = 48, *, kind: str = "PNG", colour: tuple[int, ...] = (200, 60, 40)) -> bytes:
    """A picture of one colour: `PNG`, `JPEG`, `WEBP`, `GIF`. Four numbers make a transparent one."""
    file = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", (width, height), colour).save(file, kind)
    return file.getvalue()


@cache
def mask(width: int = 64, height: int = 48) -> bytes:
    """Says that the left half is to change: it is transparent there."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" * 100)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def data_uri(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
