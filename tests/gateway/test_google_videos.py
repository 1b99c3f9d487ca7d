"""Google's clips: interactions in the background, roles of pictures told in the prompt, files that need the key."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.catalog import get_model
from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import CancellableVideoProvider, Clip, TraceableVideoProvider, VideoState
from gateway.providers.google import Google
from gateway.types import VideoRequest
from tests.gateway.conftest import close_idle_pools
from tests.upstreams.contract import PROMPT, deploy, make_video, png, video_request
from tests.upstreams.google import FakeGoogle
from tests.upstreams.google_videos import Invalid, check

KEY = "AIza-test-key-of-videos"
MODEL = get_model("gemini-omni-flash")
adapter = Google()


@pytest.fixture
async def google() -> AsyncIterator[FakeGoogle]:
    with FakeGoogle(api_key=KEY) as fake:
        yield fake
        await close_idle_pools()


async def submit(google: FakeGoogle, request: VideoRequest | None = None) -> VideoState:
    return await adapter.submit_video(deploy(google, MODEL, KEY), request or video_request(MODEL))


async def look(google: FakeGoogle, task_id: str) -> VideoState:
    return await adapter.look_up_video(deploy(google, MODEL, KEY), task_id, video_request(MODEL))


async def make(google: FakeGoogle, request: VideoRequest | None = None) -> Clip:
    return await make_video(adapter, deploy(google, MODEL, KEY), request or video_request(MODEL))


async def fail(google: FakeGoogle) -> ProviderError:
    state = await look(google, (await submit(google)).id)
    assert state.status == "failed"
    assert state.error is not None
    return state.error


def test_tasks_can_be_cancelled_and_not_found_by_our_own_ids() -> None:
    assert isinstance(adapter, CancellableVideoProvider)
    assert not isinstance(adapter, TraceableVideoProvider)


async def test_a_clip_from_text_is_asked_for(google: FakeGoogle) -> None:
    request = video_request(MODEL, seconds=8, resolution="1080p", ratio="9:16", callback_url="https://ark.example/c/1")
    state = await submit(google, request)

    assert (state.id, state.status) == ("v1_0001", "running")
    assert google.requests[-1].body == {
        "model": "gemini-omni-1.1-flash",
        "input": [{"type": "text", "text": PROMPT}],
        "response_format": {
            "type": "video",
            "aspect_ratio": "9:16",
            "resolution": "1080p",
            "duration": "8s",
            "delivery": "uri",
        },
        "generation_config": {"video_config": {"task": "text_to_video"}},
        "background": True,
        "store": True,
        "webhook_config": {"uris": ["https://ark.example/c/1"]},
    }


async def test_pictures_come_first_and_the_prompt_says_what_they_are_for(google: FakeGoogle) -> None:
    await submit(google, video_request(MODEL, frames=1))
    one = google.requests[-1].body
    await submit(google, video_request(MODEL, frames=2))
    two = google.requests[-1].body

    picture = {"type": "image", "mime_type": "image/png", "data": base64.b64encode(png()).decode()}
    assert one["input"] == [picture, {"type": "text", "text": f"<FIRST_FRAME> {PROMPT}"}]
    assert one["generation_config"] == {"video_config": {"task": "image_to_video"}}
    assert "aspect_ratio" not in one["response_format"]
    assert two["input"] == [picture, picture, {"type": "text", "text": f"<FIRST_FRAME> <LAST_FRAME> {PROMPT}"}]
    assert "generation_config" not in two


async def test_a_prompt_that_says_so_itself_is_left_alone(google: FakeGoogle) -> None:
    await submit(google, video_request(MODEL, frames=1, prompt="From <FIRST_FRAME> into the fog"))

    assert google.requests[-1].body["input"][-1]["text"] == "From <FIRST_FRAME> into the fog"


async def test_silence_is_asked_for_in_words(google: FakeGoogle) -> None:
    await submit(google, video_request(MODEL, audio=False))

    assert google.requests[-1].body["input"][0]["text"] == (
        f"{PROMPT} The video is silent: no dialogue, no music, no sound effects."
    )


async def test_a_task_is_followed_to_its_file(google: FakeGoogle) -> None:
    google.behaviour.polls, google.behaviour.file_polls = 2, 1
    task_id = (await submit(google)).id
    seen = [await look(google, task_id) for _ in range(4)]

    assert [state.status for state in seen] == ["queued", "running", "running", "completed"]
    assert {state.progress for state in seen} == {None}
    assert seen[-1].clip is not None
    assert seen[-1].clip.url == f"{google.base_url}/files/clip0001:download?alt=media"


async def test_a_file_of_googles_is_fetched_with_the_key(google: FakeGoogle) -> None:
    clip = await make(google)

    assert clip.headers == ((b"x-goog-api-key", KEY.encode()),)
    headers = {name.decode(): value.decode() for name, value in clip.headers}
    found = await asyncio.to_thread(httpx.get, clip.url, headers=headers)
    assert found.content[4:8] == b"ftyp"
    assert (await asyncio.to_thread(httpx.get, clip.url)).status_code == 403


@pytest.mark.parametrize("elsewhere", ["https://storage.example/clip.mp4", "http://127.0.0.1/v1beta/files/clip0001"])
async def test_nobody_else_is_told_the_key(google: FakeGoogle, elsewhere: str) -> None:
    google.behaviour.elsewhere = elsewhere

    assert await make(google) == Clip(elsewhere)


@pytest.mark.parametrize("url_safe", [False, True])
async def test_a_clip_may_come_with_the_look(google: FakeGoogle, url_safe: bool) -> None:
    google.behaviour.inline, google.behaviour.url_safe = True, url_safe
    clip = await make(google)

    assert clip.url == ""
    assert clip.data == google.interactions.known["v1_0001"].data


async def test_a_refused_prompt_is_one_whether_it_is_refused_at_once_or_later(google: FakeGoogle) -> None:
    google.behaviour.status, google.behaviour.message = 400, "The prompt violates our policies."
    with pytest.raises(ProviderError) as refusal:
        await submit(google)
    assert refusal.value.kind is ProviderFault.CONTENT_POLICY
    assert not refusal.value.may_have_begun

    google.behaviour.status = 200
    google.behaviour.task_status, google.behaviour.task_error = "failed", "Blocked for safety reasons."
    error = await fail(google)
    assert error.kind is ProviderFault.CONTENT_POLICY
    assert str(google.port) not in error.message


async def test_an_error_of_the_interaction_itself_is_read(google: FakeGoogle) -> None:
    google.behaviour.raw_body = (
        '{"id": "v1_1", "status": "failed", "errors": [{"code": "https://ai.google.dev/errors#internal",'
        ' "message": "The model is gone."}]}'
    )
    state = await submit(google)

    assert state.status == "failed"
    assert state.error is not None
    assert (state.error.kind, state.error.message) == (ProviderFault.BROKEN, "The model is gone.")
    assert state.error.of_this_request


async def test_a_task_that_google_does_not_know_has_failed(google: FakeGoogle) -> None:
    state = await look(google, "v1_9999/../x")

    assert state.status == "failed"
    assert google.requests[-1].path.endswith("/interactions/v1_9999%2F..%2Fx")


async def test_a_look_that_fails_says_nothing_of_the_task(google: FakeGoogle) -> None:
    task_id = (await submit(google)).id
    google.behaviour.status = 503
    with pytest.raises(ProviderError) as failure:
        await look(google, task_id)

    assert failure.value.kind is ProviderFault.OVERLOADED


async def test_a_task_is_cancelled_while_it_goes_on(google: FakeGoogle) -> None:
    google.behaviour.polls = 5
    deployment = deploy(google, MODEL, KEY)
    task_id = (await submit(google)).id

    assert await adapter.cancel_video(deployment, task_id)
    assert (await look(google, task_id)).status == "cancelled"
    assert await adapter.cancel_video(deployment, task_id)  # as it is already


async def test_a_task_that_has_ended_is_not_cancelled(google: FakeGoogle) -> None:
    task_id = (await submit(google)).id
    assert (await look(google, task_id)).status == "completed"

    assert not await adapter.cancel_video(deploy(google, MODEL, KEY), task_id)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2},
        {"background": False},
        {"store": False},
        {"input": PROMPT},
        {"response_format": {"type": "video", "duration": "5"}},
        {"response_format": {"type": "video", "aspect_ratio": "1:1"}},
        {"generation_config": {"video_config": {"task": "image_to_video"}}},
        {"webhook_config": {"uris": ["http://ark.example"]}},
    ],
)
def test_the_fake_takes_nothing_that_google_does_not(change: dict[str, Any]) -> None:
    good = {
        "model": "gemini-omni-1.1-flash",
        "input": [{"type": "text", "text": PROMPT}],
        "response_format": {"type": "video", "duration": "5s"},
        "background": True,
    }
    assert check(good) == (5, (1600, 900))
    with pytest.raises(Invalid):
        check({**good, **change})
