"""Pictures by the painter, encoded: real files of exactly the size asked for, marked as the sandbox's."""

import asyncio
import io
from collections.abc import AsyncGenerator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from gateway.errors import InvalidImage
from gateway.providers.painter import paint
from gateway.providers.painter.label import write_label
from gateway.providers.sandbox import tokens
from gateway.providers.sandbox.orders import obey
from gateway.types import ImageAnswer, ImageRequest, InputImage, PartialPicture, Picture, Usage

# An input with more pixels is refused before it is decoded: a few kilobytes can unpack to gigabytes. Decoding stays
# within 200 MB, hence the lower bound for decoders that keep four copies of the picture.
MOST_PIXELS = 14_000_000
MOST_PIXELS_IN_COPIES = 7_000_000
DECODED_IN_COPIES = ("WEBP", "AVIF")
# Pixels a side of an input that show in the picture.
LONGEST_SIDE = 2048
READABLE = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
NOTE = "Painted by the ArkRoute sandbox; no model made it."
EXIF_DESCRIPTION, EXIF_SOFTWARE = 0x010E, 0x0131
# One input at a time in a process, always in the same thread: each thread would keep freed memory of its own.
_DECODER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="picture-decoder")


async def generate(request: ImageRequest) -> ImageAnswer:
    """`n` different pictures. The first input, if any, shows through; with a mask it changes where that is transparent.

    Raises `InvalidImage` for an unreadable one.
    """
    pictures = [picture async for picture in _paint_all(request) if isinstance(picture, Picture)]
    return _answer(request, pictures)


async def stream(request: ImageRequest) -> AsyncGenerator[PartialPicture | ImageAnswer, None]:
    """Each picture out of focus first, as often as wanted and sharper each time; then the answer of `generate`."""
    pictures = []
    async with aclosing(_paint_all(request)) as painted:
        async for picture in painted:
            if isinstance(picture, Picture):
                pictures.append(picture)
            else:
                yield picture
    yield _answer(request, pictures)


async def _paint_all(request: ImageRequest) -> AsyncGenerator[PartialPicture | Picture, None]:
    await obey(request.prompt, "prompt")
    base = await _read(request.inputs[0], request, "image") if request.inputs else None
    mask = await _read(request.mask, request, "mask") if request.mask else None
    # One after the other: a caller who wants ten pictures holds one thread.
    for index in range(request.n):
        image = await asyncio.to_thread(_paint, request, index, base, mask)
        for number in range(request.partial_images):
            data = await asyncio.to_thread(_blurred, image, number, request)
            yield PartialPicture(data, f"image/{request.output_format}", index=number, picture=index)
        data = await asyncio.to_thread(encode, image, request.output_format, request.prompt)
        yield Picture(data=data, mime=f"image/{request.output_format}", revised_prompt=request.prompt)


def _answer(request: ImageRequest, pictures: list[Picture]) -> ImageAnswer:
    return ImageAnswer(pictures, Usage(input_tokens=tokens.count(request.prompt), images=len(pictures)))


def _paint(request: ImageRequest, index: int, base: Image.Image | None, mask: Image.Image | None) -> Image.Image:
    seed = f"{request.prompt}|{index}|{request.size}"
    image = paint(request.prompt, request.width, request.height, seed, None if base is None else on_white(base))
    if base is None or mask is None:
        return image
    kept = ImageOps.fit(mask.convert("RGBA").getchannel("A"), image.size)
    image = Image.composite(ImageOps.fit(on_white(base), image.size), image, kept)
    write_label(image, request.prompt)
    return image


def _blurred(image: Image.Image, number: int, request: ImageRequest) -> bytes:
    factor = 2 ** (request.partial_images - number + 2)
    sketch = image.reduce(factor).resize(image.size, Image.Resampling.BILINEAR)
    return encode(sketch, request.output_format, request.prompt)


def encode(image: Image.Image, output_format: str, prompt: str) -> bytes:
    """The picture as `png`, `jpeg` or `webp`, with a note in its metadata that the sandbox painted it."""
    file = io.BytesIO()
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION], exif[EXIF_SOFTWARE] = NOTE, "ArkRoute sandbox"
    match output_format:
        case "png":
            info = PngInfo()
            info.add_text("Software", "ArkRoute sandbox")
            info.add_text("Comment", NOTE)
            info.add_itxt("Description", prompt[:2000])
            image.save(file, "PNG", compress_level=3, pnginfo=info)
        case "jpeg":
            image.save(file, "JPEG", quality=90, exif=exif, comment=NOTE)
        case "webp":
            image.save(file, "WEBP", quality=88, method=2, exif=exif)
        case _:
            raise ValueError(f"the sandbox does not encode {output_format}")
    return file.getvalue()


async def _read(picture: InputImage, request: ImageRequest, param: str) -> Image.Image:
    return await asyncio.wrap_future(decode(picture, (request.width, request.height), param))


def decode(picture: InputImage, size: tuple[int, int], param: str) -> Future[Image.Image]:
    """An input in RGB or RGBA, upright, for a picture of that size: no larger than it can show.

    Raises `InvalidImage`, which names `param`, for one that is unreadable or too large.
    """
    return _DECODER.submit(_decode, picture, size, param)


def _decode(picture: InputImage, size: tuple[int, int], param: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(picture.data), formats=READABLE) as image:
            most = MOST_PIXELS_IN_COPIES if image.format in DECODED_IN_COPIES else MOST_PIXELS
            if image.width * image.height > most:
                raise _too_large(param, most)
            return _shrink(image, size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(param, MOST_PIXELS) from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InvalidImage(f"`{param}` cannot be decoded. Send a whole PNG, JPEG or WebP file.", param=param) from error


def on_white(image: Image.Image) -> Image.Image:
    """The picture in RGB; what is transparent is white."""
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`image` in RGB or RGBA. It shrinks before anything else is done to it, since every step makes a copy."""
    # A large JPEG is decoded at a fraction of its size.
    image.draft("RGB", size)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    ImageOps.exif_transpose(image, in_place=True)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _too_large(param: str, most: int) -> InvalidImage:
    return InvalidImage(f"`{param}` has more than {most // 1_000_000} million pixels. Send a smaller one.", param=param)
