"""Pictures by the painter, encoded: real files of exactly the size asked for, marked as the sandbox's."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from gateway.errors import InvalidImage
from gateway.providers.painter import paint
from gateway.providers.sandbox import tokens
from gateway.providers.sandbox.orders import obey
from gateway.types import ImageAnswer, ImageRequest, InputImage, Picture, Usage

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
    """`n` different pictures; the first input, if any, shows through. Raises `InvalidImage` for an unreadable one."""
    await obey(request.prompt, "prompt")
    base = None
    if request.inputs:
        base = await asyncio.get_running_loop().run_in_executor(_DECODER, _read, request.inputs[0], request)
    # One after the other: a caller who wants ten pictures holds one thread.
    pictures = [await asyncio.to_thread(_make, request, index, base) for index in range(request.n)]
    return ImageAnswer(pictures=pictures, usage=Usage(input_tokens=tokens.count(request.prompt), images=request.n))


def _make(request: ImageRequest, index: int, base: Image.Image | None) -> Picture:
    seed = f"{request.prompt}|{index}|{request.size}"
    image = paint(request.prompt, request.width, request.height, seed, base)
    return Picture(
        data=encode(image, request.output_format, request.prompt),
        mime=f"image/{request.output_format}",
        revised_prompt=request.prompt,
    )


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


def _read(picture: InputImage, request: ImageRequest) -> Image.Image:
    """The input in RGB, upright, no larger than it can show, on white where it is transparent."""
    try:
        with Image.open(io.BytesIO(picture.data), formats=READABLE) as image:
            most = MOST_PIXELS_IN_COPIES if image.format in DECODED_IN_COPIES else MOST_PIXELS
            if image.width * image.height > most:
                raise _too_large(most)
            upright = _decode(image, request)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(MOST_PIXELS) from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InvalidImage("`image` cannot be decoded. Send a whole PNG, JPEG or WebP file.", param="image") from error
    if upright.mode == "RGB":
        return upright
    return Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")


def _decode(image: Image.Image, request: ImageRequest) -> Image.Image:
    """`image` in RGB or RGBA. It shrinks before anything else is done to it, since every step makes a copy."""
    # A large JPEG is decoded at a fraction of its size.
    image.draft("RGB", (request.width, request.height))
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    ImageOps.exif_transpose(image, in_place=True)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _too_large(most: int) -> InvalidImage:
    return InvalidImage(f"`image` has more than {most // 1_000_000} million pixels. Send a smaller one.", param="image")
