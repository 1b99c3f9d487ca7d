"""Parameters that a model lacks: refused where the answer would mean something else, left out and told where not."""

from collections.abc import Iterator

import httpx
import pytest
from openai import OpenAI, UnprocessableEntityError

from tests.upstreams.replica import FakeReplica

ENGINE = "smollm2-135m-instruct"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
HELLO = {"messages": [{"role": "user", "content": "Hello!"}]}


@pytest.fixture
def engine(settings) -> Iterator[FakeReplica]:
    """A server that answers as the engine would; no vendor has credentials."""
    with FakeReplica("engine", kind="llama.cpp", models=(ENGINE,)) as fake:
        settings.ENGINE_URL = fake.base_url.removesuffix("/v1")
        settings.PROVIDERS = {"openai": {"api_keys": [], "base_url": ""}}
        yield fake


def complete(http: httpx.Client, person, model: str = ENGINE, **fields) -> httpx.Response:
    return http.post("/v1/chat/completions", json={"model": model, **HELLO, **fields}, headers=person.headers)


def error_of(response: httpx.Response) -> dict:
    assert response.status_code == 422, response.text
    return response.json()["error"]


# --- Asked itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_tools_on_a_model_without_them_are_a_422_and_cost_nothing(http, alice, engine, stream) -> None:
    error = error_of(complete(http, alice, tools=[WEATHER], stream=stream))
    assert (error["param"], error["code"], error["type"]) == ("tools", "invalid_value", "invalid_request_error")
    assert "`tool_choice`" in error["message"]
    assert engine.chats == 0
    assert alice.money() == (500_000, 0, 1)


def test_the_openai_client_reads_which_parameter_it_was(gateway_url, alice, engine) -> None:
    client = OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1", max_retries=0)
    with pytest.raises(UnprocessableEntityError) as caught:
        client.chat.completions.create(model="gpt-4o", tools=[WEATHER], **HELLO)
    assert caught.value.param == "tools"
    assert "`smollm2-135m-instruct`, which `gpt-4o` stands for here" in caught.value.message


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_forced_tool_reaches_the_engine(http, alice, engine, choice) -> None:
    response = complete(http, alice, tools=[WEATHER], tool_choice=choice)
    assert response.status_code == 200, response.text
    (sent,) = engine.chat_bodies
    assert sent["tools"] == [WEATHER]
    assert sent["tool_choice"] == choice


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 5}, "n"),
        ({"functions": [{"name": "weather"}]}, "functions"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]}]},
            "messages[0].content[1].image_url",
        ),
    ],
)
def test_what_the_engine_cannot_do_is_a_422_that_names_it(http, alice, engine, fields, param) -> None:
    assert error_of(complete(http, alice, **fields))["param"] == param
    assert engine.chats == 0


@pytest.mark.parametrize("stream", [False, True])
def test_harmless_parameters_are_not_sent_on_and_the_answer_names_them(http, alice, engine, stream) -> None:
    response = complete(http, alice, stream=stream, user="alice", temperature=0, store=True, metadata={}, seed=7)
    assert response.status_code == 200, response.text
    assert response.headers["x-arkroute-ignored-params"] == "user, store"
    (sent,) = engine.chat_bodies
    assert {"user", "store", "metadata"}.isdisjoint(sent)
    assert (sent["temperature"], sent["seed"]) == (0, 7)


def test_an_answer_that_honours_everything_names_nothing(http, alice, engine) -> None:
    response = complete(http, alice, temperature=0.5, n=1, tool_choice="none", logit_bias={"60": -1})
    assert response.status_code == 200, response.text
    assert "x-arkroute-ignored-params" not in response.headers


# --- As a stand-in ----------------------------------------------------------------------------------------------------


def test_a_chat_with_tools_passes_over_the_engine_to_the_sandbox(http, alice, engine) -> None:
    response = complete(http, alice, "gpt-5.5", tools=[WEATHER])
    assert response.status_code == 200, response.text
    assert response.headers["x-arkroute-model"] == "sandbox/sandbox-chat"
    assert response.headers["x-arkroute-stand-in"] == "true"
    (call,) = response.json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert engine.chats == 0


def test_a_picture_goes_to_the_sandbox_and_a_forced_tool_to_the_engine(http, alice, engine) -> None:
    seen = complete(http, alice, "gpt-5.5", messages=[{"role": "user", "content": [PICTURE]}])
    assert seen.headers["x-arkroute-model"] == "sandbox/sandbox-chat", seen.text
    forced = complete(http, alice, "gpt-5.5", tools=[WEATHER], tool_choice="required")
    assert forced.headers["x-arkroute-model"] == f"engine/{ENGINE}", forced.text


def test_a_stand_in_tells_what_it_left_out(http, alice, engine) -> None:
    response = complete(http, alice, "gpt-5.5", reasoning_effort="high")
    assert response.headers["x-arkroute-model"] == f"engine/{ENGINE}"
    assert response.headers["x-arkroute-ignored-params"] == "reasoning_effort"
    assert "reasoning_effort" not in engine.chat_bodies[-1]


# --- Vendors and pools ------------------------------------------------------------------------------------------------


def test_a_vendor_is_sent_what_costs_nothing_extra_as_it_came(http, alice, upstream) -> None:
    fields = {"user": "alice", "tools": [WEATHER], "n": 8, "prompt_cache_key": "x", "reasoning_effort": "high"}
    response = complete(http, alice, "gpt-5.5", **fields)
    assert response.status_code == 200, response.text
    assert "x-arkroute-ignored-params" not in response.headers
    sent = upstream.requests[-1].body
    assert {name: sent[name] for name in fields} == fields


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-5.3-codex"])
def test_a_vendors_dearer_tiers_and_stores_are_left_out_by_name(http, alice, upstream, model) -> None:
    response = complete(http, alice, model, service_tier="priority", store=True)
    assert response.status_code == 200, response.text
    assert response.headers["x-arkroute-ignored-params"] == "service_tier, store"
    sent = upstream.requests[-1].body
    assert "service_tier" not in sent
    assert not sent.get("store")


def test_a_search_that_a_vendor_bills_apart_is_refused(http, alice, upstream) -> None:
    assert error_of(complete(http, alice, "gpt-5.5", web_search_options={}))["param"] == "web_search_options"
    assert upstream.requests == []


def test_a_file_of_the_operators_account_is_refused_where_it_stands(http, alice, upstream) -> None:
    part = {"type": "file", "file": {"file_id": "file-1"}}
    response = complete(http, alice, "gpt-5.5", messages=[{"role": "user", "content": [part]}])
    assert error_of(response)["param"] == "messages[0].content[0].file.file_id"
    assert upstream.requests == []


def test_a_pools_entry_says_what_its_model_lacks(http, alice, settings) -> None:
    with FakeReplica("a", models=("their-llama",)) as replica:
        entry = {"upstream": "their-llama", "tools": False, "refuses": ["logit_bias"], "ignores": ["user"]}
        settings.SELFHOSTED_POOLS = {"gpus": {"replicas": [replica.base_url], "models": {"house-llama": entry}}}
        assert (
            error_of(complete(http, alice, "house-llama", tools=[WEATHER], tool_choice="required"))["param"] == "tools"
        )
        assert error_of(complete(http, alice, "house-llama", logit_bias={"5": 1}))["param"] == "logit_bias"
        response = complete(http, alice, "house-llama", user="alice", verbosity="low")
        assert response.headers["x-arkroute-ignored-params"] == "user"
        assert "user" not in replica.chat_bodies[-1]
        assert replica.chat_bodies[-1]["verbosity"] == "low"
