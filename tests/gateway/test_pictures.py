"""Pictures that come with requests: sniffed, measured by their header, never decoded."""

import asyncio
import io
import struct
import subprocess
import sys

import pytest
from PIL import Image

from gateway.errors import InvalidImage
from gateway.requests.pictures import MAX_PICTURE_BYTES, decode_picture, load_pictures, read_picture, sniff_picture
from gateway.together import together
from tests.pictures import data_uri, picture, png_bomb


def encoded(kind: str, size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind)
    return file.getvalue()


def box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + name + data


def heic(*sizes: tuple[int, int]) -> bytes:
    """The beginning of a HEIC file: its brand, and the sizes of its items."""
    items = b"".join(box(b"ispe", struct.pack(">III", 0, *size)) for size in sizes)
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", b"\0\0\0\0" + box(b"iprp", box(b"ipco", items)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"])
def test_every_type_is_told_and_measured(kind) -> None:
    found = read_picture(encoded(kind), param="image")
    assert (found.mime, found.width, found.height) == (f"image/{kind.lower()}", 40, 30)


def test_heic_is_as_large_as_its_largest_item() -> None:
    found = read_picture(heic((512, 512), (4032, 3024), (320, 240)), param="image")
    assert (found.mime, found.width, found.height) == ("image/heic", 4032, 3024)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is no PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no PNG"),
        (b"%PDF-1.7", "is no PNG"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 200, "cannot be read"),
        (b"\xff\xd8\xff" + b"0" * 200, "cannot be read"),
        (b"RIFF0000WEBP" + b"0" * 200, "cannot be read"),
        (b"II*\x00" + b"\xff" * 200, "cannot be read"),
        (b"BM", "cannot be read"),
        (heic(), "cannot be read"),
        (heic((20_000, 20_000)), "50 million pixels"),
        (png_bomb(10_000, 5_001), "50 million pixels"),
        (png_bomb(2_000_000_000, 2_000_000_000), "million pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * MAX_PICTURE_BYTES, "at most 20 MB"),
    ],
)
def test_what_is_no_good_picture_is_refused(data, says) -> None:
    with pytest.raises(InvalidImage, match=says) as caught:
        read_picture(data, param="image")
    assert caught.value.param == "image"
    assert len(caught.value.message) < 200


def test_as_many_pixels_as_a_phone_takes_are_fine() -> None:
    assert read_picture(png_bomb(8064, 6048), param="image").width == 8064


@pytest.mark.parametrize("value", ["HTTP:", "a cat!", "data:image/png", "data:image/png;base64", "éé"])
def test_what_is_no_base64_is_told_what_is_wanted(value) -> None:
    with pytest.raises(InvalidImage, match="base64"):
        decode_picture(value, param="image")


async def test_pictures_keep_their_order() -> None:
    first, second = picture(10, 10), picture(20, 20)
    found = await load_pictures([first, data_uri(second), first], param="image", owner=1)
    assert [one.width for one in found] == [10, 20, 10]


def test_a_name_is_told_by_the_bytes_alone() -> None:
    assert sniff_picture(picture(kind="JPEG")[:16]) == "image/jpeg"
    assert sniff_picture(picture(kind="WEBP")[:16]) == "image/webp"


def test_bombs_take_no_memory() -> None:
    """In a process of its own, whose peak the system tells."""
    program = """
import os, resource
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from gateway.errors import InvalidImage
from gateway.requests.pictures import decode_picture
from tests.pictures import data_uri, png_bomb
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bombs = [png_bomb(60_000, 60_000), png_bomb(30_000, 30_000), b"GIF89a" + b"\\xff\\xff" * 2 + b"\\x00" * 20]
for bomb in bombs * 10:
    try:
        decode_picture(data_uri(bomb), param="image")
    except InvalidImage:
        continue
    raise SystemExit("a bomb was taken")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50, "megabytes"


async def test_of_several_things_at_once_the_first_error_is_raised_and_the_rest_is_ended() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("waiting")
            raise

    async def fail() -> None:
        raise KeyError("first") from ValueError("its cause")

    with pytest.raises(KeyError) as caught:
        await together([wait(), fail(), wait()])
    assert isinstance(caught.value.__cause__, ValueError)
    assert ended == ["waiting", "waiting"]
