"""What is peculiar to Alibaba's DashScope: sizes with a `*`, two spellings of its errors, and tasks."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from gateway.catalog import get_model
from gateway.catalog.schema import EmbeddingSpec, Model
from gateway.errors import ProviderError, ProviderFault
from gateway.fetch import FetchError, fetch
from gateway.providers.alibaba import Alibaba, tasks
from gateway.providers.alibaba.errors import ERRORS
from gateway.providers.base import (
    CancellableVideoProvider,
    ChatProvider,
    Deployment,
    EmbeddingProvider,
    ImageProvider,
    VideoProvider,
    VideoState,
)
from gateway.providers.http import close_pools
from gateway.providers.openai_compatible.wire import Upstream
from gateway.providers.polling import poll
from gateway.types import ImageAnswer
from tests.upstreams.alibaba import SERVICES, Behaviour, FakeAlibaba
from tests.upstreams.contract import (
    PROMPT,
    chat_request,
    deploy,
    embedding_request,
    image_request,
    make_video,
    video_request,
)
from tests.upstreams.results import is_picture

KEY = "sk-0123456789abcdef"
VIDEO = f"{SERVICES}/video-generation/video-synthesis"
VIDEO_BODY = {"model": "wan2.7-t2v", "input": {"prompt": PROMPT}, "parameters": {"duration": 5}}
EMBEDDER = Model(
    id="text-embedding-v4",
    upstream="text-embedding-v4",
    type="embedding",
    credits=Decimal("0.1"),
    provider="alibaba",
    vendor="Alibaba",
    description="Embeddings of texts, ten at once",
    created=date(2025, 6, 5),
    embedding=EmbeddingSpec(dimensions=1024, max_inputs=10, shortens=True, token_arrays=False, ignores=("user",)),
)
adapter = Alibaba()


@pytest.fixture(scope="module")
def server() -> Iterator[FakeAlibaba]:
    with FakeAlibaba(api_key=KEY) as server:
        yield server


@pytest.fixture
async def upstream(server: FakeAlibaba, settings: Any) -> AsyncIterator[FakeAlibaba]:
    server.reset()
    server.videos.known.clear()
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{server.port}"]
    yield server
    await close_pools()


def at(upstream: FakeAlibaba, model: str = "qwen-image-2.0") -> Deployment:
    return deploy(upstream, get_model(model), KEY)


def natively(upstream: FakeAlibaba) -> Upstream:
    return Upstream(at(upstream, "wan2.7-t2v"), ERRORS.reader)


async def draw(upstream: FakeAlibaba, model: str = "qwen-image-2.0", **parts: Any) -> ImageAnswer:
    return await adapter.generate_images(at(upstream, model), image_request(get_model(model), **parts))


async def film(upstream: FakeAlibaba, model: str = "wan2.7-t2v", **parts: Any) -> tuple[str, dict[str, Any]]:
    """The id of a task that was accepted, and what was sent for it."""
    state = await adapter.submit_video(at(upstream, model), video_request(get_model(model), **parts))
    assert (state.status, state.progress) == ("queued", None)
    return state.id, upstream.requests[-1].body


async def look(upstream: FakeAlibaba, task_id: str) -> VideoState:
    model = get_model("wan2.7-t2v")
    return await adapter.look_up_video(deploy(upstream, model, KEY), task_id, video_request(model))


def test_it_offers_what_the_vendor_has() -> None:
    for protocol in (ChatProvider, EmbeddingProvider, ImageProvider, VideoProvider, CancellableVideoProvider):
        assert isinstance(adapter, protocol)


@pytest.mark.parametrize("model", ["qwen-image-2.0", "qwen-image-3.0"])
@pytest.mark.parametrize(("size", "sent"), [("1024x1536", "1024*1536"), ("2K", "2048*2048"), ("512x512", "512*512")])
async def test_sizes_are_written_with_an_asterisk(upstream: FakeAlibaba, model: str, size: str, sent: str) -> None:
    await draw(upstream, model, size=size)
    body = upstream.requests[0].body
    assert (body["model"], body["parameters"]["size"]) == (model, sent)


async def test_no_picture_bears_a_watermark_and_the_prompt_is_extended_as_the_vendor_thinks_fit(
    upstream: FakeAlibaba,
) -> None:
    await draw(upstream, body={"watermark": True, "style": "vivid"})
    assert upstream.requests[0].body["parameters"] == {"size": "1024*1024", "n": 1, "watermark": False}


async def test_parameters_of_the_vendors_own_are_passed_on(upstream: FakeAlibaba) -> None:
    own = {"negative_prompt": "fog", "prompt_extend": False, "seed": 7}
    await draw(upstream, body=own)
    assert own.items() <= upstream.requests[0].body["parameters"].items()


@pytest.mark.parametrize("one_choice", [False, True])
async def test_several_pictures_come_in_one_answer(upstream: FakeAlibaba, one_choice: bool) -> None:
    upstream.behaviour = Behaviour(one_choice=one_choice)
    answer = await draw(upstream, n=6)
    assert len({picture.url for picture in answer.pictures}) == answer.usage.images == 6
    assert len(upstream.requests) == 1
    fetched = await fetch(answer.pictures[5].url, max_bytes=1_000_000, seconds=5)
    assert is_picture(fetched.data, mimes=frozenset({answer.pictures[5].mime}))


async def test_references_come_before_the_prompt(upstream: FakeAlibaba) -> None:
    await draw(upstream, inputs=3)
    content = upstream.requests[0].body["input"]["messages"][0]["content"]
    assert [next(iter(part)) for part in content] == ["image", "image", "image", "text"]
    assert content[0]["image"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("body", ["{}", '{"output": {"choices": [null, {"message": {"content": "sorry"}}]}}'])
async def test_an_answer_without_pictures_is_broken(upstream: FakeAlibaba, body: str) -> None:
    upstream.behaviour = Behaviour(raw_body=body)
    with pytest.raises(ProviderError) as raised:
        await draw(upstream)
    assert raised.value.kind is ProviderFault.BROKEN


async def test_a_refusal_is_told_without_addresses(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(status=400, code="DataInspectionFailed", message="Input data may be inappropriate")
    with pytest.raises(ProviderError) as raised:
        await draw(upstream)
    assert raised.value.kind is ProviderFault.CONTENT_POLICY
    assert "inappropriate" in raised.value.message
    assert str(upstream.port) not in raised.value.message


async def test_chat_goes_to_the_compatible_mode(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(reasoning="let me see", cached_tokens=4)
    request = chat_request(get_model("qwen3.7-max"), enable_thinking=True, seed=3, user="bob", store=False)
    answer = await adapter.chat(at(upstream, "qwen3.7-max"), request)
    assert answer.body["choices"][0]["message"]["reasoning_content"] == "let me see"
    assert answer.usage.cached_tokens == 4
    sent = upstream.requests[0]
    assert sent.path == "/compatible-mode/v1/chat/completions"
    assert set(sent.body) == {"model", "messages", "enable_thinking", "seed"}
    chunks = [
        json.loads(chunk)
        async for together in adapter.stream_chat(at(upstream, "qwen3.7-max"), request)
        for chunk in together
    ]
    assert chunks[-1]["usage"]["completion_tokens"] == 10


async def test_an_error_in_the_midst_of_a_stream_is_understood(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(error_after=3, code="data_inspection_failed", compatible=True)
    stream = adapter.stream_chat(at(upstream, "qwen3.8-flash"), chat_request(get_model("qwen3.8-flash")))
    chunks: list[bytes] = []

    async def read() -> None:
        async for together in stream:
            chunks.extend(together)

    with pytest.raises(ProviderError) as raised:
        await read()
    assert raised.value.kind is ProviderFault.CONTENT_POLICY
    assert len(chunks) == 3


async def test_texts_are_embedded_by_the_compatible_mode(upstream: FakeAlibaba) -> None:
    request = embedding_request(EMBEDDER, dimensions=64, user="bob")
    answer = await adapter.embed(deploy(upstream, EMBEDDER, KEY), request)
    assert [len(vector) for vector in answer.vectors] == [64, 64]
    assert upstream.requests[0].path == "/compatible-mode/v1/embeddings"


async def test_a_task_is_submitted_and_looked_at_until_it_has_ended(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(polls=2)
    task = await tasks.submit(natively(upstream), VIDEO, VIDEO_BODY)
    assert upstream.requests[0].headers["x-dashscope-async"] == "enable"
    assert (task.status, task.has_ended) == ("PENDING", False)
    seen = []

    async def look() -> tasks.Task | None:
        found = await tasks.look_up(natively(upstream), task.id)
        seen.append(found.status)
        return found if found.has_ended else None

    ended = await poll(look, seconds=5)
    assert seen == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert ended.output["video_url"].startswith(upstream.origin)
    assert ended.usage["output_video_duration"] == 5


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DataInspectionFailed", ProviderFault.CONTENT_POLICY),
        ("InvalidParameter", ProviderFault.BAD_REQUEST),
        ("InternalError", ProviderFault.OVERLOADED),
        ("SomethingNew", ProviderFault.BROKEN),
    ],
)
async def test_a_task_that_failed_says_why(upstream: FakeAlibaba, code: str, kind: ProviderFault) -> None:
    upstream.behaviour = Behaviour(task_status="FAILED", task_code=code)
    submitted = await tasks.submit(natively(upstream), VIDEO, VIDEO_BODY)
    task = await tasks.look_up(natively(upstream), submitted.id)
    assert task.has_ended
    error = tasks.failure_of(natively(upstream), task)
    assert (error.kind, error.accepted) == (kind, True)
    assert error.of_this_request is (kind is ProviderFault.BROKEN)
    assert str(upstream.port) not in error.message


async def test_a_task_that_waits_can_be_cancelled(upstream: FakeAlibaba) -> None:
    task = await tasks.submit(natively(upstream), VIDEO, VIDEO_BODY)
    await tasks.cancel(natively(upstream), task.id)
    task = await tasks.look_up(natively(upstream), task.id)
    assert (task.status, task.has_ended) == ("CANCELED", True)
    assert tasks.failure_of(natively(upstream), task).kind is ProviderFault.BROKEN


async def test_a_task_that_runs_cannot_be_cancelled(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(polls=5)
    task = await tasks.submit(natively(upstream), VIDEO, VIDEO_BODY)
    for _ in range(2):
        await tasks.look_up(natively(upstream), task.id)
    with pytest.raises(ProviderError) as raised:
        await tasks.cancel(natively(upstream), task.id)
    assert raised.value.kind is ProviderFault.BAD_REQUEST


async def test_a_task_that_nobody_knows_any_more_has_ended(upstream: FakeAlibaba) -> None:
    task = await tasks.look_up(natively(upstream), "task-of-last-week")
    assert (task.status, task.has_ended) == ("UNKNOWN", True)


async def test_an_answer_without_a_task_is_broken(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(raw_body='{"output": {}}')
    with pytest.raises(ProviderError) as raised:
        await tasks.submit(natively(upstream), VIDEO, VIDEO_BODY)
    assert raised.value.kind is ProviderFault.BROKEN


async def test_a_clip_from_text_is_asked_for_in_the_vendors_words(upstream: FakeAlibaba) -> None:
    own = {"negative_prompt": "fog", "prompt_extend": False, "seed": 7, "watermark": True, "duration": 15}
    _, body = await film(upstream, body=own, seconds=2, resolution="1080p", ratio="9:16")
    assert upstream.requests[-1].headers["x-dashscope-async"] == "enable"
    assert body == {
        "model": "wan2.7-t2v",
        "input": {"prompt": PROMPT, "negative_prompt": "fog"},
        "parameters": {
            "prompt_extend": False,
            "seed": 7,
            "resolution": "1080P",
            "duration": 2,
            "watermark": False,
            "ratio": "9:16",
        },
    }


@pytest.mark.parametrize(("frames", "kinds"), [(1, ["first_frame"]), (2, ["first_frame", "last_frame"])])
async def test_a_clip_from_frames_has_the_ratio_of_the_first(
    upstream: FakeAlibaba, frames: int, kinds: list[str]
) -> None:
    _, body = await film(upstream, "wan2.7-i2v", frames=frames, ratio="16:9", prompt="")
    media = body["input"]["media"]
    assert [part["type"] for part in media] == kinds
    assert media[0]["url"].startswith("data:image/png;base64,")
    assert set(body["input"]) == {"media"}
    assert "ratio" not in body["parameters"]


async def test_a_clip_waits_runs_and_is_fetched_from_the_vendor(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(polls=2)
    task_id, _ = await film(upstream, seconds=3)
    states = [await look(upstream, task_id) for _ in range(3)]
    assert [state.status for state in states] == ["queued", "running", "completed"]
    clip = states[-1].clip
    assert clip is not None
    assert clip.seconds == 3.0
    fetched = await fetch(clip.url, max_bytes=1_000_000, seconds=5)
    assert fetched.data[4:8] == b"ftyp"
    upstream.behaviour = Behaviour(results_expired=True)
    with pytest.raises(FetchError):
        await fetch(clip.url, max_bytes=1_000_000, seconds=5)


async def test_a_clip_of_an_older_model_has_a_length_too(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(
        raw_body='{"output": {"task_id": "1", "task_status": "SUCCEEDED", "video_url": "https://oss.example/1.mp4"},'
        ' "usage": {"duration": 5}}'
    )
    clip = await make_video(adapter, at(upstream, "wan2.7-t2v"), video_request(get_model("wan2.7-t2v")))
    assert (clip.url, clip.seconds) == ("https://oss.example/1.mp4", 5.0)


@pytest.mark.parametrize("behaviour", [{"task_status": "UNKNOWN"}, {"clip_lost": True}])
async def test_a_video_that_came_to_nothing_has_failed(upstream: FakeAlibaba, behaviour: dict[str, Any]) -> None:
    upstream.behaviour = Behaviour(**behaviour)
    task_id, _ = await film(upstream)
    state = await look(upstream, task_id)
    assert state.error is not None
    assert (state.status, state.error.kind, state.error.accepted) == ("failed", ProviderFault.BROKEN, True)


async def test_a_video_is_cancelled_while_it_waits_and_at_no_other_time(upstream: FakeAlibaba) -> None:
    upstream.behaviour = Behaviour(polls=2)
    waits, _ = await film(upstream)
    runs, _ = await film(upstream)
    for _ in range(2):
        await look(upstream, runs)
    deployment = at(upstream, "wan2.7-t2v")
    assert await adapter.cancel_video(deployment, waits)
    assert (await look(upstream, waits)).status == "cancelled"
    assert await adapter.cancel_video(deployment, waits)
    assert not await adapter.cancel_video(deployment, runs)
    assert not await adapter.cancel_video(deployment, "task-of-last-week")


async def test_a_cancelling_that_got_lost_is_no_answer(upstream: FakeAlibaba) -> None:
    task_id, _ = await film(upstream)
    upstream.behaviour = Behaviour(polls=5, status=500, code="InternalError", fail_times=1)
    with pytest.raises(ProviderError) as raised:
        await adapter.cancel_video(at(upstream, "wan2.7-t2v"), task_id)
    assert raised.value.kind is ProviderFault.OVERLOADED
