"""What is peculiar to ByteDance's ModelArk: sizes in pixels, no `n`, a watermark unless told otherwise, batches of
which a part may fail, and videos that cancelling may erase."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.catalog import get_model
from gateway.errors import ProviderError, ProviderFault
from gateway.fetch import FetchError, fetch
from gateway.providers.base import (
    CancellableVideoProvider,
    ChatProvider,
    Deployment,
    EmbeddingProvider,
    ImageProvider,
    TraceableVideoProvider,
    VideoProvider,
    VideoState,
)
from gateway.providers.bytedance import ByteDance
from gateway.providers.http import close_pools
from gateway.types import ImageAnswer, InputImage
from tests.upstreams.bytedance import Behaviour, FakeByteDance
from tests.upstreams.contract import PROMPT, chat_request, deploy, image_request, png, video_request
from tests.upstreams.results import is_picture

KEY = "ark-0123456789abcdef"
adapter = ByteDance()


@pytest.fixture(scope="module")
def server() -> Iterator[FakeByteDance]:
    with FakeByteDance(api_key=KEY) as server:
        yield server


@pytest.fixture
async def upstream(server: FakeByteDance, settings: Any) -> AsyncIterator[FakeByteDance]:
    server.reset()
    server.videos.known.clear()
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{server.port}"]
    yield server
    await close_pools()


def at(upstream: FakeByteDance, model: str = "seedream-4.5") -> Deployment:
    return deploy(upstream, get_model(model), KEY)


async def draw(upstream: FakeByteDance, model: str = "seedream-4.5", **parts: Any) -> ImageAnswer:
    return await adapter.generate_images(at(upstream, model), image_request(get_model(model), **parts))


async def film(upstream: FakeByteDance, model: str = "seedance-1.5-pro", **parts: Any) -> tuple[str, dict[str, Any]]:
    """The id of a task that was accepted, and what was sent for it."""
    state = await adapter.submit_video(at(upstream, model), video_request(get_model(model), **parts))
    assert (state.status, state.progress) == ("queued", None)
    return state.id, upstream.requests[-1].body


async def look(upstream: FakeByteDance, task_id: str, model: str = "seedance-1.5-pro") -> VideoState:
    return await adapter.look_up_video(at(upstream, model), task_id, video_request(get_model(model)))


def test_it_offers_what_the_vendor_has() -> None:
    for protocol in (ChatProvider, EmbeddingProvider, ImageProvider, VideoProvider, CancellableVideoProvider):
        assert isinstance(adapter, protocol)
    assert not isinstance(adapter, TraceableVideoProvider)


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


async def test_a_clip_is_asked_for_without_a_watermark_and_with_what_is_the_vendors_own(
    upstream: FakeByteDance,
) -> None:
    own = {"seed": 7, "camera_fixed": True, "watermark": True, "service_tier": "flex", "duration": 12}
    _, body = await film(upstream, body=own, callback_url="https://gateway.example/callbacks/1", audio=False)
    assert body == {
        "model": "seedance-1-5-pro-251215",
        "content": [{"type": "text", "text": PROMPT}],
        "resolution": "720p",
        "ratio": "16:9",
        "duration": 5,
        "watermark": False,
        "execution_expires_after": 3600,
        "generate_audio": False,
        "callback_url": "https://gateway.example/callbacks/1",
        "seed": 7,
        "camera_fixed": True,
    }


async def test_models_are_spared_the_parameters_that_they_lack(upstream: FakeByteDance) -> None:
    _, silent = await film(upstream, "seedance-1.0")
    _, second = await film(upstream, "seedance-2.0", body={"seed": 7, "camera_fixed": True})
    assert "generate_audio" not in silent
    assert not {"seed", "camera_fixed"} & set(second)
    assert second["generate_audio"] is True


@pytest.mark.parametrize(
    ("model", "ratio", "sent"),
    [("seedance-2.0", "", "adaptive"), ("seedance-2.0", "16:9", "16:9"), ("seedance-2.5", "16:9", "adaptive")],
)
async def test_frames_have_roles_and_the_first_one_decides_the_ratio(
    upstream: FakeByteDance, model: str, ratio: str, sent: str
) -> None:
    task_id, body = await film(upstream, model, frames=2, ratio=ratio, prompt="")
    assert [part["role"] for part in body["content"]] == ["first_frame", "last_frame"]
    assert body["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert body["ratio"] == sent
    assert (await look(upstream, task_id, model)).status == "completed"


async def test_commands_in_a_prompt_make_no_clip_longer_or_larger_than_was_asked_for(upstream: FakeByteDance) -> None:
    prompt = f"{PROMPT} --dur 12 --resolution=1080p --RT 1:1 -- all quiet"
    _, body = await film(upstream, prompt=prompt)
    assert body["content"][0]["text"] == f"{PROMPT} -- all quiet"


async def test_a_clip_waits_runs_and_is_fetched_from_the_vendor(upstream: FakeByteDance) -> None:
    upstream.behaviour = Behaviour(polls=2)
    task_id, _ = await film(upstream, seconds=4)
    states = [await look(upstream, task_id) for _ in range(3)]
    assert [state.status for state in states] == ["queued", "running", "completed"]
    clip = states[-1].clip
    assert clip is not None
    assert (clip.seconds, clip.headers) == (4.0, ())
    fetched = await fetch(clip.url, max_bytes=1_000_000, seconds=5)
    assert fetched.data[4:8] == b"ftyp"


async def test_a_clips_address_expires(upstream: FakeByteDance) -> None:
    task_id, _ = await film(upstream)
    clip = (await look(upstream, task_id)).clip
    upstream.behaviour = Behaviour(results_expired=True)
    assert clip is not None
    with pytest.raises(FetchError):
        await fetch(clip.url, max_bytes=1_000_000, seconds=5)


@pytest.mark.parametrize(
    ("behaviour", "kind", "of_this_request"),
    [
        ({"task_status": "failed"}, ProviderFault.CONTENT_POLICY, False),
        ({"task_status": "failed", "task_code": "SomethingNew"}, ProviderFault.BROKEN, True),
        ({"task_status": "expired"}, ProviderFault.TIMEOUT, False),
        ({"clip_lost": True}, ProviderFault.BROKEN, True),
    ],
)
async def test_a_task_that_makes_nothing_says_why(
    upstream: FakeByteDance, behaviour: dict[str, Any], kind: ProviderFault, of_this_request: bool
) -> None:
    upstream.behaviour = Behaviour(**behaviour)
    task_id, _ = await film(upstream)
    state = await look(upstream, task_id)
    assert state.status == "failed"
    assert state.error is not None
    assert (state.error.kind, state.error.accepted) == (kind, True)
    assert state.error.of_this_request is of_this_request
    assert str(upstream.port) not in state.error.message


async def test_a_task_that_the_vendor_forgot_has_failed_and_a_look_that_fails_says_nothing_of_it(
    upstream: FakeByteDance,
) -> None:
    forgotten = await look(upstream, "cgt-of-last-week")
    assert forgotten.error is not None
    assert (forgotten.status, forgotten.error.accepted) == ("failed", True)
    task_id, _ = await film(upstream)
    for behaviour in (Behaviour(status=429, code="ServerOverloaded"), Behaviour(status=404, html=True)):
        upstream.behaviour = behaviour
        with pytest.raises(ProviderError) as raised:
            await look(upstream, task_id)
        assert not raised.value.accepted


async def test_a_task_that_waits_is_cancelled_once_and_for_all(upstream: FakeByteDance) -> None:
    upstream.behaviour = Behaviour(polls=5)
    task_id, _ = await film(upstream)
    assert await adapter.cancel_video(at(upstream), task_id)
    assert (await look(upstream, task_id)).status == "cancelled"
    assert await adapter.cancel_video(at(upstream), task_id)


@pytest.mark.parametrize("looks", [0, 2])
async def test_a_task_that_runs_goes_on_though_it_began_a_moment_before(upstream: FakeByteDance, looks: int) -> None:
    upstream.behaviour = Behaviour(polls=5, running_at_delete=True)
    task_id, _ = await film(upstream)
    for _ in range(looks):
        await look(upstream, task_id)
    assert not await adapter.cancel_video(at(upstream), task_id)
    deletes = [recorded for recorded in upstream.requests if recorded.method == "DELETE"]
    assert len(deletes) == (0 if looks else 1)
    assert (await look(upstream, task_id)).status == "running"


async def test_a_task_that_has_ended_is_not_erased_by_cancelling_it(upstream: FakeByteDance) -> None:
    task_id, _ = await film(upstream)
    assert not await adapter.cancel_video(at(upstream), task_id)
    assert (await look(upstream, task_id)).status == "completed"


async def test_a_cancelling_that_got_lost_is_no_answer(upstream: FakeByteDance) -> None:
    upstream.behaviour = Behaviour(polls=5)
    task_id, _ = await film(upstream)
    upstream.behaviour = Behaviour(polls=5, status=500, code="InternalServiceError")
    with pytest.raises(ProviderError):
        await adapter.cancel_video(at(upstream), task_id)


@pytest.mark.parametrize("body", ["{}", '{"id": ""}'])
async def test_an_acceptance_without_a_task_may_have_begun(upstream: FakeByteDance, body: str) -> None:
    upstream.behaviour = Behaviour(raw_body=body)
    with pytest.raises(ProviderError) as raised:
        await film(upstream)
    assert (raised.value.kind, raised.value.may_have_begun) == (ProviderFault.BROKEN, True)
