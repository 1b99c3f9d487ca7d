"""What is peculiar to ByteDance's ModelArk: sizes in pixels, no `n`, a watermark unless told otherwise, and batches of
which a part may fail."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.catalog import get_model
from gateway.errors import ProviderError, ProviderFault
from gateway.fetch import fetch
from gateway.providers.base import ChatProvider, Deployment, EmbeddingProvider, ImageProvider
from gateway.providers.bytedance import ByteDance
from gateway.providers.http import close_pools
from gateway.types import ImageAnswer, InputImage
from tests.upstreams.bytedance import Behaviour, FakeByteDance
from tests.upstreams.contract import chat_request, deploy, image_request, png
from tests.upstreams.results import is_picture

KEY = "ark-0123456789abcdef"
adapter = ByteDance()


@pytest.fixture(scope="module")
def server() -> Iterator[FakeByteDance]:
    with FakeByteDance(api_key=KEY) as server:
        yield server


@pytest.fixture
async def upstream(server: FakeByteDance, settings: Any) -> AsyncIterator[FakeByteDance]:
    server.behaviour = Behaviour()
    server.requests.clear()
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{server.port}"]
    yield server
    await close_pools()


def at(upstream: FakeByteDance, model: str = "seedream-4.5") -> Deployment:
    return deploy(upstream, get_model(model), KEY)


async def draw(upstream: FakeByteDance, model: str = "seedream-4.5", **parts: Any) -> ImageAnswer:
    return await adapter.generate_images(at(upstream, model), image_request(get_model(model), **parts))


def test_it_offers_what_the_vendor_has() -> None:
    for protocol in (ChatProvider, EmbeddingProvider, ImageProvider):
        assert isinstance(adapter, protocol)


@pytest.mark.parametrize(
    ("model", "size", "sent"),
    [
        ("seedream-4.5", "2K", "2048x2048"),
        ("seedream-4.5", "1024x1024", "1920x1920"),
        ("seedream-5.0-lite", "3K", "3072x3072"),
        ("seedream-4.0", "1536x1024", "1536x1024"),
    ],
)
async def test_sizes_are_sent_in_pixels(upstream: FakeByteDance, model: str, size: str, sent: str) -> None:
    """With a tier the vendor would choose the ratio from the prompt."""
    await draw(upstream, model, size=size)
    assert upstream.requests[0].body["size"] == sent


async def test_no_picture_says_that_it_was_generated(upstream: FakeByteDance) -> None:
    await draw(upstream, body={"watermark": True, "n": 3, "seed": 7, "style": "vivid"})
    body = upstream.requests[0].body
    assert body["watermark"] is False
    assert not {"n", "seed", "style"} & set(body), "the vendor refuses what it does not know"


async def test_every_request_makes_one_picture() -> None:
    """Several in one request are as many as the model sees fit."""
    models = ("seedream-4.0", "seedream-4.5", "seedream-5.0-lite", "seedream-5.0-pro")
    assert {spec.per_call for name in models if (spec := get_model(name).image)} == {1}


@pytest.mark.parametrize(
    ("model", "output_format", "sent"),
    [("seedream-4.5", "jpeg", None), ("seedream-5.0-lite", "jpeg", "jpeg"), ("seedream-5.0-pro", "png", "png")],
)
async def test_the_format_is_sent_to_models_that_have_a_choice(
    upstream: FakeByteDance, model: str, output_format: str, sent: str | None
) -> None:
    answer = await draw(upstream, model, output_format=output_format)
    assert upstream.requests[0].body.get("output_format") == sent
    fetched = await fetch(answer.pictures[0].url, max_bytes=1_000_000, seconds=5)
    assert fetched.mime == answer.pictures[0].mime == f"image/{output_format}"


async def test_one_reference_is_a_data_uri_and_several_are_a_list(upstream: FakeByteDance) -> None:
    await draw(upstream, inputs=1)
    await draw(upstream, inputs=3)
    one, several = (recorded.body["image"] for recorded in upstream.requests)
    assert one.startswith("data:image/png;base64,")
    assert several == [one, one, one]


async def test_the_type_of_a_reference_is_sent_in_lower_case(upstream: FakeByteDance) -> None:
    request = image_request(get_model("seedream-4.5"))
    request.inputs = [InputImage(png(), "image/PNG")]
    await adapter.generate_images(at(upstream), request)
    assert upstream.requests[0].body["image"].startswith("data:image/png;")


async def test_pictures_are_left_at_the_vendor_for_whoever_copies_them(upstream: FakeByteDance) -> None:
    picture = (await draw(upstream)).pictures[0]
    assert picture.data == b""
    fetched = await fetch(picture.url, max_bytes=1_000_000, seconds=5)
    assert is_picture(fetched.data, mimes=frozenset({"image/jpeg"}))


async def test_of_a_batch_those_that_came_out_are_answered(upstream: FakeByteDance) -> None:
    upstream.behaviour = Behaviour(items=3, failed_items=1)
    answer = await draw(upstream)
    assert len(answer.pictures) == 2
    assert answer.usage.images == 2
    assert answer.usage.output_image_tokens == answer.usage.output_tokens == 2 * 1920 * 1920 // 256


async def test_a_batch_that_failed_as_a_whole_is_its_first_error(upstream: FakeByteDance) -> None:
    upstream.behaviour = Behaviour(items=2, failed_items=2)
    with pytest.raises(ProviderError) as raised:
        await draw(upstream)
    assert raised.value.kind is ProviderFault.CONTENT_POLICY
    assert "sensitive information" in raised.value.message
    assert str(upstream.port) not in raised.value.message


async def test_a_picture_counts_though_the_vendor_tells_no_usage(upstream: FakeByteDance) -> None:
    upstream.behaviour = Behaviour(usage_lost=True)
    answer = await draw(upstream)
    assert (answer.usage.images, answer.usage.output_tokens, answer.usage.reported) == (1, 0, False)


@pytest.mark.parametrize("body", ['{"data": []}', '{"data": null}', '{"data": [null, {}]}', "{}"])
async def test_an_answer_without_pictures_is_broken(upstream: FakeByteDance, body: str) -> None:
    upstream.behaviour = Behaviour(raw_body=body)
    with pytest.raises(ProviderError) as raised:
        await draw(upstream)
    assert raised.value.kind is ProviderFault.BROKEN


async def test_an_overload_is_not_taken_for_a_limit_of_ours(upstream: FakeByteDance) -> None:
    upstream.behaviour = Behaviour(status=429, code="ServerOverloaded")
    with pytest.raises(ProviderError) as raised:
        await draw(upstream)
    assert (raised.value.kind, raised.value.status) == (ProviderFault.OVERLOADED, 429)


async def test_what_a_model_thinks_is_passed_on(upstream: FakeByteDance) -> None:
    upstream.behaviour = Behaviour(reasoning="let me see", cached_tokens=4)
    request = chat_request(get_model("doubao-seed-2.0-pro"), thinking={"type": "enabled"}, max_tokens=50)
    answer = await adapter.chat(at(upstream, "doubao-seed-2.0-pro"), request)
    assert answer.body["choices"][0]["message"]["reasoning_content"] == "let me see"
    assert answer.usage.cached_tokens == 4
    assert upstream.requests[0].body["thinking"] == {"type": "enabled"}
    chunks = [
        json.loads(chunk)
        async for together in adapter.stream_chat(at(upstream, "doubao-seed-2.0-pro"), request)
        for chunk in together
    ]
    thoughts = [choice["delta"].get("reasoning_content", "") for chunk in chunks for choice in chunk["choices"]]
    assert "".join(thoughts) == "letmesee"
    assert chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}


async def test_harmless_parameters_that_the_vendor_lacks_are_left_out(upstream: FakeByteDance) -> None:
    request = chat_request(get_model("doubao-seed-2.0-pro"), seed=1, store=False, metadata={"run": "1"}, user="bob")
    await adapter.chat(at(upstream, "doubao-seed-2.0-pro"), request)
    assert set(upstream.requests[0].body) == {"model", "messages", "user"}
