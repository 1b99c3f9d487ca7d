"""The SDKs of ByteDance and Alibaba against the fakes: they send what we send, and can read the answers.

Kling publishes none.
"""

from collections.abc import Iterator

import dashscope
import pytest
from volcenginesdkarkruntime import Ark
from volcenginesdkarkruntime.types.content_generation.create_task_content_param import (
    CreateTaskContentImageParam,
    CreateTaskContentTextParam,
)

from gateway.catalog import get_model
from gateway.providers.alibaba import Alibaba
from gateway.providers.bytedance import ByteDance
from gateway.providers.http import close_pools
from tests.upstreams.alibaba import FakeAlibaba
from tests.upstreams.alibaba_videos import SENT_BY_THE_SDK
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.contract import PROMPT, chat_request, deploy, image_request, make_video, video_request
from tests.upstreams.sdk_types import check_request

KEY = "vendor-test-key"


@pytest.fixture
def ark() -> Iterator[FakeByteDance]:
    with FakeByteDance(api_key=KEY) as fake:
        yield fake


@pytest.fixture
def model_studio(monkeypatch) -> Iterator[FakeAlibaba]:
    with FakeAlibaba(api_key=KEY) as fake:
        monkeypatch.setattr(dashscope, "base_http_api_url", f"{fake.base_url}/api/v1")
        yield fake


async def test_a_seedream_is_asked_for_as_the_sdk_asks(ark: FakeByteDance) -> None:
    model = get_model("seedream-4.5")
    await ByteDance().generate_images(deploy(ark, model, KEY), image_request(model, size="2048x2048"))
    await close_pools()
    answer = Ark(api_key=KEY, base_url=ark.base_url).images.generate(
        model=model.upstream, prompt=PROMPT, size="2048x2048", response_format="url", watermark=False
    )
    assert answer.data[0].url.startswith("http")
    assert answer.usage.generated_images == 1
    ours, theirs = (request.body for request in ark.requests if request.method == "POST")
    assert ours == {name: value for name, value in theirs.items() if value is not None}


async def test_a_chat_at_bytedance_is_what_the_sdk_says(ark: FakeByteDance) -> None:
    model = get_model("doubao-seed-2.0-pro")
    ours = await ByteDance().chat(deploy(ark, model, KEY), chat_request(model))
    await close_pools()
    theirs = Ark(api_key=KEY, base_url=ark.base_url).chat.completions.create(
        model=model.upstream, messages=[{"role": "user", "content": PROMPT}]
    )
    assert theirs.choices[0].message.content == ours.body["choices"][0]["message"]["content"]


async def test_a_qwen_image_is_asked_for_as_the_sdk_asks(model_studio: FakeAlibaba) -> None:
    model = get_model("qwen-image-2.0")
    await Alibaba().generate_images(deploy(model_studio, model, KEY), image_request(model, size="1024x1024"))
    await close_pools()
    answer = dashscope.MultiModalConversation.call(
        api_key=KEY,
        model=model.upstream,
        messages=[{"role": "user", "content": [{"text": PROMPT}]}],
        size="1024*1024",
        n=1,
        watermark=False,
    )
    assert answer.status_code == 200, answer
    assert answer.output.choices[0].message.content[0]["image"].startswith("http")
    ours, theirs = (request.body for request in model_studio.requests if request.method == "POST")
    assert ours == theirs


@pytest.mark.parametrize("frames", [0, 2])
async def test_a_seedance_is_asked_for_and_cancelled_as_the_sdk_does(ark: FakeByteDance, frames: int) -> None:
    model = get_model("seedance-2.0")
    deployment = deploy(ark, model, KEY)
    await make_video(ByteDance(), deployment, video_request(model, frames=frames))
    ours = ark.requests[0].body
    tasks = Ark(api_key=KEY, base_url=ark.base_url).content_generation.tasks
    accepted = tasks.create(
        model=model.upstream,
        content=ours["content"],
        resolution="720p",
        ratio="adaptive" if frames else "16:9",
        duration=5,
        generate_audio=True,
        watermark=False,
        execution_expires_after=3600,
    )
    theirs = ark.requests[-1].body
    assert ours == {name: value for name, value in theirs.items() if value is not None}
    for part in ours["content"]:
        check_request(CreateTaskContentTextParam if part["type"] == "text" else CreateTaskContentImageParam, part)
    task = tasks.get(task_id=accepted.id)
    assert (task.status, task.duration) == ("succeeded", 5)
    assert task.content.video_url.startswith("http")
    ark.behaviour.polls = 5
    state = await ByteDance().submit_video(deployment, video_request(model))
    assert await ByteDance().cancel_video(deployment, state.id)
    await close_pools()
    cancelled = ark.requests[-1]
    tasks.delete(tasks.create(model=model.upstream, content=ours["content"], ratio="adaptive").id)
    assert (ark.requests[-1].method, ark.requests[-1].path[:-5]) == (cancelled.method, cancelled.path[:-5])


@pytest.mark.parametrize("model_id", ["wan2.7-t2v", "wan2.7-i2v"])
async def test_a_wan_is_asked_for_and_cancelled_as_the_sdk_does(model_studio: FakeAlibaba, model_id: str) -> None:
    model = get_model(model_id)
    deployment = deploy(model_studio, model, KEY)
    await make_video(Alibaba(), deployment, video_request(model))
    ours = model_studio.requests[0].body
    answer = dashscope.VideoSynthesis.async_call(
        api_key=KEY,
        model=model.upstream,
        prompt=PROMPT,
        media=ours["input"].get("media"),
        resolution="720P",
        ratio=ours["parameters"].get("ratio"),
        duration=5,
        watermark=False,
    )
    assert answer.status_code == 200, answer
    theirs = model_studio.requests[-1].body
    theirs["input"] = {name: value for name, value in theirs["input"].items() if name not in SENT_BY_THE_SDK}
    assert ours == theirs
    answer = dashscope.VideoSynthesis.fetch(answer, api_key=KEY)
    assert answer.output.video_url.startswith("http")
    model_studio.behaviour.polls = 5
    state = await Alibaba().submit_video(deployment, video_request(model))
    assert await Alibaba().cancel_video(deployment, state.id)
    await close_pools()
    cancelled = model_studio.requests[-1]
    dashscope.VideoSynthesis.cancel(state.id, api_key=KEY)
    assert (model_studio.requests[-1].method, model_studio.requests[-1].path) == (cancelled.method, cancelled.path)
