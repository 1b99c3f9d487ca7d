"""The SDKs of ByteDance and Alibaba against the fakes: they send what we send, and can read the answers.

Kling publishes none.
"""

from collections.abc import Iterator

import dashscope
import pytest
from volcenginesdkarkruntime import Ark

from gateway.catalog import get_model
from gateway.providers.alibaba import Alibaba
from gateway.providers.bytedance import ByteDance
from gateway.providers.http import close_pools
from tests.upstreams.alibaba import FakeAlibaba
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.contract import PROMPT, chat_request, deploy, image_request

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
