"""What we send, and what the fake answers, held against Google's own SDK, which forbids each field unknown to it."""

from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import types
from google.genai._gaos.types import interactions

from gateway.catalog import get_model
from gateway.providers.google import Google
from gateway.providers.http import close_pools
from tests.upstreams.contract import (
    PROMPT,
    deploy,
    embedding_request,
    image_request,
    transcription_request,
    video_request,
)
from tests.upstreams.google import FakeGoogle

KEY = "AIza-test-key"
adapter = Google()


@pytest.fixture
def fake() -> Iterator[FakeGoogle]:
    with FakeGoogle(api_key=KEY) as fake:
        yield fake


@pytest.fixture
def sdk(fake: FakeGoogle) -> genai.Client:
    address, _, version = fake.base_url.rpartition("/")
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=address, api_version=version))


def check_content_request(body: dict[str, Any]) -> types.GenerateContentConfig:
    assert set(body) == {"contents", "generationConfig"}
    for content in body["contents"]:
        types.Content.model_validate(content)
    return types.GenerateContentConfig.model_validate(body["generationConfig"])


async def test_a_picture_is_asked_for_as_the_sdk_would(fake: FakeGoogle) -> None:
    model = get_model("nano-banana-2")
    await adapter.generate_images(deploy(fake, model, KEY), image_request(model, inputs=2))
    config = check_content_request(fake.requests[-1].body)
    assert config.image_config == types.ImageConfig(aspect_ratio="1:1", image_size="1K")
    await close_pools()


async def test_a_recording_is_sent_as_the_sdk_would(fake: FakeGoogle) -> None:
    model = get_model("gemini-3.5-transcribe")
    await adapter.transcribe(deploy(fake, model, KEY), transcription_request(model, language="en"))
    check_content_request(fake.requests[-1].body)
    await close_pools()


async def test_texts_are_sent_as_the_sdk_would(fake: FakeGoogle) -> None:
    model = get_model("gemini-embedding-2")
    await adapter.embed(deploy(fake, model, KEY), embedding_request(model, ["one", "two"], dimensions=256))
    for request in fake.requests[-1].body["requests"]:
        types.Content.model_validate(request.pop("content"))
        assert request.pop("model") == "models/gemini-embedding-2"
        assert types.EmbedContentConfig.model_validate(request).output_dimensionality == 256
    await close_pools()


@pytest.mark.parametrize("frames", [0, 1, 2])
async def test_a_clip_is_asked_for_as_the_sdk_would(fake: FakeGoogle, frames: int) -> None:
    model = get_model("gemini-omni-flash")
    request = video_request(model, frames=frames, callback_url="https://ark.example/callbacks/1")
    await adapter.submit_video(deploy(fake, model, KEY), request)
    body = fake.requests[-1].body
    read = interactions.CreateModelInteraction.model_validate(body)
    assert isinstance(read.response_format, interactions.VideoResponseFormat)
    # It keeps no field that it does not know, and leaves no value that it does out.
    assert read.model_dump(mode="json", exclude_none=True, by_alias=True) == body
    await close_pools()


def test_the_sdk_gets_a_clip_from_the_fake(fake: FakeGoogle, sdk: genai.Client) -> None:
    begun = sdk.interactions.create(
        model="gemini-omni-1.1-flash",
        input=[{"type": "text", "text": PROMPT}],
        response_format={"type": "video", "duration": "3s", "delivery": "uri"},
        background=True,
    )
    assert begun.status == "in_progress"
    done = sdk.interactions.get(begun.id)
    assert done.status == "completed"
    assert done.output_video.uri.startswith(fake.base_url)
    assert sdk.files.get(name="files/clip0001").state == types.FileState.ACTIVE
    assert sdk.files.download(file="files/clip0001")[4:8] == b"ftyp"


def test_the_sdk_gets_a_picture_from_the_fake(fake: FakeGoogle, sdk: genai.Client) -> None:
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"], image_config=types.ImageConfig(aspect_ratio="16:9", image_size="2K")
    )
    answer = sdk.models.generate_content(model="gemini-3.1-flash-image", contents=PROMPT, config=config)
    pictures = [part.inline_data for part in answer.parts or () if part.inline_data]
    assert (pictures[-1].data or b"").startswith(b"\x89PNG")
    assert answer.usage_metadata is not None


def test_the_sdk_gets_vectors_from_the_fake(fake: FakeGoogle, sdk: genai.Client) -> None:
    answer = sdk.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    assert [len(vector.values or ()) for vector in answer.embeddings or ()] == [3072, 3072]
