"""The sandbox's embeddings, transcriptions and pictures."""

import io
import subprocess
import sys
from math import sqrt
from typing import Any

import pytest
from PIL import Image, ImageStat

from gateway.catalog import get_model
from gateway.errors import InvalidImage, InvalidValue, ProviderError, ProviderFault, RateLimitExceeded
from gateway.providers.base import Deployment
from gateway.providers.sandbox import Sandbox
from gateway.types import EmbeddingRequest, ImageRequest, InputImage, TranscriptionRequest
from tests.pictures import mask, picture

MODEL = get_model("sandbox-image")
DEPLOYMENT = Deployment(provider="sandbox", model=MODEL)


async def embed(*inputs: Any, dimensions: int | None = None, stand_in: bool = False) -> list[list[float]]:
    request = EmbeddingRequest(model="sandbox-embedding", inputs=list(inputs), body={}, dimensions=dimensions)
    deployment = Deployment(provider="sandbox", model=MODEL, stand_in=stand_in)
    return (await Sandbox().embed(deployment, request)).vectors


async def test_a_vector_has_256_dimensions_and_length_one():
    for vector in await embed("hello", "", "x" * 9000):
        assert len(vector) == 256
        assert sqrt(sum(value * value for value in vector)) == pytest.approx(1)


async def test_equal_texts_are_equal_and_others_are_not():
    first, again, other = await embed("hello", "hello", "Hello")

    assert first == again
    assert first != other


async def test_fewer_dimensions_are_the_first_ones_at_length_one():
    [short], [whole] = await embed("hello", dimensions=3), await embed("hello")

    assert len(short) == 3
    assert sqrt(sum(value * value for value in short)) == pytest.approx(1)
    assert short[0] / short[1] == pytest.approx(whole[0] / whole[1])


@pytest.mark.parametrize("dimensions", [257, 4096])
async def test_more_dimensions_are_refused(dimensions):
    with pytest.raises(ProviderError) as refusal:
        await embed("hello", dimensions=dimensions)

    assert refusal.value.kind is ProviderFault.BAD_REQUEST
    assert refusal.value.param == "dimensions"


async def test_standing_in_for_another_model_it_makes_as_many_as_asked_for():
    assert [len(vector) for vector in await embed("hello", dimensions=1536, stand_in=True)] == [1536]


async def test_arrays_of_tokens_are_embedded_and_counted():
    request = EmbeddingRequest(model="sandbox-embedding", inputs=[[1, 2, 3], [1, 23]], body={})
    answer = await Sandbox().embed(DEPLOYMENT, request)

    assert answer.vectors[0] != answer.vectors[1]
    assert answer.usage.input_tokens == 5


async def test_an_embedding_fails_on_request():
    with pytest.raises(RateLimitExceeded):
        await embed("fine", "sandbox:fail=rate_limit_exceeded")


def speech(seconds: float = 2.5, **fields: Any) -> TranscriptionRequest:
    return TranscriptionRequest(
        **{"model": "sandbox-transcription", "audio": b"", "filename": "a.wav", "seconds": seconds, **fields}
    )


async def transcribe(seconds: float = 2.5, **fields: Any) -> Any:
    return await Sandbox().transcribe(DEPLOYMENT, speech(seconds, **fields))


async def test_a_transcription_says_that_it_is_the_sandbox_and_spans_the_recording():
    answer = await transcribe(words=True, language="de")

    assert "sandbox" in answer.text
    assert answer.language == "german"
    assert answer.duration == answer.usage.seconds == 2.5
    assert answer.text == "".join(segment.text for segment in answer.segments)
    assert answer.text == " ".join(word.word for word in answer.words)
    assert (answer.segments[0].start, answer.segments[-1].end) == (0, 2.5)
    assert all(one.end == following.start for one, following in zip(answer.words, answer.words[1:], strict=False))
    assert answer.segments[1].start == answer.segments[0].end


async def test_words_come_only_where_they_are_wanted():
    answer = await transcribe()

    assert answer.words == []
    assert answer.language == "english"


async def test_a_transcription_is_streamed_by_sentences():
    *segments, answer = [part async for part in Sandbox().stream_transcription(DEPLOYMENT, speech())]

    assert segments == answer.segments
    assert len(segments) == 2
    assert answer == await transcribe()


@pytest.mark.parametrize("field", ["filename", "prompt"])
async def test_a_transcription_fails_on_request(field):
    with pytest.raises(ProviderError) as failure:
        await transcribe(**{field: "sandbox:fail=overloaded"})
    with pytest.raises(ProviderError):
        await anext(Sandbox().stream_transcription(DEPLOYMENT, speech(**{field: "sandbox:fail=overloaded"})))

    assert failure.value.kind is ProviderFault.OVERLOADED


async def draw(prompt: str = "a sea at sunset", width: int = 96, height: int = 64, **fields: Any) -> Any:
    request = ImageRequest(model="sandbox-image", prompt=prompt, width=width, height=height, body={}, **fields)
    return await Sandbox().generate_images(DEPLOYMENT, request)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("size", [(64, 64), (160, 90), (65, 201)])
async def test_a_picture_has_the_format_and_size_asked_for(output_format, size):
    [picture] = (await draw(width=size[0], height=size[1], output_format=output_format)).pictures
    image = opened(picture.data)

    assert image.size == size
    assert image.format == output_format.upper()
    assert picture.mime == f"image/{output_format}"
    assert picture.revised_prompt == "a sea at sunset"


async def test_pictures_of_one_request_differ_and_come_again_the_next_time():
    first, again = (await draw(n=3)), (await draw(n=3))

    assert [picture.data for picture in first.pictures] == [picture.data for picture in again.pictures]
    assert len({picture.data for picture in first.pictures}) == 3
    assert first.usage.images == 3


async def test_the_metadata_say_that_it_is_the_sandbox():
    files = [(await draw(output_format=name)).pictures[0].data for name in ("png", "jpeg", "webp")]

    assert "sandbox" in opened(files[0]).text["Comment"]
    assert all("sandbox" in opened(data).getexif()[0x0131] for data in files[1:])


def input_image(colour: str, mode: str = "RGB", image_format: str = "PNG") -> InputImage:
    file = io.BytesIO()
    Image.new("RGB", (80, 50), colour).convert(mode).save(file, image_format)
    return InputImage(data=file.getvalue(), mime=f"image/{image_format.lower()}")


async def test_an_input_picture_shows_through():
    red, blue = [opened((await draw(inputs=[input_image(colour)])).pictures[0].data) for colour in ("red", "blue")]

    assert ImageStat.Stat(red).mean[0] > ImageStat.Stat(blue).mean[0] + 40


@pytest.mark.parametrize(("mode", "image_format"), [("RGBA", "PNG"), ("P", "GIF"), ("L", "JPEG"), ("CMYK", "JPEG")])
async def test_an_input_may_have_any_colours(mode, image_format):
    assert (await draw(inputs=[input_image("red", mode, image_format)])).pictures


async def test_what_is_no_picture_is_refused():
    for data in (b"", b"\x89PNG\r\n\x1a\n" + bytes(50), input_image("red").data[:60]):
        with pytest.raises(InvalidImage) as refusal:
            await draw(inputs=[InputImage(data=data, mime="image/png")])
        assert refusal.value.param == "image"


def one_bit_picture(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


# 16383 x 16383 transparent pixels.
WEBP_BOMB = bytes.fromhex("524946461a000000574542505650384c0d0000002ffebfff1f071011118888fe0700")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    "bomb",
    [*map(one_bit_picture, (3800, 9000, 11_000, 15_000)), WEBP_BOMB],
    ids=["just too large", "large", "Pillow warns", "Pillow refuses", "webp"],
)
async def test_a_bomb_is_refused_before_it_is_unpacked(bomb):
    with pytest.raises(InvalidImage, match="more than 14 million pixels") as refusal:
        await draw(inputs=[InputImage(data=bomb, mime="image/png")])
    assert refusal.value.param == "image"


async def test_a_webp_that_is_too_large_for_its_decoder_is_refused():
    file = io.BytesIO()
    Image.new("RGB", (2700, 2700)).save(file, "WEBP", method=0)

    with pytest.raises(InvalidImage, match="more than 7 million pixels"):
        await draw(inputs=[InputImage(data=file.getvalue(), mime="image/webp")])


# Prints by how many MB the peak of the process's memory rises while it draws from six such pictures at once.
PEAK = """
import asyncio, io, resource, sys
import django
django.setup()
from PIL import Image
from gateway.providers.sandbox import images
from gateway.types import ImageRequest, InputImage

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024**2)

async def draw(data, times):
    inputs = [InputImage(data=data, mime="image/png")]
    request = ImageRequest(model="sandbox-image", prompt="a sea", width=64, height=64, body={}, inputs=inputs)
    await asyncio.gather(*(images.generate(request) for _ in range(times)))

async def main(data):
    small = io.BytesIO()
    Image.new("RGB", (9, 9)).save(small, "PNG")
    await draw(small.getvalue(), 1)
    idle = peak()
    await draw(data, 6)
    print(peak() - idle)

asyncio.run(main(sys.stdin.buffer.read()))
"""


@pytest.mark.parametrize(("image_format", "side"), [("PNG", 3700), ("WEBP", 2600)])
def test_six_of_the_largest_inputs_at_once_take_less_than_200_mb(image_format, side):
    # Made here: the process that is measured holds nothing but what it reads.
    file = io.BytesIO()
    Image.new("RGBA", (side, side), (200, 20, 20, 128)).save(file, image_format, lossless=True, method=0)

    measured = subprocess.run(
        [sys.executable, "-c", PEAK], input=file.getvalue(), stdout=subprocess.PIPE, check=True, timeout=60
    )

    assert int(measured.stdout) < 200


async def test_an_input_that_its_camera_turned_is_painted_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn to the right
    lying = Image.new("RGB", (3000, 1500), "blue")
    lying.paste("red", (0, 0, 1500, 1500))
    for image_format in ("JPEG", "PNG", "WEBP", "TIFF"):
        file = io.BytesIO()
        lying.save(file, image_format, exif=exif)
        [picture] = (await draw(inputs=[InputImage(data=file.getvalue(), mime="image/png")])).pictures

        image = opened(picture.data)
        top, bottom = image.crop((0, 0, 96, 24)), image.crop((0, 40, 96, 64))
        assert ImageStat.Stat(top).mean[0] > ImageStat.Stat(bottom).mean[0] + 40, image_format


async def test_a_picture_fails_on_request():
    with pytest.raises(ProviderError) as failure:
        await draw("a cat sandbox:fail=content_policy_violation")
    with pytest.raises(InvalidValue) as refusal:
        await draw("a cat sandbox:fail=never_heard_of")

    assert failure.value.kind is ProviderFault.CONTENT_POLICY
    assert refusal.value.param == "prompt"


def as_rgb(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


async def test_sketches_come_before_each_picture_and_the_pictures_are_those_of_a_whole_answer():
    request = ImageRequest(model="m", prompt="the sea", width=96, height=64, body={}, n=2, partial_images=2)
    *sketches, answer = [part async for part in Sandbox().stream_images(DEPLOYMENT, request)]

    assert [(sketch.picture, sketch.index) for sketch in sketches] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {as_rgb(sketch.data).size for sketch in sketches} == {(96, 64)}
    whole = await Sandbox().generate_images(DEPLOYMENT, request)
    assert [picture.data for picture in answer.pictures] == [picture.data for picture in whole.pictures]
    assert answer.usage == whole.usage


async def test_a_mask_keeps_what_it_covers():
    request = ImageRequest(model="m", prompt="the sea", width=200, height=100, body={})
    request.inputs = [InputImage(picture(200, 100, colour=(0, 255, 0)), "image/png")]
    request.mask = InputImage(mask(200, 100), "image/png")
    image = as_rgb((await Sandbox().generate_images(DEPLOYMENT, request)).pictures[0].data)

    assert {image.getpixel((x, y)) for x in range(110, 200, 7) for y in range(0, 40, 7)} == {(0, 255, 0)}
    assert (0, 255, 0) not in {image.getpixel((x, y)) for x in range(0, 90, 7) for y in range(0, 40, 7)}


async def test_a_mask_that_cannot_be_decoded_is_named():
    request = ImageRequest(model="m", prompt="the sea", width=64, height=64, body={})
    request.inputs = [InputImage(picture(), "image/png")]
    request.mask = InputImage(picture()[:60], "image/png")
    with pytest.raises(InvalidImage) as refusal:
        await Sandbox().generate_images(DEPLOYMENT, request)

    assert refusal.value.param == "mask"
