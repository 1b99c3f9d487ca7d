"""Pictures that go to a model's eyes: small enough for its client; and those of ours that it names again by a link."""

import asyncio
import base64
import io
import logging

from django.conf import settings
from mcp_types import ImageContent
from PIL import Image

from gateway.errors import InvalidImage, InvalidImageURL
from gateway.media import MediaError, open_signed
from gateway.requests.pictures import Source, read_picture

logger = logging.getLogger(__name__)

# Vision models scale down what is larger: https://docs.claude.com/en/docs/build-with-claude/vision
LONGEST_SIDE = 1024
SHORTEST_SIDE = 128
# Of all pictures of one result; base64 makes it a third more. Claude Desktop refuses results of more than 1 MB.
MOST_BYTES = 720 * 1024
QUALITIES = (85, 70, 50)
# What every client shows.
SHOWN = frozenset({"image/png", "image/jpeg"})


async def show(urls: list[str]) -> list[ImageContent]:
    """The pictures behind links of ours, scaled down. One that cannot be shown is left out: its link is there."""
    shown = []
    for url in urls:
        try:
            data = await _read(url)
            small = await asyncio.to_thread(scale_down, data, MOST_BYTES // len(urls))
        except (MediaError, InvalidImage, OSError) as error:
            logger.warning("a result cannot be shown: %s", error)
        else:
            shown.append(ImageContent(data=base64.b64encode(small[0]).decode(), mime_type=small[1]))
    return shown


async def take_own(source: Source, *, param: str) -> Source:
    """What a link to a result of ours leads to; anything else as it is. Raises `InvalidImageURL`.

    It need not be fetched from outside, which a gateway on the loopback could not do.
    """
    if not isinstance(source, str) or not source.startswith(f"{settings.PUBLIC_URL}/media/"):
        return source
    try:
        return await _read(source)
    except MediaError as error:
        raise InvalidImageURL(f"`{param}`: {error}", param=param) from None


def scale_down(data: bytes, most: int) -> tuple[bytes, str]:
    """The picture in at most `most` bytes, and its media type: PNG or JPEG. Raises `InvalidImage`, `OSError`."""
    source = read_picture(data, param="image")
    if source.mime in SHOWN and max(source.width, source.height) <= LONGEST_SIDE and len(data) <= most:
        return data, source.mime
    with Image.open(io.BytesIO(data)) as opened:
        # A JPEG need not be decoded at its full size.
        opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    side = LONGEST_SIDE
    while True:
        picture.thumbnail((side, side))
        if picture.mode == "RGBA" and len(png := _encode(picture, "PNG")) <= most:
            return png, "image/png"
        flat = _flatten(picture)
        for quality in QUALITIES:
            jpeg = _encode(flat, "JPEG", quality=quality)
            if len(jpeg) <= most or side <= SHORTEST_SIDE:
                return jpeg, "image/jpeg"
        side //= 2


def _flatten(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def _encode(picture: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


async def _read(url: str) -> bytes:
    stored = await open_signed(url.rpartition("/")[2])
    with stored.file as file:
        data: bytes = await asyncio.to_thread(file.read)
    return data
