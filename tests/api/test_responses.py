"""POST /v1/responses: passed through to OpenAI's models, translated for all others, and paid as chats are."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from api import sse
from billing.models import LedgerEntry
from gateway.flows import chat
from gateway.models import Receipt
from tests.api.test_chat_streams import assert_lets_go, wait_for_receipt
from tests.upstreams import openai_responses
from tests.upstreams.openai import Behaviour
from tests.upstreams.pool import CHAT_MODEL, pool_of_three

NATIVE, TRANSLATED = "gpt-5.4-mini", "sandbox-chat"  # 1 credit each
EVENT = TypeAdapter(ResponseStreamEvent)
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "What it is like outside.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Use the `apply_patch` tool to edit files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch hunk+ end_patch"},
}
# A turn of the Codex command line, as it writes it.
CODEX = {
    "instructions": "You are a coding agent.",
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions/>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Mend it."}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAAA"},
        {"type": "function_call", "name": "get_weather", "arguments": '{"city":"Paris"}', "call_id": "call_1"},
        {"type": "function_call_output", "call_id": "call_1", "output": "12 degrees"},
        {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch", "call_id": "call_2"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "Done!"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
    ],
    "tools": [
        WEATHER,
        PATCH,
        {"type": "namespace", "name": "mcp__demo__", "description": "Demo.", "tools": [{**WEATHER, "name": "look_up"}]},
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199a213-81c0-7800-8aa1-bbab2a035a53",
}


@pytest.fixture
def client(gateway_url: str, alice) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture(params=[NATIVE, TRANSLATED])
def model(request: pytest.FixtureRequest, upstream) -> str:
    """A model of each kind; OpenAI's is the fake one."""
    return request.param


def post(http: httpx.Client, person, input: Any = "Hello!", **fields: Any) -> httpx.Response:
    return http.post("/v1/responses", json={"model": NATIVE, "input": input, **fields}, headers=person.headers)


def stream(http: httpx.Client, person, input: Any = "Hello!", **fields: Any) -> httpx.Response:
    return post(http, person, input, stream=True, **fields)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """The events of a whole stream, each of which is named by its type."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if lines:
            event = json.loads(lines["data"])
            assert lines["event"] == event["type"]
            found.append(event)
    return found


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


# --- OpenAI's library, against both ways ------------------------------------------------------------------------------


def test_a_response_is_made(client, model) -> None:
    response = client.responses.create(model=model, instructions="Be brief.", input="Hello you!", metadata={"a": "b"})
    assert ("one two three" if model == NATIVE else "Hello you!") in response.output_text
    assert (response.model, response.status, response.metadata) == (model, "completed", {"a": "b"})
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    Response.model_validate(response.to_dict())


def test_a_response_is_streamed(client, model) -> None:
    received = list(client.responses.create(model=model, input="Hello you!", stream=True))
    for event in received:
        EVENT.validate_python(event.to_dict())
    assert [event.sequence_number for event in received] == list(range(len(received)))
    assert [received[0].type, received[1].type, received[-1].type] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    last = received[-1].response
    said = "".join(event.delta for event in received if event.type == "response.output_text.delta")
    assert said == last.output_text
    assert last.usage.credits == 1
    assert {event.response.model for event in received if hasattr(event, "response")} == {model}


def test_the_librarys_own_streams_add_up(client, model) -> None:
    with client.responses.stream(model=model, input="Hello you!") as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots[-1] == final.output_text != ""


def test_a_class_is_answered_with_an_instance(client, model, upstream) -> None:
    class Event(BaseModel):
        name: str
        year: int

    upstream.behaviour = Behaviour(reply='{"name": "Fair", "year": 1889}')
    response = client.responses.parse(model=model, input="When?", text_format=Event)
    assert isinstance(response.output_parsed, Event)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("tool", [WEATHER, PATCH], ids=["function", "custom"])
def test_tools_are_called_and_their_results_taken(client, model, upstream, tool, streamed) -> None:
    upstream.behaviour = Behaviour(tool_call=True)
    asked: dict[str, Any] = {"model": model, "input": [{"role": "user", "content": "Weather?"}], "tools": [tool]}
    if streamed:
        with client.responses.stream(**asked) as stream:
            response = stream.get_final_response()
    else:
        response = client.responses.create(**asked)
    (call,) = response.output
    assert (call.type, call.name) == ("custom_tool_call" if tool is PATCH else "function_call", tool["name"])
    if tool is WEATHER:
        assert set(json.loads(call.arguments)) == {"city"}
    else:
        assert not call.input.startswith("{")
    upstream.behaviour = Behaviour()
    output = {"type": f"{call.type}_output", "call_id": call.call_id, "output": "12 degrees"}
    said = {name: value for name, value in call.to_dict().items() if name != "parsed_arguments"}  # the library's own
    answered = client.responses.create(**asked | {"input": [*asked["input"], said, output]})
    assert answered.output_text


async def test_the_async_client_streams_too(gateway_url, alice) -> None:
    async with (
        openai.AsyncOpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1") as client,
        client.responses.stream(model=TRANSLATED, input="Hello!") as stream,
    ):
        assert "Hello!" in (await stream.get_final_response()).output_text


def test_a_turn_of_the_codex_command_line_is_answered(http, alice, model, upstream) -> None:
    response = http.post("/v1/responses", json={"model": model, **CODEX}, headers=alice.headers)
    received = events(response)
    assert received[-1]["type"] == "response.completed"
    done = [event["item"] for event in received if event["type"] == "response.output_item.done"]
    assert done == received[-1]["response"]["output"] != []
    ignored = "tools[3]" if model == NATIVE else "tools[3], include"
    assert response.headers["x-arkroute-ignored-params"] == ignored


# --- Passed through ---------------------------------------------------------------------------------------------------


def test_openai_is_sent_what_the_client_wrote_and_keeps_none_of_it(http, alice, upstream) -> None:
    http.post("/v1/responses", json={"model": NATIVE, **CODEX, "store": True}, headers=alice.headers)
    sent = upstream.requests[-1]
    assert sent.path == "/v1/responses"
    assert sent.body == {"model": NATIVE, **CODEX, "store": False, "tools": CODEX["tools"][:3]}


def test_the_models_thoughts_come_back_whole_since_none_are_stored(http, alice, upstream) -> None:
    for include in (None, [], ["reasoning.encrypted_content"], ["message.output_text.logprobs"]):
        assert post(http, alice, include=include).status_code == 200
        others = [name for name in include or () if not name.startswith("reasoning.")]
        assert upstream.requests[-1].body["include"] == [*others, "reasoning.encrypted_content"]


@pytest.mark.parametrize("streamed", [True, False])
def test_what_openai_bills_apart_reaches_it_by_no_way(http, alice, upstream, streamed) -> None:
    dearer = {"service_tier": "priority", "background_options": {"completion_window": "8h"}}
    response = post(http, alice, stream=streamed, reasoning={"mode": "pro"}, **dearer)
    assert response.status_code == 200, response.text
    assert response.headers["x-arkroute-ignored-params"] == "background_options, service_tier, reasoning.mode"
    assert not {*dearer} & {*upstream.requests[-1].body}
    assert upstream.requests[-1].body["reasoning"] == {}
    tool = {"type": "mcp", "server_label": "x", "server_url": "https://example.com/mcp"}
    refused = post(http, alice, stream=streamed, tools=[WEATHER, tool])
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "tools[1]")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_an_events_fields_may_come_in_any_order(http, alice, upstream, monkeypatch, end) -> None:
    written = openai_responses.events

    def reversed_events(behaviour: Behaviour, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for event in written(behaviour, body):
            yield dict(reversed(event.items()))

    monkeypatch.setattr(openai_responses, "events", reversed_events)
    upstream.behaviour = Behaviour(end="failed") if end == "failed" else Behaviour()
    received = events(stream(http, alice))
    assert text_of(received).startswith("one two")
    assert received[-1]["type"] == f"response.{end}"
    assert Receipt.objects.get().outcome == ("succeeded" if end == "completed" else "partial")


def test_the_name_asked_for_is_in_every_object(http, alice, upstream, settings) -> None:
    settings.MODEL_ALIASES = {"house-model": NATIVE}
    whole = post(http, alice, model="house-model")
    assert whole.json()["model"] == "house-model"
    assert whole.headers["x-arkroute-model"] == f"openai/{NATIVE}"
    received = events(stream(http, alice, model="house-model"))
    assert {event["response"]["model"] for event in received if "response" in event} == {"house-model"}
    assert upstream.requests[-1].body["model"] == NATIVE


def test_a_model_of_ours_that_stands_for_an_effort_asks_for_it(http, alice, upstream) -> None:
    assert post(http, alice, model="codex-auto-review").status_code == 200
    assert upstream.requests[-1].body["reasoning"] == {"effort": "low"}
    assert post(http, alice, model="codex-auto-review", reasoning={"effort": "high"}).status_code == 200
    assert upstream.requests[-1].body["reasoning"] == {"effort": "high"}


def test_what_only_openai_has_reaches_openai_and_no_other(http, alice, upstream) -> None:
    tools = [WEATHER, {"type": "local_shell"}]
    assert post(http, alice, tools=tools).status_code == 200
    assert upstream.requests[-1].body["tools"] == tools
    before = alice.money()
    for fields in ({"tools": tools}, {"tools": tools, "stream": True}):
        refused = post(http, alice, model=TRANSLATED, **fields)
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, "tools[1]")
    item = {"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "status": "completed", "action": {}}
    refused = post(http, alice, [item, {"role": "user", "content": "Hi"}], model=TRANSLATED)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "input[0]")
    assert alice.money() == before


@pytest.mark.parametrize("end", ["failed", "error"])
def test_a_response_that_openai_fails_before_its_first_word_is_an_http_error_and_free(
    http, alice, upstream, end
) -> None:
    upstream.behaviour = Behaviour(end=end, empty=True, code="server_is_overloaded")
    refused = stream(http, alice)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    if end == "failed":
        assert post(http, alice).status_code == 503
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize("end", ["failed", "error"])
def test_a_response_that_openai_fails_after_its_first_word_is_charged_and_says_so(http, alice, upstream, end) -> None:
    upstream.behaviour = Behaviour(end=end)
    received = events(stream(http, alice))
    assert text_of(received).startswith("one two")
    assert received[-1]["type"] == "response.failed"
    assert received[-1]["response"]["error"]["code"] == "server_error"
    assert "What was delivered is charged (1 credits)" in received[-1]["response"]["error"]["message"]
    assert Receipt.objects.get().outcome == "partial"
    assert alice.money()[:2] == (499_000, 0)


def test_the_models_thoughts_count_as_what_it_wrote(http, alice, upstream) -> None:
    upstream.behaviour = Behaviour(completion_tokens=3000, reasoning_tokens=2900, cached_tokens=4)
    usage = post(http, alice).json()["usage"]
    assert usage["output_tokens_details"] == {"reasoning_tokens": 2900}
    assert alice.money()[0] == 500_000 - 1_000 - 293  # 2,000 tokens at 0.14625 millicredits
    assert Receipt.objects.get().usage["reasoning_tokens"] == 2900


# --- Money ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [True, False])
def test_it_costs_what_the_same_chat_costs(http, alice, model, streamed) -> None:
    text = "word " * 8_000
    chat = {"model": model, "messages": [{"role": "user", "content": text}]}
    charged = http.post("/v1/chat/completions", json=chat, headers=alice.headers).headers["x-arkroute-credits"]
    response = post(http, alice, text, model=model, stream=streamed)
    if streamed:
        credits = events(response)[-1]["response"]["usage"]["credits"]
    else:
        credits = response.headers["x-arkroute-credits"]
    assert float(credits) == float(charged)
    ours = Receipt.objects.get(endpoint="/v1/responses")
    theirs = Receipt.objects.get(endpoint="/v1/chat/completions")
    assert (ours.outcome, ours.captured, ours.usage) == ("succeeded", theirs.captured, theirs.usage)
    assert ours.quote == pytest.approx(theirs.quote, abs=1)


@pytest.mark.parametrize("fault", [Behaviour(usage=False), Behaviour(bad_usage=True)], ids=["none", "nonsense"])
@pytest.mark.parametrize("streamed", [True, False])
def test_tokens_are_counted_where_openai_does_not(http, alice, upstream, fault, streamed) -> None:
    fault.reply = "x" * 6000
    upstream.behaviour = fault
    response = post(http, alice, stream=streamed)
    assert response.status_code == 200
    assert Receipt.objects.get().usage == {"input_tokens": 2, "output_tokens": 2000, "reported": False}
    assert alice.money()[0] == 500_000 - 1_000 - 147


@pytest.mark.parametrize("cut", range(0, 20, 2))
def test_a_stream_that_dies_costs_what_was_delivered(http, alice, upstream, cut) -> None:
    """Of its eighteen events the first four have no words."""
    upstream.behaviour = Behaviour(die_after=cut)
    response = stream(http, alice)
    posted, held, _ = alice.money()
    assert held == 0
    if cut <= 2:
        assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_error")
    elif cut < 18:
        *_, last = events(response)
        assert last["type"] == "response.failed"
        assert last["response"]["status"] == "failed"
        EVENT.validate_python(last)
    assert posted == (500_000 if cut <= 4 else 499_000)
    assert Receipt.objects.get().outcome == ("failed" if cut <= 4 else "partial" if cut < 18 else "succeeded")


def test_a_chat_that_dies_is_a_response_that_failed(http, alice, settings) -> None:
    with pool_of_three(settings) as replicas:
        for replica in replicas:
            replica.behaviour = Behaviour(die_after=4)
        received = events(stream(http, alice, model=CHAT_MODEL))
    last = received[-1]
    assert last["type"] == "response.failed"
    assert last["sequence_number"] == received[-2]["sequence_number"] + 1
    assert last["response"]["output"][0]["status"] == "incomplete"
    assert last["response"]["output"][0]["content"][0]["text"] == text_of(received)
    assert last["response"]["error"]["message"].startswith("The provider failed. What was delivered is charged (1 cr")
    assert alice.money()[:2] == (499_000, 0)


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (Behaviour(status=401, code="invalid_api_key"), 500, "provider_error"),
        (Behaviour(status=503, code="server_is_overloaded"), 503, "overloaded"),
        (Behaviour(status=400, code="context_length_exceeded"), 400, "context_length_exceeded"),
        (Behaviour(status=400, code="content_policy_violation"), 400, "content_policy_violation"),
        (Behaviour(status=400, code="invalid_value"), 422, "invalid_value"),
        (Behaviour(html=True, status=502), 500, "provider_error"),
        (Behaviour(bad_json=True), 500, "provider_error"),
        (Behaviour(error_in_200=True), 500, "provider_error"),
        (Behaviour(refuse=True), 500, "provider_error"),
    ],
    ids=lambda value: str(value) if not isinstance(value, Behaviour) else "",
)
@pytest.mark.parametrize("streamed", [True, False])
def test_what_goes_wrong_before_the_first_byte_is_an_http_error_and_free(
    http, alice, upstream, behaviour, status, code, streamed
) -> None:
    if streamed and behaviour.bad_json:
        behaviour = Behaviour(bad_chunk_after=0)
    upstream.behaviour = behaviour
    response = post(http, alice, stream=streamed)
    assert response.status_code == status, response.text
    assert response.json()["error"]["code"] == code
    assert "sk-test" not in response.text
    assert upstream.base_url not in response.text
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_leaves_while_it_waits_pays_nothing(gateway_url, alice, upstream, streamed) -> None:
    upstream.behaviour = Behaviour(hang=True)
    body = {"model": NATIVE, "input": "Hello!", "stream": streamed}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway_url}/v1/responses", json=body, headers=alice.headers, timeout=0.3)
    assert (wait_for_receipt().outcome, alice.money()[:2]) == ("failed", (500_000, 0))
    assert_lets_go(upstream)


def test_a_client_that_leaves_a_stream_pays_what_it_got_and_the_provider_is_let_go(
    gateway_url, alice, upstream, monkeypatch
) -> None:
    monkeypatch.setattr(chat, "LINGER_SECONDS", 0.3)
    upstream.behaviour = Behaviour(reply="word " * 500, chunk_delay=0.02)
    body = {"model": NATIVE, "input": "Hello!", "stream": True}
    with (
        httpx.Client(base_url=gateway_url, timeout=10) as http,
        http.stream("POST", "/v1/responses", json=body, headers=alice.headers) as response,
    ):
        chunks = response.iter_text()
        while "output_text.delta" not in next(chunks):
            pass
    receipt = wait_for_receipt()
    assert receipt.outcome == "partial"
    assert 0 < receipt.usage["output_tokens"] < 800
    assert alice.money()[:2] == (499_000, 0)
    assert_lets_go(upstream)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_small_balance_caps_the_output_instead_of_refusing(http, make_person, upstream, streamed) -> None:
    poor = make_person("poor@example.com", credits=1)
    response = post(http, poor, max_output_tokens=9000, stream=streamed)
    assert response.status_code == 200
    assert response.headers["x-arkroute-capped-tokens"] == "1000"
    assert upstream.requests[-1].body["max_output_tokens"] == 1000
    assert poor.money()[:2] == (0, 0)
    assert not LedgerEntry.objects.filter(kind="overrun").exists()


# --- Answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_that_reached_its_limit_is_incomplete(http, alice, model, upstream, streamed) -> None:
    upstream.behaviour = Behaviour(finish_reason="length")
    response = post(http, alice, "word " * 50, model=model, max_output_tokens=16, stream=streamed)
    answer = events(response)[-1]["response"] if streamed else response.json()
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_after_a_comment_an_error_is_an_event_that_the_library_raises(
    client, http, alice, upstream, monkeypatch
) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    upstream.behaviour = Behaviour(delay=0.3, status=400, code="content_policy_violation")
    response = stream(http, alice)
    (event,) = events(response)
    assert (event["type"], event["code"], event["error"]["code"]) == ("error", *["content_policy_violation"] * 2)
    with pytest.raises(openai.APIError, match="refused this content"):
        list(client.responses.create(model=NATIVE, input="Hello!", stream=True))
    assert alice.money()[:2] == (500_000, 0)


def test_without_credentials_a_stand_in_answers(http, alice) -> None:
    response = post(http, alice, tools=[WEATHER])
    assert response.json()["output"][0]["name"] == "get_weather"
    assert response.headers["x-arkroute-stand-in"] == "true"
    assert response.json()["model"] == NATIVE


def test_what_a_model_lacks_is_named_as_the_client_wrote_it(http, alice, settings) -> None:
    entry = {"type": "chat", "credits": 1, "vision": False, "refuses": ["top_p"], "ignores": ["reasoning_effort"]}
    picture = {"type": "input_image", "image_url": "https://example.com/cat.png"}
    with pool_of_three(settings):
        pools = settings.SELFHOSTED_POOLS
        settings.SELFHOSTED_POOLS = {
            "gpus": {**pools["gpus"], "models": {CHAT_MODEL: {**entry, "upstream": "their-llama"}}}
        }
        refused = post(http, alice, model=CHAT_MODEL, top_p=0.5)
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, "top_p")
        said = [{"role": "developer", "content": "a"}, {"role": "user", "content": [picture]}]
        refused = post(http, alice, said, model=CHAT_MODEL, instructions="b")
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, "input[1].content[0].image_url")
        assert "`input[1].content[0].image_url`" in refused.json()["error"]["message"]
        answered = post(http, alice, model=CHAT_MODEL, reasoning={"effort": "low"}, truncation="auto")
        assert answered.headers["x-arkroute-ignored-params"] == "truncation, reasoning.effort"


def test_a_cookie_leads_back_to_the_same_replica(gateway_url, alice, settings) -> None:
    with pool_of_three(settings), httpx.Client(base_url=gateway_url, headers=alice.headers, timeout=30) as http:
        answers = [
            http.post("/v1/responses", json={"model": CHAT_MODEL, "input": "Hello!", "stream": number % 2 == 1})
            for number in range(4)
        ]
    assert [one.headers["x-arkroute-session-state"] for one in answers] == ["new", "hit", "hit", "hit"]


def test_what_is_kept_nowhere_is_refused_in_a_sentence(http, alice) -> None:
    before = alice.money()
    refused = post(http, alice, previous_response_id="resp_1")
    assert refused.status_code == 422
    assert refused.json()["error"] == {
        "message": "`previous_response_id` is not kept here. Send the whole input instead.",
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "invalid_value",
    }
    assert alice.money() == before
