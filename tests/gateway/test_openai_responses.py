"""Chats with a model that only OpenAI's Responses API serves: what is sent, and what a client gets for it."""

import base64
import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent, response_create_params

from gateway.catalog import get_model, list_models
from gateway.errors import InvalidValue, ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.openai import OpenAI
from gateway.requests.chat import parse_chat
from gateway.requests.support import check_support
from gateway.types import Usage
from tests.gateway.conftest import KEY
from tests.upstreams import openai_responses
from tests.upstreams.contract import deploy, secrets_of
from tests.upstreams.openai import PNG, Behaviour, FakeOpenAI
from tests.upstreams.sdk_types import check_request, read_answer

MODEL = "gpt-5.3-codex"
PICTURE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
adapter = OpenAI()

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
GRAMMAR = {"syntax": "regex", "definition": "[a-z]+"}
CUSTOM = {"type": "custom", "custom": {"name": "shell", "format": {"type": "grammar", "grammar": GRAMMAR}}}


def at(upstream: FakeOpenAI) -> Deployment:
    return deploy(upstream, get_model(MODEL), KEY)


def body_of(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], **fields}


async def complete(upstream: FakeOpenAI, **fields: Any) -> ChatCompletion:
    answer = await adapter.chat(at(upstream), parse_chat(body_of(**fields)))
    return read_answer(ChatCompletion, answer.body)


async def stream(upstream: FakeOpenAI, **fields: Any) -> list[ChatCompletionChunk]:
    request = parse_chat(body_of(stream=True, **fields))
    chunks = [chunk async for together in adapter.stream_chat(at(upstream), request) for chunk in together]
    return [read_answer(ChatCompletionChunk, json.loads(chunk)) for chunk in chunks]


def sent(upstream: FakeOpenAI) -> dict[str, Any]:
    """The body of the last request, which is as OpenAI documents it."""
    recorded = upstream.requests[-1]
    assert recorded.path == "/v1/responses"
    streamed = recorded.body.get("stream")
    kind = "ResponseCreateParamsStreaming" if streamed else "ResponseCreateParamsNonStreaming"
    check_request(getattr(response_create_params, kind), recorded.body)
    return recorded.body


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


async def refused(work: Any, upstream: FakeOpenAI) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await work
    for secret in secrets_of(upstream, KEY):
        assert secret not in str(caught.value)
    return caught.value


def test_only_openai_s_models_are_asked_by_responses() -> None:
    models = [one for one in list_models() if one.chat is not None and one.chat.api == "responses"]
    assert {one.provider for one in models} == {"openai"}
    assert MODEL in {one.id for one in models}


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(), Behaviour(tool_call=True), Behaviour(reasoning_tokens=4, messages=2), Behaviour(filtered=True)],
)
def test_the_fake_answers_in_the_types_of_openai_s_sdk(behaviour: Behaviour) -> None:
    body = {"model": MODEL, "input": "Hello"}
    read_answer(Response, openai_responses.answer(behaviour, body))
    for event in openai_responses.events(behaviour, body):
        read_answer(ResponseStreamEvent, event)


async def test_a_chat_is_a_response_that_is_not_kept(upstream: FakeOpenAI) -> None:
    completion = await complete(upstream)
    assert sent(upstream) == {"model": MODEL, "input": [{"role": "user", "content": "Hello"}], "store": False}
    [choice] = completion.choices
    assert (choice.message.role, choice.message.content) == ("assistant", upstream.behaviour.reply)
    assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
    assert (completion.id, completion.object, completion.created) == ("resp_fake", "chat.completion", 1_790_000_000)


async def test_a_stream_says_the_same_piece_by_piece(upstream: FakeOpenAI) -> None:
    chunks = await stream(upstream)
    assert sent(upstream)["stream_options"] == {"include_obfuscation": False}
    assert text_of(chunks) == upstream.behaviour.reply
    assert [choice.delta.role for chunk in chunks[:2] for choice in chunk.choices] == ["assistant", None]
    assert (chunks[-2].choices[0].finish_reason, chunks[-1].choices) == ("stop", [])
    assert {(chunk.id, chunk.object, chunk.created) for chunk in chunks} == {
        ("resp_fake", "chat.completion.chunk", 1_790_000_000)
    }


async def test_system_messages_at_the_beginning_are_the_instructions(upstream: FakeOpenAI) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}]},
        {"role": "user", "content": "Hello"},
        {"role": "developer", "content": "Now be loud."},
        {"role": "user", "content": "Hello again"},
    ]
    await complete(upstream, messages=messages)
    assert sent(upstream)["instructions"] == "Be brief.\n\nBe kind."
    assert [item["role"] for item in sent(upstream)["input"]] == ["user", "developer", "user"]


async def test_a_chat_of_instructions_alone_still_has_an_input(upstream: FakeOpenAI) -> None:
    await complete(upstream, messages=[{"role": "system", "content": "Say hello."}])
    assert sent(upstream)["input"] == [{"role": "system", "content": "Say hello."}]
    assert "instructions" not in sent(upstream)


async def test_pictures_and_files_go_along(upstream: FakeOpenAI) -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
    ]
    await complete(upstream, messages=[{"role": "user", "content": content}])
    [message] = sent(upstream)["input"]
    assert message["content"] == [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
        {"type": "input_image", "image_url": PICTURE, "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
    ]


async def test_a_conversation_with_tools_goes_along(upstream: FakeOpenAI) -> None:
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
        {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
    ]
    messages = [
        {"role": "user", "content": "Oslo?"},
        {"role": "assistant", "content": "Let me look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "rain"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "a.txt"},
        {"role": "assistant", "content": None, "refusal": "I had rather not."},
        {"role": "user", "content": "Please."},
    ]
    await complete(upstream, messages=messages, tools=[WEATHER, CUSTOM])
    assert sent(upstream)["input"] == [
        {"role": "user", "content": "Oslo?"},
        {"role": "assistant", "content": "Let me look."},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}'},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "shell", "input": "ls"},
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "a.txt"},
        {"role": "assistant", "content": "I had rather not."},
        {"role": "user", "content": "Please."},
    ]
    assert sent(upstream)["tools"] == [
        {"type": "function", "strict": False, **WEATHER["function"]},
        {"type": "custom", "name": "shell", "format": {"type": "grammar", **GRAMMAR}},
    ]


@pytest.mark.parametrize(
    ("choice", "becomes"),
    [
        ("required", "required"),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "function", "name": "weather"}),
        ({"type": "custom", "custom": {"name": "shell"}}, {"type": "custom", "name": "shell"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "weather"}}]},
            },
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
        ),
    ],
)
async def test_the_choice_of_a_tool_goes_along(upstream: FakeOpenAI, choice: Any, becomes: Any) -> None:
    await complete(upstream, tools=[WEATHER, CUSTOM], tool_choice=choice)
    assert sent(upstream)["tool_choice"] == becomes


async def test_a_function_without_parameters_has_an_empty_schema(upstream: FakeOpenAI) -> None:
    await complete(upstream, tools=[{"type": "function", "function": {"name": "now", "strict": True}}])
    [tool] = sent(upstream)["tools"]
    assert (tool["parameters"], tool["strict"]) == ({"type": "object", "properties": {}}, True)


async def test_options_have_other_names_there(upstream: FakeOpenAI) -> None:
    schema = {"name": "answer", "schema": {"type": "object"}, "strict": True}
    await complete(
        upstream,
        max_tokens=500,
        reasoning_effort="high",
        verbosity="low",
        response_format={"type": "json_schema", "json_schema": schema},
        temperature=0.5,
        parallel_tool_calls=False,
        logprobs=True,
        top_logprobs=3,
        seed=7,
        metadata={"for": "tests"},
        prompt_cache_key="a",
        store=True,
    )
    body = sent(upstream)
    assert {name: body[name] for name in set(body) - {"model", "input"}} == {
        "max_output_tokens": 500,
        "reasoning": {"effort": "high"},
        "text": {"format": {"type": "json_schema", **schema}, "verbosity": "low"},
        "temperature": 0.5,
        "parallel_tool_calls": False,
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 3,
        "metadata": {"for": "tests"},
        "prompt_cache_key": "a",
        "store": False,
    }


async def test_fields_of_that_api_alone_are_none_of_a_chats(upstream: FakeOpenAI) -> None:
    theirs = {"background": True, "conversation": "conv_1", "previous_response_id": "resp_1", "max_tool_calls": 3}
    await complete(upstream, **theirs, include=["file_search_call.results"], service_tier="priority", store=True)
    assert sent(upstream) == {"model": MODEL, "input": [{"role": "user", "content": "Hello"}], "store": False}


async def test_json_without_a_schema_can_be_asked_for(upstream: FakeOpenAI) -> None:
    await complete(upstream, response_format={"type": "json_object"})
    assert sent(upstream)["text"] == {"format": {"type": "json_object"}}


async def test_a_limit_below_the_least_that_openai_takes_is_raised_to_it(upstream: FakeOpenAI) -> None:
    await complete(upstream, max_completion_tokens=1)
    assert sent(upstream)["max_output_tokens"] == 16


async def test_a_tool_is_called(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(tool_call=True)
    for tool, kind in ((WEATHER, "function"), (CUSTOM, "custom")):
        [choice] = (await complete(upstream, tools=[tool])).choices
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
        assert choice.message.tool_calls
        [call] = choice.message.tool_calls
        assert (call.id, call.type) == ("call_fake1", kind)
    assert call.model_dump()["custom"] == {"name": "shell", "input": "Paris, please"}


async def test_a_tool_s_arguments_are_streamed(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(tool_call=True, reasoning_tokens=3)
    chunks = await stream(upstream, tools=[WEATHER])
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert (calls[0].id, calls[0].type, calls[0].index) == ("call_fake1", "function", 0)
    assert {call.index for call in calls} == {0}
    assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"city": "Paris"}'
    assert chunks[-2].choices[0].finish_reason == "tool_calls"


async def test_several_messages_are_parted(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(messages=2, reply="one two")
    assert (await complete(upstream)).choices[0].message.content == "one two\n\none two"
    assert text_of(await stream(upstream)) == "one two\n\none two"


async def test_usage_tells_what_was_cached_and_thought(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(
        prompt_tokens=30, cached_tokens=10, cache_write_tokens=5, completion_tokens=20, reasoning_tokens=12
    )
    answer = await adapter.chat(at(upstream), parse_chat(body_of()))
    assert answer.usage == Usage(30, 20, cached_tokens=10, cache_write_tokens=5, reasoning_tokens=12)
    usage = (await stream(upstream))[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (30, 20, 50)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 10
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 12


@pytest.mark.parametrize("behaviour", [Behaviour(usage=False), Behaviour(bad_usage=True)])
async def test_without_a_usage_that_makes_sense_we_count_ourselves(upstream: FakeOpenAI, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    request = parse_chat(body_of())
    answer = await adapter.chat(at(upstream), request)
    assert answer.usage.input_tokens == request.input_tokens
    assert (answer.usage.output_tokens > 10, answer.usage.reported) == (True, False)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_an_answer_that_was_cut_says_why(upstream: FakeOpenAI, reason: str) -> None:
    upstream.behaviour = Behaviour(finish_reason=reason)
    [choice] = (await complete(upstream)).choices
    assert (choice.message.content, choice.finish_reason) == (upstream.behaviour.reply, reason)
    chunks = await stream(upstream)
    assert (text_of(chunks), chunks[-2].choices[0].finish_reason) == (upstream.behaviour.reply, reason)


async def test_an_answer_that_was_filtered_away_is_content_policy(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(filtered=True)
    for work in (complete(upstream), stream(upstream)):
        assert (await refused(work, upstream)).kind is ProviderFault.CONTENT_POLICY


@pytest.mark.parametrize("end", ["failed", "error"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("server_error", ProviderFault.BROKEN),
        ("rate_limit_exceeded", ProviderFault.RATE_LIMITED),
        ("invalid_prompt", ProviderFault.CONTENT_POLICY),
        ("invalid_image_url", ProviderFault.BAD_REQUEST),
    ],
)
async def test_a_response_that_fails_is_no_answer(
    upstream: FakeOpenAI, end: str, code: str, kind: ProviderFault
) -> None:
    upstream.behaviour = Behaviour(end=end, code=code)
    error = await refused(stream(upstream), upstream)
    assert (error.kind, error.message) == (kind, upstream.behaviour.message)
    if end == "failed":
        assert (await refused(complete(upstream), upstream)).kind is kind


async def test_what_was_said_before_a_failure_was_said(upstream: FakeOpenAI) -> None:
    upstream.behaviour = Behaviour(error_after=6, code="server_is_overloaded")
    chunks: list[bytes] = []

    async def read() -> None:
        async for together in adapter.stream_chat(at(upstream), parse_chat(body_of(stream=True))):
            chunks.extend(together)

    assert (await refused(read(), upstream)).kind is ProviderFault.OVERLOADED
    assert [json.loads(chunk)["choices"][0]["delta"]["content"] for chunk in chunks] == ["one", " two"]


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(die_after=5),
        Behaviour(no_done=True),
        Behaviour(bad_chunk_after=5),
        Behaviour(html=True),
        Behaviour(raw_body='{"output": []}'),
        Behaviour(raw_body="[]"),
    ],
)
async def test_an_answer_that_is_none_is_broken(upstream: FakeOpenAI, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    assert (await refused(stream(upstream), upstream)).kind is ProviderFault.BROKEN
    if behaviour.raw_body or behaviour.html:
        assert (await refused(complete(upstream), upstream)).kind is ProviderFault.BROKEN


@pytest.mark.parametrize("behaviour", [Behaviour(split=1), Behaviour(crlf=True), Behaviour(comments=True)])
async def test_it_does_not_matter_how_the_stream_is_cut(upstream: FakeOpenAI, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    assert text_of(await stream(upstream)) == behaviour.reply


async def test_a_message_of_a_role_that_responses_lack_is_refused(upstream: FakeOpenAI) -> None:
    messages = [{"role": "system", "content": "x"}, {"role": "function", "name": "f", "content": "x"}]
    error = await refused(complete(upstream, messages=messages), upstream)
    assert (error.kind, error.param, upstream.requests) == (ProviderFault.BAD_REQUEST, "messages[1].role", [])


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("stop", "x"),
        ("n", 2),
        ("presence_penalty", 1),
        ("logit_bias", {"1": 5}),
        ("modalities", ["audio"]),
        ("functions", [{"name": "f"}]),
    ],
)
def test_what_responses_lack_is_refused_before_anything_is_asked(param: str, value: Any) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_support(get_model(MODEL), parse_chat(body_of(**{param: value})))
    assert caught.value.param == param
