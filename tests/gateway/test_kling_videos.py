"""What is peculiar to Kling's videos: two kinds of tasks at two paths, known by our own ids, too."""

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.catalog import get_model
from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import (
    CancellableVideoProvider,
    Deployment,
    TraceableVideoProvider,
    VideoProvider,
    VideoState,
)
from gateway.providers.http import close_pools
from gateway.providers.kling import Kling
from gateway.types import InputImage, VideoRequest
from tests.upstreams.contract import PROMPT, deploy, make_video, png, video_request
from tests.upstreams.kling import Behaviour, FakeKling
from tests.upstreams.kling_requests import IMAGE, TEXT

KEY = "api-key-of-the-videos"
TURBO = "kling-v2-5-turbo"
adapter = Kling()


@pytest.fixture(scope="module")
def server() -> Iterator[FakeKling]:
    with FakeKling(api_key=KEY) as server:
        yield server


@pytest.fixture
async def upstream(server: FakeKling) -> AsyncIterator[FakeKling]:
    server.behaviour = Behaviour()
    server.requests.clear()
    server.tasks.clear()
    yield server
    await close_pools()


def at(upstream: FakeKling, model: str = TURBO) -> Deployment:
    return deploy(upstream, get_model(model), KEY)


def ask_for(model: str = TURBO, **parts: Any) -> VideoRequest:
    return video_request(get_model(model), **parts)


async def submit(upstream: FakeKling, model: str = TURBO, **parts: Any) -> dict[str, Any]:
    """What the vendor was sent."""
    await adapter.submit_video(at(upstream, model), ask_for(model, **parts))
    return upstream.requests[-1].body


async def look_after(upstream: FakeKling, **behaviour: Any) -> VideoState:
    """A task once it is submitted, where the vendor behaves so from then on."""
    request = ask_for()
    state = await adapter.submit_video(at(upstream), request)
    upstream.behaviour = Behaviour(**behaviour)
    return await adapter.look_up_video(at(upstream), state.id, request)


def test_it_offers_what_the_vendor_has() -> None:
    assert isinstance(adapter, VideoProvider)
    assert isinstance(adapter, TraceableVideoProvider)
    assert not isinstance(adapter, CancellableVideoProvider)


async def test_a_text_becomes_a_clip(upstream: FakeKling) -> None:
    upstream.behaviour = Behaviour(polls=1)
    request = ask_for(seconds=10, ratio="9:16", callback_url="https://gateway.example/callbacks/secret")
    accepted = await adapter.submit_video(at(upstream), request)
    under_way = await adapter.look_up_video(at(upstream), accepted.id, request)
    done = await adapter.look_up_video(at(upstream), accepted.id, request)
    assert upstream.requests[0].body == {
        "model_name": TURBO,
        "prompt": PROMPT,
        "mode": "std",
        "duration": "10",
        "aspect_ratio": "9:16",
        "callback_url": "https://gateway.example/callbacks/secret",
        "external_task_id": request.reference,
    }
    assert [one.path for one in upstream.requests] == [TEXT, f"{TEXT}/{accepted.id}", f"{TEXT}/{accepted.id}"]
    assert [state.status for state in (accepted, under_way, done)] == ["queued", "running", "completed"]
    assert [state.progress for state in (accepted, under_way, done)] == [None] * 3, "the vendor tells none"
    assert done.clip is not None
    assert done.clip.seconds == 10.1
    assert done.clip.url.endswith(".mp4")


async def test_pictures_go_to_another_path_without_the_head_of_a_data_uri(upstream: FakeKling) -> None:
    first, last = InputImage(png(640, 360), "image/png", 640, 360), InputImage(png(360, 640), "image/png", 360, 640)
    request = ask_for(first_frame=first, last_frame=last, resolution="1080p", ratio="")
    await make_video(adapter, at(upstream), request)
    assert {one.path.rpartition("/")[0] for one in upstream.requests[1:]} == {IMAGE}
    sent = upstream.requests[0]
    assert sent.path == IMAGE
    assert base64.b64decode(sent.body["image"]) == first.data
    assert base64.b64decode(sent.body["image_tail"]) == last.data
    assert "aspect_ratio" not in sent.body


@pytest.mark.parametrize(
    ("model", "parts", "mode"),
    [
        ("kling-v1-6", {"resolution": "720p"}, "std"),
        ("kling-v1-6", {"resolution": "1080p"}, "pro"),
        ("kling-v1-6", {"frames": 2}, "pro"),
        ("kling-v2-6", {"audio": True}, "pro"),
        ("kling-v3", {"resolution": "720p", "audio": True, "frames": 2}, "std"),
        ("kling-v1", {"frames": 2}, "std"),
        ("kling-v2-master", {}, None),
        ("kling-v2-1-master", {}, None),
    ],
)
async def test_a_resolution_is_a_mode(upstream: FakeKling, model: str, parts: dict[str, Any], mode: str | None) -> None:
    assert (await submit(upstream, model, **parts)).get("mode") == mode


async def test_sound_is_told_to_those_that_can_make_it(upstream: FakeKling) -> None:
    assert (await submit(upstream, "kling-v2-6", audio=True))["sound"] == "on"
    assert (await submit(upstream, "kling-v2-6"))["sound"] == "off"
    assert "sound" not in await submit(upstream)


@pytest.mark.parametrize(
    ("model", "passed_on"),
    [
        ("kling-v1", {"negative_prompt", "cfg_scale", "camera_control"}),
        (TURBO, {"negative_prompt"}),
        ("kling-v3", {"negative_prompt", "cfg_scale", "multi_shot", "shot_type"}),
    ],
)
async def test_what_a_model_does_not_take_is_left_out(upstream: FakeKling, model: str, passed_on: set[str]) -> None:
    """It may have been meant for another one, in whose place this one answers."""
    wishes = {
        "negative_prompt": "fog",
        "cfg_scale": 0.7,
        "camera_control": {"type": "simple", "config": {"zoom": 5}},
        "multi_shot": True,
        "shot_type": "intelligence",
        "mode": "4k",
        "seed": 7,
    }
    sent = await submit(upstream, model, body=wishes)
    assert {name for name in wishes if sent.get(name) == wishes[name]} == passed_on
    assert "seed" not in sent


async def test_a_wish_that_the_vendor_refuses_is_the_clients_mistake(upstream: FakeKling) -> None:
    with pytest.raises(ProviderError) as raised:
        await submit(upstream, "kling-v1", seconds=10, frames=2)
    assert (raised.value.kind, raised.value.may_have_begun) == (ProviderFault.BAD_REQUEST, False)
    assert "image_tail" in raised.value.message


async def test_a_task_whose_acceptance_was_lost_is_found_by_our_own_id(upstream: FakeKling) -> None:
    request = ask_for()
    assert await adapter.find_video(at(upstream), request) is None
    upstream.behaviour = Behaviour(lose_answer=True)
    accepted = await adapter.submit_video(at(upstream), request)
    found = await adapter.find_video(at(upstream), request)
    assert found is not None
    assert list(upstream.tasks) == [accepted.id] == [found.id]


async def test_a_task_that_is_submitted_again_is_the_same(upstream: FakeKling) -> None:
    request = ask_for(frames=1)
    first = await adapter.submit_video(at(upstream), request)
    again = await adapter.submit_video(at(upstream), request)
    assert list(upstream.tasks) == [first.id] == [again.id]


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ({"task_failed": "Failure to pass the risk control system"}, ProviderFault.CONTENT_POLICY),
        ({"task_failed": "Image pixel is invalid"}, ProviderFault.BROKEN),
        ({"nothing_made": True}, ProviderFault.BROKEN),
    ],
)
async def test_a_failed_task_is_a_state_that_says_nothing_of_the_vendor(
    upstream: FakeKling, behaviour: dict[str, Any], kind: ProviderFault
) -> None:
    state = await look_after(upstream, **behaviour)
    assert (state.status, state.clip) == ("failed", None)
    assert state.error is not None
    assert (state.error.kind, state.error.accepted, state.error.of_this_request) == (kind, True, True)
    assert str(upstream.port) not in str(state.error)


async def test_a_task_that_the_vendor_does_not_know_has_failed(upstream: FakeKling) -> None:
    state = await adapter.look_up_video(at(upstream), "867999999999", ask_for())
    assert (state.id, state.status) == ("867999999999", "failed")
    assert state.error is not None
    assert (state.error.kind, state.error.accepted) == (ProviderFault.BROKEN, True)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ({"poll_code": "1004"}, ProviderFault.AUTH),
        ({"status": 429, "code": "1302"}, ProviderFault.RATE_LIMITED),
        ({"status": 404, "code": "1202"}, ProviderFault.AUTH),
        ({"failing_polls": 1}, ProviderFault.OVERLOADED),
        ({"html": True, "status": 404}, ProviderFault.AUTH),
        ({"raw_body": '{"code": 0, "data": []}'}, ProviderFault.BROKEN),
    ],
)
async def test_a_look_that_fails_says_nothing_of_the_task(
    upstream: FakeKling, behaviour: dict[str, Any], kind: ProviderFault
) -> None:
    with pytest.raises(ProviderError) as raised:
        await look_after(upstream, **behaviour)
    assert raised.value.kind is kind


@pytest.mark.parametrize("status", ["processing", "reviewing"])
async def test_a_task_goes_on_until_the_vendor_says_that_it_ended(upstream: FakeKling, status: str) -> None:
    state = await look_after(upstream, raw_body=f'{{"code": 0, "data": {{"task_id": "1", "task_status": "{status}"}}}}')
    assert state == VideoState("1", "running")


@pytest.mark.parametrize("duration", ['"soon"', '"NaN"', "null", "-1"])
async def test_a_length_that_is_none_is_not_believed(upstream: FakeKling, duration: str) -> None:
    video = f'{{"id": "1", "url": "https://vendor.example/1.mp4", "duration": {duration}}}'
    task = f'{{"task_id": "1", "task_status": "succeed", "task_result": {{"videos": [{video}]}}}}'
    state = await look_after(upstream, raw_body=f'{{"code": 0, "data": {task}}}')
    assert state.clip is not None
    assert (state.clip.url, state.clip.seconds) == ("https://vendor.example/1.mp4", None)
