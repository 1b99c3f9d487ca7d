"""A model that only OpenAI's Responses API serves, asked for by chat completions like any other."""

import json
from typing import Any

import openai
import pytest

from gateway.models import Receipt
from tests.upstreams.openai import Behaviour

MODEL = "gpt-5.3-codex"  # 3 credits


def body(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], **fields}


@pytest.fixture
def client(gateway_url: str, alice: Any, upstream: Any) -> Any:
    return openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=alice.key, max_retries=0)


def test_it_answers_like_a_chat_model(client: Any, alice: Any, upstream: Any) -> None:
    completion = client.chat.completions.create(**body())
    assert completion.model == MODEL
    assert completion.choices[0].message.content == upstream.behaviour.reply
    assert upstream.requests[-1].path == "/v1/responses"
    assert alice.money()[0] == 500_000 - 3000


def test_its_stream_is_a_chats_and_its_tokens_are_on_the_receipt(client: Any, alice: Any, upstream: Any) -> None:
    upstream.behaviour = Behaviour(
        prompt_tokens=10_000,
        cached_tokens=8000,
        cache_write_tokens=500,
        completion_tokens=3000,
        reasoning_tokens=2500,
    )
    chunks = list(client.chat.completions.create(**body(stream=True, stream_options={"include_usage": True})))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == upstream.behaviour.reply
    assert {chunk.model for chunk in chunks} == {MODEL}
    usage = chunks[-1].usage
    assert (usage.prompt_tokens_details.cached_tokens, usage.completion_tokens_details.reasoning_tokens) == (8000, 2500)
    receipt = Receipt.objects.get()
    assert receipt.usage == {
        "input_tokens": 10_000,
        "cached_tokens": 8000,
        "cache_write_tokens": 500,
        "fresh_tokens": 1500,
        "output_tokens": 3000,
        "reasoning_tokens": 2500,
        "written_tokens": 500,
        "reported": True,
    }
    # The base; beyond it 6,000 cached tokens at 0.175 dollars a million, 2,000 of output at 14; times 32.5.
    assert receipt.captured + receipt.overrun == 3000 + 35 + 910


def test_a_refusal_costs_nothing(client: Any, alice: Any, upstream: Any) -> None:
    upstream.behaviour = Behaviour(filtered=True)
    for streamed in (False, True):
        with pytest.raises(openai.APIStatusError) as caught:
            list(client.chat.completions.create(**body(stream=streamed)))
        assert caught.value.code == "content_policy_violation"
    assert alice.money() == (500_000, 0, 1)


def test_what_it_lacks_is_refused_by_name(http: Any, alice: Any, upstream: Any) -> None:
    response = http.post("/v1/chat/completions", json=body(stop="x"), headers=alice.headers)
    assert (response.status_code, response.json()["error"]["param"]) == (422, "stop")
    assert upstream.requests == []


def test_what_it_does_without_is_named(http: Any, alice: Any, upstream: Any) -> None:
    response = http.post("/v1/chat/completions", json=body(seed=7), headers=alice.headers)
    assert response.status_code == 200
    assert response.headers["x-arkroute-ignored-params"] == "seed"
    assert "seed" not in json.dumps(upstream.requests[-1].body)
