"""`sandbox-chat`: everything that the API offers, and each failure on request."""

import asyncio
import json
from typing import Any

import jsonschema
import pytest

from accounts.keys import KeyRejected
from api.errors import STATUSES, to_openai
from gateway.catalog import get_model
from gateway.errors import GatewayError, InvalidValue, ProviderError, ProviderFault
from gateway.providers.base import (
    ChatProvider,
    Deployment,
    EmbeddingProvider,
    ImageProvider,
    TranscriptionProvider,
)
from gateway.providers.sandbox import Sandbox
from gateway.providers.sandbox.orders import PROVIDER_FAULTS, error_codes
from gateway.types import ChatRequest

MODEL = get_model("sandbox-chat")
DEPLOYMENT = Deployment(provider="sandbox", model=MODEL)
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 10},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 2, "maximum": 7},
    },
    "required": ["city", "unit", "days"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "get_time"}},
    {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}},
]


def ask(content: Any = "Hello, world", **body: Any) -> ChatRequest:
    messages = body.pop("messages", [{"role": "user", "content": content}])
    return ChatRequest(
        model="sandbox-chat",
        messages=messages,
        body={"model": "sandbox-chat", "messages": messages, **body},
        include_usage=bool(body.get("stream_options")),
        max_tokens=body.get("max_tokens"),
        n=body.get("n", 1),
    )


async def complete(*args: Any, **body: Any) -> dict[str, Any]:
    return (await Sandbox().chat(DEPLOYMENT, ask(*args, **body))).body


async def stream(*args: Any, **body: Any) -> list[dict[str, Any]]:
    chunks = []
    async for arrived in Sandbox().stream_chat(DEPLOYMENT, ask(*args, **body)):
        assert len(arrived) == 1
        chunks.append(json.loads(arrived[0]))
    return chunks


def text_of(answer: dict[str, Any], index: int = 0) -> str:
    return answer["choices"][index]["message"]["content"]


def joined(chunks: list[dict[str, Any]], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_it_implements_every_protocol_but_video():
    sandbox = Sandbox()

    for protocol in (ChatProvider, EmbeddingProvider, ImageProvider, TranscriptionProvider):
        assert isinstance(sandbox, protocol)


async def test_it_echoes_the_last_thing_that_the_user_said():
    messages = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "yes?"},
        {"role": "user", "content": "second"},
    ]
    answer = await complete(messages=messages)

    assert text_of(answer) == "You said: second"
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "sandbox-chat"
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_usage_adds_up_and_is_what_flows_are_told():
    answer = await Sandbox().chat(DEPLOYMENT, ask("Hello, world"))
    usage = answer.body["usage"]

    assert usage["prompt_tokens"] > 0
    assert usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0}
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )


async def test_text_parts_are_echoed_and_pictures_counted():
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    answer = await complete([{"type": "text", "text": "Look:"}, picture, picture])

    assert text_of(answer) == "You said: Look: I see 2 images."


async def test_a_stream_says_the_same_in_several_chunks_and_ends_with_usage():
    chunks = await stream("Hello, world")

    assert joined(chunks) == text_of(await complete("Hello, world"))
    assert sum(1 for chunk in chunks for choice in chunk["choices"] if choice["delta"].get("content")) > 2
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1


async def test_chunks_before_the_last_carry_null_usage_where_usage_was_asked_for():
    with_usage = await stream(stream_options={"include_usage": True})
    without = await stream()

    assert {chunk["usage"] for chunk in with_usage[:-1]} == {None}
    assert all("usage" not in chunk for chunk in without[:-1])


async def test_several_choices_differ_and_take_turns_in_a_stream():
    answer = await complete("hi", n=3)
    chunks = await stream("hi", n=3)

    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert len({text_of(answer, index) for index in range(3)}) == 3
    assert [joined(chunks, index) for index in range(3)] == [text_of(answer, index) for index in range(3)]
    assert [chunk["choices"][0]["index"] for chunk in chunks[:4]] == [0, 1, 2, 0]


@pytest.mark.parametrize("stop", ["world", ["nowhere", "world", "!"]])
async def test_it_ends_before_a_stop_word(stop):
    answer = await complete("Hello, world!", stop=stop)

    assert text_of(answer) == "You said: Hello, "
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_it_ends_at_the_limit_of_tokens():
    answer = await complete("one two three four five", max_tokens=3)
    chunks = await stream("one two three four five", max_tokens=3)

    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3
    assert joined(chunks) == text_of(answer) == "You said:"
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"


async def test_logprobs_name_every_token_and_its_rivals():
    answer = await complete("Grüße", logprobs=True, top_logprobs=3)
    content = answer["choices"][0]["logprobs"]["content"]

    assert "".join(entry["token"] for entry in content) == text_of(answer)
    for entry in content:
        assert bytes(entry["bytes"]).decode() == entry["token"]
        assert entry["logprob"] <= 0
        assert entry["top_logprobs"][0]["token"] == entry["token"]
        assert len(entry["top_logprobs"]) == 3
    chunks = await stream("Grüße", logprobs=True)
    streamed = [choice["logprobs"] for chunk in chunks for choice in chunk["choices"] if choice["logprobs"]]
    assert "".join(entry["token"] for part in streamed for entry in part["content"]) == text_of(answer)


async def test_without_being_asked_it_gives_no_logprobs():
    assert (await complete())["choices"][0]["logprobs"] is None


@pytest.mark.parametrize("choice", ["auto", "required", None])
async def test_the_first_tool_offered_is_called(choice):
    answer = await complete(tools=TOOLS, tool_choice=choice)
    call = answer["choices"][0]["message"]["tool_calls"][0]

    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert answer["choices"][0]["message"]["content"] is None
    assert call["type"] == "function"
    assert call["function"] == {"name": "get_time", "arguments": "{}"}


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "get_weather"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOLS[1]]}},
    ],
    ids=["function", "allowed_tools"],
)
async def test_the_named_tool_is_called_with_arguments_of_its_schema(choice):
    answer = await complete(tools=TOOLS, tool_choice=choice)
    call = answer["choices"][0]["message"]["tool_calls"][0]

    assert call["function"]["name"] == "get_weather"
    jsonschema.validate(json.loads(call["function"]["arguments"]), WEATHER)


async def test_a_tool_call_is_streamed_in_fragments():
    named = {"type": "function", "function": {"name": "get_weather"}}
    chunks = await stream(tools=TOOLS, tool_choice=named)
    calls = [call for chunk in chunks for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())]

    assert calls[0]["id"].startswith("call_")
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert len(calls) > 3
    assert all("id" not in call and call["index"] == 0 for call in calls[1:])
    jsonschema.validate(json.loads("".join(call["function"]["arguments"] for call in calls)), WEATHER)
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_tool_that_nobody_offered_is_refused():
    with pytest.raises(ProviderError) as refusal:
        await complete(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "nope"}})

    assert refusal.value.kind is ProviderFault.BAD_REQUEST
    assert refusal.value.param == "tool_choice"


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": "abc"},
        {"type": "function", "function": {"name": ["get_time"]}},
        {"type": "allowed_tools", "allowed_tools": "abc"},
        {"type": "allowed_tools", "allowed_tools": {"tools": [1, {"function": "abc"}]}},
        {"type": "allowed_tools", "allowed_tools": {"tools": 1}},
    ],
)
async def test_a_choice_that_makes_no_sense_names_no_tool(choice):
    with pytest.raises(ProviderError) as refusal:
        await complete(tools=TOOLS, tool_choice=choice)

    assert refusal.value.param == "tool_choice"


async def test_a_result_of_a_call_that_makes_no_sense_is_answered():
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "x", "function": "abc"}]},
        {"role": "tool", "tool_call_id": "x", "content": "12:30"},
    ]

    assert text_of(await complete(messages=messages)) == "The function `tool` answered: 12:30"


async def test_no_tool_is_called_where_none_is_wanted():
    assert text_of(await complete("hi", tools=TOOLS, tool_choice="none")) == "You said: hi"


async def test_after_a_tool_result_it_answers_text():
    call = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "12:30"},
    ]

    assert text_of(await complete(messages=messages, tools=TOOLS)) == "The function `get_time` answered: 12:30"


async def test_json_mode_answers_an_object():
    answer = json.loads(text_of(await complete('say "hi"', response_format={"type": "json_object"})))

    assert answer == {"answer": 'You said: say "hi"'}


async def test_structured_output_is_an_instance_of_the_schema():
    wanted = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER, "strict": True}}
    chunks = await stream("hi", response_format=wanted)

    jsonschema.validate(json.loads(joined(chunks)), WEATHER)


async def test_a_prompt_beyond_the_context_is_refused():
    with pytest.raises(ProviderError) as refusal:
        await complete("word " * 110_000)

    assert refusal.value.kind is ProviderFault.CONTEXT_LENGTH


async def test_the_most_that_can_be_asked_for_stays_small():
    answer = await complete("word " * 1500, n=128, logprobs=True)

    assert answer["usage"]["completion_tokens"] <= 8192


@pytest.mark.parametrize("code", error_codes())
async def test_it_fails_with_any_code_before_the_first_chunk(code):
    prompt = f"please sandbox:fail={code} now"
    with pytest.raises((ProviderError, GatewayError, KeyRejected)) as whole:
        await complete(prompt)
    with pytest.raises((ProviderError, GatewayError, KeyRejected)) as streamed:
        await anext(Sandbox().stream_chat(DEPLOYMENT, ask(prompt)))

    assert type(whole.value) is type(streamed.value)
    if code in PROVIDER_FAULTS:
        assert whole.value.kind is PROVIDER_FAULTS[code]
    else:
        assert whole.value.code == code


def test_it_fails_with_every_code_that_the_api_has():
    assert set(error_codes()) == set(STATUSES)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("idempotency_in_progress", 409, "invalid_request_error"),
        ("task_not_ready", 409, "invalid_request_error"),
        ("key_not_allowed", 403, "permission_error"),
        ("session_not_found", 404, "invalid_request_error"),
        ("idempotency_key_reused", 422, "invalid_request_error"),
    ],
)
async def test_a_failure_of_another_part_of_the_api_has_its_status(code, status, kind):
    with pytest.raises(GatewayError) as failure:
        await complete(f"sandbox:fail={code}")
    answer = to_openai(failure.value, "req_1")
    error = json.loads(answer.body)["error"]

    assert (answer.status, error["type"], error["code"]) == (status, kind, code)
    assert answer.headers.get("retry-after") == ("1" if code == "idempotency_in_progress" else None)


async def test_an_unknown_code_is_refused_with_those_that_there_are():
    with pytest.raises(InvalidValue, match="`overloaded`") as refusal:
        await complete("sandbox:fail=banana")

    assert refusal.value.param == "messages"


async def test_an_invented_limit_says_when_to_come_back():
    with pytest.raises(GatewayError) as refusal:
        await complete("sandbox:fail=rate_limit_exceeded")

    assert refusal.value.retry_after == 1


async def test_it_fails_only_on_the_users_last_words():
    messages = [{"role": "user", "content": "sandbox:fail=overloaded"}, {"role": "user", "content": "better?"}]

    assert text_of(await complete(messages=messages)) == "You said: better?"


@pytest.mark.parametrize(("asked", "waited"), [("0.25", 0.25), ("7", 7), ("4000", 60)])
async def test_it_waits_as_asked_and_a_minute_at_most(monkeypatch, asked, waited):
    naps = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await complete(f"sandbox:delay={asked}")

    assert naps == [waited]
