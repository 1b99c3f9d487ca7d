"""What holds for every vendor's adapter alike, against a fake that speaks the vendor's wire format."""

import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.conf import settings as configured
from PIL import Image

from gateway.catalog import get_model, list_models
from gateway.catalog.schema import Model
from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment, VideoProvider
from gateway.providers.registry import get_provider
from gateway.types import TranscriptionAnswer
from tests.gateway.conftest import close_idle_pools
from tests.upstreams.contract import (
    PROMPT,
    Contract,
    Failure,
    behave,
    deploy,
    good_request,
    image_request,
    make_video,
    secrets_of,
    video_request,
)
from tests.upstreams.vendors import CONTRACTS, find_contract

# A capability, and the adapter's ways to ask for it.
WAYS = {
    "chat": ("chat", "stream_chat"),
    "embedding": ("embed",),
    "image": ("generate_images",),
    "transcription": ("transcribe", "stream_transcription"),
    "video": ("video",),
}
CASES = [(contract, way) for contract in CONTRACTS for way in WAYS[contract.capability]]
FAILURES = [(contract, failure, way) for contract, way in CASES for failure in contract.failures]
# Every model that a vendor serves.
MODELS = [model for model in list_models() if model.provider in configured.PROVIDERS]


def names(value: object) -> str:
    return value if isinstance(value, str) else str(getattr(value, "name", None) or getattr(value, "id", ""))


@pytest.fixture(autouse=True)
async def connections_are_let_go() -> AsyncIterator[None]:
    """Whatever way a call ended."""
    yield
    await close_idle_pools()


@pytest.fixture
def key(contract: Contract) -> str:
    return contract.new_key()


@pytest.fixture
def fake(contract: Contract, key: str) -> Iterator[Any]:
    with contract.fake(api_key=key) as fake:
        yield fake


async def ask(deployment: Deployment, way: str, request: Any = None) -> list[Any]:
    """What comes back: a whole answer as the only one of a list."""
    request = request or good_request(deployment.model)
    provider = get_provider(deployment.provider)
    if way == "video":
        assert isinstance(provider, VideoProvider)
        return [await make_video(provider, deployment, request)]
    asked = getattr(provider, way)(deployment, request)
    if way.startswith("stream_"):
        return [part async for part in asked]
    return [await asked]


async def fail(deployment: Deployment, way: str, fake: Any) -> ProviderError:
    """The failure, of which the outside may be told."""
    with pytest.raises(ProviderError) as raised:
        await ask(deployment, way)
    for secret in secrets_of(fake, deployment.api_key):
        assert secret not in str(raised.value)
    return raised.value


def check_answer(model: Model, way: str, parts: list[Any]) -> None:
    match way:
        case "chat":
            assert parts[0].body["choices"][0]["message"]["content"]
            assert parts[0].usage.input_tokens > 0
            assert parts[0].usage.output_tokens > 0
        case "stream_chat":
            chunks = [json.loads(chunk) for together in parts for chunk in together]
            assert "".join(choice["delta"].get("content") or "" for one in chunks for choice in one["choices"])
            assert [choice.get("finish_reason") for one in chunks for choice in one["choices"]][-1] == "stop"
        case "embed":
            assert len(parts[0].vectors) == 2
            assert all(isinstance(number, float) for vector in parts[0].vectors for number in vector)
            assert parts[0].usage.input_tokens > 0
        case "generate_images":
            check_pictures(parts[0].pictures)
            assert parts[0].usage.images == 1
        case "video":
            assert parts[0].data or parts[0].url.startswith("http")
        case _:
            assert isinstance(parts[-1], TranscriptionAnswer)
            assert parts[-1].text
            assert parts[-1].usage.seconds == 0.2


def check_pictures(pictures: list[Any]) -> None:
    assert len(pictures) == 1
    if pictures[0].url:
        assert pictures[0].url.startswith("http")
        return
    kind = Image.open(io.BytesIO(pictures[0].data)).get_format_mimetype()
    assert kind == pictures[0].mime


@pytest.mark.parametrize("model", MODELS, ids=names)
async def test_every_model_of_the_catalogue_is_answered(model: Model) -> None:
    contract = find_contract(model.provider, model.type)
    key = contract.new_key()
    with contract.fake(api_key=key) as fake:
        for way in WAYS[model.type]:
            check_answer(model, way, await ask(deploy(fake, model, key), way))
        sent = json.dumps([recorded.body for recorded in fake.requests]) + " ".join(one.path for one in fake.requests)
        assert model.upstream in sent
        assert PROMPT in sent or model.type == "transcription"


@pytest.mark.parametrize(
    "model", [model for model in MODELS if model.image is not None and model.image.max_inputs], ids=names
)
async def test_pictures_are_taken_by_those_that_take_them(model: Model) -> None:
    contract = find_contract(model.provider, "image")
    key = contract.new_key()
    with contract.fake(api_key=key) as fake:
        parts = await ask(deploy(fake, model, key), "generate_images", image_request(model, inputs=1))
    check_answer(model, "generate_images", parts)


@pytest.mark.parametrize(
    "model", [model for model in MODELS if model.video is not None and model.video.image_input], ids=names
)
async def test_clips_begin_and_end_with_pictures_where_the_catalogue_says_so(model: Model) -> None:
    assert model.video is not None
    contract = find_contract(model.provider, "video")
    key = contract.new_key()
    with contract.fake(api_key=key) as fake:
        for frames in (1, 2) if model.video.last_frame else (1,):
            parts = await ask(deploy(fake, model, key), "video", video_request(model, frames=frames))
            check_answer(model, "video", parts)


@pytest.mark.parametrize("model", [model for model in MODELS if model.video is not None], ids=names)
async def test_clips_of_every_length_and_shape_are_made(model: Model) -> None:
    assert model.video is not None
    contract = find_contract(model.provider, "video")
    key = contract.new_key()
    asked: list[dict[str, Any]] = [
        *({"seconds": seconds} for seconds in model.video.durations),
        *({"resolution": resolution} for resolution in model.video.resolutions),
        *({"ratio": ratio} for ratio in model.video.ratios if model.video.text_input),
        *({"audio": audio} for audio in {False, model.video.audio}),
    ]
    with contract.fake(api_key=key) as fake:
        for parts in asked:
            answer = await ask(deploy(fake, model, key), "video", video_request(model, **parts))
            check_answer(model, "video", answer)


@pytest.mark.parametrize("model", [model for model in MODELS if model.image is not None], ids=names)
async def test_pictures_of_every_tier_and_shape_are_made(model: Model) -> None:
    assert model.image is not None
    contract = find_contract(model.provider, "image")
    key = contract.new_key()
    with contract.fake(api_key=key) as fake:
        for size in (*model.image.tiers, "1024x1024", "1024x1536", "1536x1024", "1920x1080", "2K"):
            parts = await ask(deploy(fake, model, key), "generate_images", image_request(model, size=size))
            check_answer(model, "generate_images", parts)


@pytest.mark.parametrize(("contract", "failure", "way"), FAILURES, ids=names)
async def test_a_documented_error_is_understood(
    contract: Contract, failure: Failure, way: str, fake: Any, key: str
) -> None:
    behave(fake, failure.behaviour)
    error = await fail(deploy(fake, get_model(contract.model), key), way, fake)
    assert (error.kind, error.retry_after) == (failure.kind, failure.retry_after)


@pytest.mark.parametrize("contract", CONTRACTS, ids=names)
def test_the_faults_that_every_vendor_has_are_among_the_documented(contract: Contract) -> None:
    kinds = {failure.kind for failure in contract.failures}
    assert kinds >= {
        *(ProviderFault.AUTH, ProviderFault.BAD_REQUEST, ProviderFault.RATE_LIMITED, ProviderFault.OVERLOADED),
        *({ProviderFault.CONTENT_POLICY} if contract.capability in ("chat", "image", "video") else ()),
    }


@pytest.mark.parametrize(("contract", "way"), CASES, ids=names)
async def test_a_wrong_key_is_our_accounts_trouble(contract: Contract, way: str, fake: Any) -> None:
    error = await fail(deploy(fake, get_model(contract.model), contract.new_key()), way, fake)
    assert error.kind is ProviderFault.AUTH


@pytest.mark.parametrize(("contract", "way"), CASES, ids=names)
async def test_a_vendor_that_hangs_is_waited_for_no_longer_than_its_time(
    contract: Contract, way: str, fake: Any, key: str
) -> None:
    behave(fake, contract.hang)
    error = await fail(deploy(fake, get_model(contract.model), key, timeout=0.2), way, fake)
    assert error.kind is ProviderFault.TIMEOUT


@pytest.mark.parametrize("trouble", ["cut", "html", "html_in_200"])
@pytest.mark.parametrize(("contract", "way"), CASES, ids=names)
async def test_what_is_no_answer_is_broken(contract: Contract, way: str, trouble: str, fake: Any, key: str) -> None:
    behave(fake, getattr(contract, trouble))
    error = await fail(deploy(fake, get_model(contract.model), key), way, fake)
    assert error.kind is ProviderFault.BROKEN


@pytest.mark.parametrize(("contract", "way"), CASES, ids=names)
async def test_a_vendor_that_is_not_there_is_unreachable(contract: Contract, way: str, key: str) -> None:
    with contract.fake(api_key=key) as fake:
        deployment = deploy(fake, get_model(contract.model), key)
    error = await fail(deployment, way, fake)
    assert error.kind is ProviderFault.UNREACHABLE
