"""What is peculiar to Kling: pictures are tasks that are waited for, and a key may be a pair that signs tokens."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.catalog import get_model
from gateway.errors import ProviderError, ProviderFault
from gateway.fetch import fetch
from gateway.providers.base import Deployment, ImageProvider
from gateway.providers.http import close_pools
from gateway.providers.kling import Kling, keys
from gateway.providers.kling.images import closest_ratio
from gateway.types import ImageAnswer
from tests.upstreams.contract import deploy, image_request, png
from tests.upstreams.kling import IMAGES, Behaviour, FakeKling
from tests.upstreams.results import is_picture

PAIR = "access-0123456789|secret-9876543210"
MODEL = get_model("kling-image-v2-1")
adapter = Kling()


@pytest.fixture(scope="module")
def server() -> Iterator[FakeKling]:
    with FakeKling(api_key=PAIR) as server:
        yield server


@pytest.fixture
async def upstream(server: FakeKling, settings: Any) -> AsyncIterator[FakeKling]:
    server.behaviour = Behaviour()
    server.requests.clear()
    server.tasks.clear()
    server.tokens.clear()
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{server.port}"]
    yield server
    await close_pools()


def at(upstream: FakeKling, **parts: Any) -> Deployment:
    return deploy(upstream, MODEL, PAIR, **parts)


async def draw(upstream: FakeKling, **parts: Any) -> ImageAnswer:
    return await adapter.generate_images(at(upstream), image_request(MODEL, **parts))


async def fail(upstream: FakeKling, **parts: Any) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await adapter.generate_images(at(upstream, **parts), image_request(MODEL))
    return raised.value


def submitted(upstream: FakeKling) -> int:
    return sum(recorded.method == "POST" for recorded in upstream.requests)


def looks(upstream: FakeKling) -> int:
    return sum(recorded.method == "GET" for recorded in upstream.requests)


def test_it_offers_what_the_vendor_has() -> None:
    assert isinstance(adapter, ImageProvider)


async def test_the_model_that_was_asked_for_answers(upstream: FakeKling) -> None:
    """The vendor ignores a field of the name of `model`, and its oldest model would answer."""
    await draw(upstream)
    assert [task.model for task in upstream.tasks.values()] == ["kling-v2-1"]


@pytest.mark.parametrize(
    ("size", "ratio", "resolution"),
    [
        ("1024x1024", "1:1", "1k"),
        ("1536x1024", "3:2", "1k"),
        ("1920x1080", "16:9", "1k"),
        ("1080x1920", "9:16", "1k"),
        ("2K", "1:1", "2k"),
        ("3136x1344", "21:9", "2k"),
    ],
)
async def test_a_size_is_a_ratio_and_a_resolution(upstream: FakeKling, size: str, ratio: str, resolution: str) -> None:
    await draw(upstream, size=size)
    body = upstream.requests[0].body
    assert (body["aspect_ratio"], body["resolution"]) == (ratio, resolution)
    assert "size" not in body


def test_every_size_of_the_catalogue_has_a_ratio_of_its_own() -> None:
    assert MODEL.image is not None
    ratios = [closest_ratio(*map(int, size.split("x"))) for size in MODEL.image.sizes]
    assert ratios[: len(ratios) // 2] == ["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9"]


async def test_several_pictures_are_made_by_one_task(upstream: FakeKling) -> None:
    answer = await draw(upstream, n=9)
    assert len({picture.url for picture in answer.pictures}) == answer.usage.images == 9
    assert submitted(upstream) == 1
    fetched = await fetch(answer.pictures[8].url, max_bytes=1_000_000, seconds=5)
    assert is_picture(fetched.data, mimes=frozenset({answer.pictures[8].mime}))


async def test_a_reference_is_sent_without_the_head_of_a_data_uri(upstream: FakeKling) -> None:
    await draw(upstream, inputs=1, body={"negative_prompt": "fog"})
    body = upstream.requests[0].body
    assert base64.b64decode(body["image"]) == png()
    assert "negative_prompt" not in body, "it does not go together with a picture"


async def test_a_negative_prompt_is_passed_on(upstream: FakeKling) -> None:
    await draw(upstream, body={"negative_prompt": "fog", "seed": 7, "style": "vivid"})
    body = upstream.requests[0].body
    assert body["negative_prompt"] == "fog"
    assert not {"seed", "style"} & set(body), "the vendor refuses what it does not know"


async def test_a_task_is_looked_at_until_it_is_done(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(polls=3)
    answer = await draw(upstream)
    assert len(answer.pictures) == 1
    assert (submitted(upstream), looks(upstream)) == (1, 4)
    task_id = next(iter(upstream.tasks))
    assert {recorded.path for recorded in upstream.requests} == {IMAGES, f"{IMAGES}/{task_id}"}


async def test_each_submission_has_an_id_of_its_own(upstream: FakeKling) -> None:
    await draw(upstream)
    await draw(upstream)
    external_ids = {recorded.body["external_task_id"] for recorded in upstream.requests if recorded.method == "POST"}
    assert len(external_ids) == 2


async def test_an_accepted_task_survives_a_vendor_that_is_away_for_a_moment(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(failing_polls=2)
    answer = await draw(upstream)
    assert len(answer.pictures) == 1
    assert (submitted(upstream), looks(upstream)) == (1, 3)


async def test_a_key_that_is_refused_meanwhile_ends_the_waiting(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(poll_code="1004")
    error = await fail(upstream)
    assert (error.kind, error.accepted) == (ProviderFault.AUTH, True)
    assert looks(upstream) == 1


async def test_a_task_that_takes_too_long_was_accepted_all_the_same(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(polls=1_000_000)
    error = await fail(upstream, timeout=0.2)
    assert (error.kind, error.accepted) == (ProviderFault.TIMEOUT, True)
    assert submitted(upstream) == 1


async def test_a_client_that_leaves_ends_the_waiting(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(polls=1_000_000)
    waiting = asyncio.create_task(draw(upstream))
    async with asyncio.timeout(5):
        while not looks(upstream):  # noqa: ASYNC110  the fake is in another thread
            await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    seen = looks(upstream)
    await asyncio.sleep(0.1)
    assert looks(upstream) == seen


async def test_a_task_whose_acceptance_was_lost_is_found_by_our_own_id(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(lose_answer=True)
    answer = await draw(upstream)
    assert len(answer.pictures) == 1
    assert submitted(upstream) == 1, "another would be paid for as well"


async def test_a_task_that_was_submitted_twice_over_a_closed_connection_is_one(upstream: FakeKling) -> None:
    """The HTTP client repeats a request whose idle connection turns out to be closed."""
    await draw(upstream)
    upstream.behaviour = Behaviour(lose_answer=True)
    await draw(upstream)
    assert submitted(upstream) == 3
    assert len(upstream.tasks) == 2


async def test_a_refusal_is_told_without_addresses(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(task_failed="Failure to pass the risk control system")
    error = await fail(upstream)
    assert error.kind is ProviderFault.CONTENT_POLICY
    assert "risk control" in error.message
    assert str(upstream.port) not in error.message


@pytest.mark.parametrize("behaviour", [{"task_failed": "The image is too small"}, {"nothing_made": True}])
async def test_a_task_that_makes_nothing_says_nothing_of_the_vendor(upstream: FakeKling, behaviour) -> None:
    upstream.behaviour = Behaviour(**behaviour)
    error = await fail(upstream)
    assert (error.kind, error.accepted, error.of_this_request) == (ProviderFault.BROKEN, True, True)


async def test_an_empty_account_is_no_limit_to_wait_for(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(status=429, code="1102")
    error = await fail(upstream)
    assert (error.kind, error.status) == (ProviderFault.BALANCE, 429)


@pytest.mark.parametrize("body", ["{}", '{"code": 0, "data": null}', '{"code": 0, "data": {"task_id": 7}}'])
async def test_an_answer_without_a_task_is_broken(upstream: FakeKling, body: str) -> None:
    upstream.behaviour = Behaviour(raw_body=body)
    assert (await fail(upstream)).kind is ProviderFault.BROKEN


async def test_a_plain_key_is_sent_as_it_is() -> None:
    with FakeKling(api_key="api-key-0123456789") as upstream:
        await adapter.generate_images(deploy(upstream, MODEL, "api-key-0123456789"), image_request(MODEL))
        assert set(upstream.tokens) == {"api-key-0123456789"}


async def test_one_token_is_good_for_many_requests(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(polls=2)
    await draw(upstream)
    assert len(upstream.tokens) == 4
    assert len(set(upstream.tokens)) <= 2, "unless half its life was over meanwhile"


@pytest.mark.parametrize(("passed", "same"), [(0, True), (899, True), (900, False)])
def test_a_token_is_made_anew_in_time(monkeypatch: pytest.MonkeyPatch, passed: int, same: bool) -> None:
    monkeypatch.setattr(keys, "time", lambda: 1_800_000_000.5)
    first = keys.bearer("access|secret")
    monkeypatch.setattr(keys, "time", lambda: 1_800_000_000.5 + passed)
    assert (keys.bearer("access|secret") == first) is same
    assert keys.bearer("other|secret") != first
    claims = json.loads(base64.urlsafe_b64decode(first.split(".")[1] + "=="))
    assert claims == {"iss": "access", "exp": 1_800_001_800, "nbf": 1_799_999_995}


async def test_a_wrong_secret_is_refused_and_never_repeated(upstream: FakeKling) -> None:
    access = PAIR.partition("|")[0]
    with pytest.raises(ProviderError) as raised:
        await adapter.generate_images(deploy(upstream, MODEL, f"{access}|other-secret"), image_request(MODEL))
    assert raised.value.kind is ProviderFault.AUTH
    for secret in (access, "other-secret", upstream.tokens[0]):
        assert secret not in str(raised.value)
