"""OpenAI's Responses API in the words of chat, and back."""

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.catalog import get_model
from gateway.errors import (
    ContentPolicyViolation,
    InvalidImageURL,
    InvalidType,
    InvalidValue,
    MissingParameter,
    Overloaded,
    RequestError,
)
from gateway.pricing import quote
from gateway.requests.chat import parse_chat
from gateway.requests.responses import ResponseRequest, parse_response
from gateway.responses.output import Choice, Output, describe_usage
from gateway.responses.tools import chat_name
from gateway.responses.words import rename_error, rename_param
from gateway.types import Usage
from tests.upstreams.openai_images import PNG

EVENT = TypeAdapter(ResponseStreamEvent)
PIXEL = f"data:image/png;base64,{b64encode(PNG).decode()}"
SHELL = {
    "type": "function",
    "name": "shell",
    "description": "Runs a command.",
    "strict": False,
    "parameters": {"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}}},
}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch hunk+ end_patch"},
}
DEMO = {
    "type": "namespace",
    "name": "mcp__demo__",
    "description": "Orders.",
    "tools": [{**SHELL, "name": "look_up"}, {**PATCH, "name": "note"}],
}
SEARCH = {"type": "web_search", "external_web_access": False}


def parse(input: Any = "Hello!", **fields: Any) -> ResponseRequest:
    return parse_response({"model": "sandbox-chat", "input": input, **fields})


def messages(*items: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    request = parse(list(items), **fields)
    assert request.obstacle is None, request.obstacle
    return request.chat.messages


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "input_text", "text": text}]}


def call(number: int, name: str = "shell") -> dict[str, Any]:
    return {"type": "function_call", "call_id": f"call_{number}", "name": name, "arguments": f'{{"n": {number}}}'}


def result(number: int, output: Any = "done") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": output}


# --- Input ------------------------------------------------------------------------------------------------------------


def test_a_text_is_a_users_message() -> None:
    assert parse("Hi").chat.messages == [{"role": "user", "content": "Hi"}]


def test_instructions_and_what_the_developer_says_first_are_one_system_message() -> None:
    said = messages({"role": "developer", "content": "Be kind."}, user("Hi"), instructions="Be brief.")
    assert said == [{"role": "system", "content": "Be brief.\n\nBe kind."}, {"role": "user", "content": "Hi"}]


def test_an_assistants_words_and_its_calls_are_one_message_and_results_are_the_tools() -> None:
    said = messages(
        user("Look."),
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "secret"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        call(1),
        call(2),
        result(1, "one"),
        result(2, [{"type": "input_text", "text": "two"}]),
        user("And?"),
    )
    assert [message["role"] for message in said] == ["user", "assistant", "tool", "tool", "user"]
    assert said[1]["content"] == "I look."
    assert [one["id"] for one in said[1]["tool_calls"]] == ["call_1", "call_2"]
    assert said[1]["tool_calls"][0]["function"] == {"name": "shell", "arguments": '{"n": 1}'}
    assert said[2:4] == [
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
        {"role": "tool", "tool_call_id": "call_2", "content": "two"},
    ]
    assert "secret" not in json.dumps(said)


def test_calls_without_words_are_a_message_without_content() -> None:
    said = messages(user("Look."), call(1), result(1))
    assert said[1]["content"] is None


def test_a_picture_that_a_tool_answers_follows_all_results_as_the_users() -> None:
    picture = [{"type": "input_image", "image_url": PIXEL}]
    said = messages(user("See."), call(1), call(2), result(1, picture), result(2))
    assert [message["role"] for message in said] == ["user", "assistant", "tool", "tool", "user"]
    assert said[4]["content"] == [{"type": "image_url", "image_url": {"url": PIXEL}}]


def test_pictures_files_and_sound_are_chats_parts() -> None:
    content = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": PIXEL, "detail": "high"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]
    assert messages({"role": "user", "content": content})[0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "high"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]


def test_custom_tools_and_namespaces_come_back_under_the_names_that_functions_have() -> None:
    said = messages(
        user("Go."),
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": '*** Begin\n+"x"'},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
        {**call(2, "look_up"), "namespace": "mcp__demo__"},
        result(2),
    )
    first, second = said[1]["tool_calls"][0]["function"], said[3]["tool_calls"][0]["function"]
    assert (first["name"], json.loads(first["arguments"])) == ("apply_patch", {"input": '*** Begin\n+"x"'})
    assert second["name"] == "mcp__demo__look_up"


@pytest.mark.parametrize(
    ("item", "kind", "param"),
    [
        ({"type": "function_call", "name": "x", "arguments": "{}"}, MissingParameter, "input[0].call_id"),
        ({"type": "function_call", "call_id": "c", "name": "x", "arguments": {}}, InvalidType, "input[0].arguments"),
        ({"type": "function_call_output", "call_id": "c"}, InvalidType, "input[0].output"),
        ({"role": "robot", "content": "x"}, InvalidValue, "input[0].role"),
        ({"role": "user", "content": [{"type": "input_text"}]}, MissingParameter, "input[0].content[0].text"),
        ({"role": "user", "content": [{"type": "input_video"}]}, InvalidValue, "input[0].content[0]"),
        (
            {"role": "assistant", "content": [{"type": "input_image", "image_url": PIXEL}]},
            InvalidValue,
            "input[0].content",
        ),
        ({"type": "local_shell_call", "call_id": "c", "action": {}}, InvalidValue, "input[0]"),
        ({"type": "compaction", "encrypted_content": "x"}, InvalidValue, "input[0]"),
    ],
)
def test_an_item_that_no_chat_can_say_is_an_obstacle_for_translation_alone(item, kind, param) -> None:
    request = parse([item, user("Hi")])
    assert isinstance(request.obstacle, kind)
    assert request.obstacle.param == param
    assert request.native["input"] == [item, user("Hi")]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"ark_stateful": True}, "ark_stateful"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]},
            "input[0].content[0].file_id",
        ),
        (
            {"input": [{"type": "computer_call_output", "call_id": "c", "output": {"file_id": "file-1"}}]},
            "input[0].output.file_id",
        ),
        ({"tools": [SHELL, {"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "tools[1]"),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, "tools[0]"),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, "tools[0]"),
        ({"tools": [{"type": "shell"}]}, "tools[0]"),
        ({"tools": [SHELL, {"type": "mcp", "server_label": "x", "connector_id": "connector_gmail"}]}, "tools[1]"),
        ({"tools": [{"type": "computer"}]}, "tools[0]"),
        ({"tools": [{"type": "programmatic_tool_calling"}]}, "tools[0]"),
        ({"tools": [{"type": "sorcery"}]}, "tools[0]"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [SHELL, {"type": "mcp"}]}]}, "tools[0].tools[1]"),
        ({"input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}, user("Hi")]}, "input[0].tools[0]"),
        ({"input": [{"type": "tool_search_output", "tools": [{"type": "mcp"}]}]}, "input[0].tools[0]"),
        ({"tools": [SEARCH], "tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tools": [SHELL], "tool_choice": {"type": "mcp", "server_label": "x"}}, "tool_choice"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"input": [user("a"), "b"]}, "input[1]"),
    ],
)
def test_what_is_kept_elsewhere_or_out_of_range_is_refused_by_name(fields, param) -> None:
    with pytest.raises(RequestError) as caught:
        parse(**fields)
    assert caught.value.param == param
    assert f"`{param}`" in caught.value.message


def test_a_picture_at_a_private_address_is_refused_where_it_stands() -> None:
    private = {"type": "input_image", "image_url": "http://169.254.169.254/latest"}
    with pytest.raises(InvalidImageURL) as caught:
        parse([user("Hi"), {"role": "user", "content": [{"type": "input_text", "text": "See"}, private]}])
    assert caught.value.param == "input[1].content[1].image_url"


# --- Parameters and tools ---------------------------------------------------------------------------------------------


def test_parameters_have_their_names_in_chat() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    chat = parse(
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        reasoning={"effort": "low", "summary": "auto"},
        text={"verbosity": "low", "format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}},
        prompt_cache_key="k",
        include=["message.output_text.logprobs"],
        top_logprobs=2,
        metadata={"a": "b"},
    ).chat
    body = {name: value for name, value in chat.body.items() if name not in ("model", "messages")}
    assert body == {
        "max_completion_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 2,
        "logprobs": True,
        "reasoning_effort": "low",
        "verbosity": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": schema, "strict": True},
        },
        "prompt_cache_key": "k",
    }
    assert chat.max_tokens == 50


def test_a_plain_request_asks_a_chat_for_nothing_besides() -> None:
    request = parse(text={"format": {"type": "text"}}, tools=[], tool_choice="auto", store=True)
    assert request.chat.body == {"model": "sandbox-chat", "messages": request.chat.messages}
    assert (request.left_out, request.left_out_of_chat) == ([], [])


def test_the_codex_command_lines_tools_are_functions_and_what_nobody_runs_is_named() -> None:
    request = parse(tools=[SHELL, PATCH, DEMO, SEARCH], tool_choice="auto", parallel_tool_calls=True)
    assert request.obstacle is None
    offered = {tool["function"]["name"]: tool["function"] for tool in request.chat.body["tools"]}
    assert list(offered) == ["shell", "apply_patch", "mcp__demo__look_up", "mcp__demo__note"]
    assert offered["shell"]["parameters"] == SHELL["parameters"]
    assert offered["apply_patch"]["parameters"]["required"] == ["input"]
    assert "start: begin_patch" in offered["apply_patch"]["description"]
    assert request.left_out == ["tools[3]"]
    assert request.native["tools"] == [SHELL, PATCH, DEMO]
    assert request.chat.body["parallel_tool_calls"] is True
    assert request.toolbox.paths == ["tools[0]", "tools[1]", "tools[2].tools[0]", "tools[2].tools[1]"]


def test_tools_can_come_as_an_item() -> None:
    added = {"type": "additional_tools", "role": "developer", "tools": [SHELL, SEARCH]}
    request = parse([added, user("Hi")])
    assert [tool["function"]["name"] for tool in request.chat.body["tools"]] == ["shell"]
    assert request.native["input"] == [{**added, "tools": [SHELL]}, user("Hi")]
    assert request.left_out == ["input[0].tools[1]"]


@pytest.mark.parametrize(
    "tool",
    [{"type": "local_shell"}, {"type": "apply_patch"}, {"type": "shell", "environment": {"type": "local"}}],
    ids=lambda tool: tool["type"],
)
def test_a_tool_that_chats_lack_is_an_obstacle_by_its_place(tool) -> None:
    request = parse(tools=[SHELL, tool])
    assert isinstance(request.obstacle, InvalidValue)
    assert request.obstacle.param == "tools[1]"
    assert request.native["tools"] == [SHELL, tool]


@pytest.mark.parametrize(
    ("choice", "in_chat", "offered"),
    [
        ("required", "required", 2),
        ("none", "none", 2),
        ({"type": "function", "name": "shell"}, {"type": "function", "function": {"name": "shell"}}, 2),
        ({"type": "custom", "name": "apply_patch"}, {"type": "function", "function": {"name": "apply_patch"}}, 2),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "apply_patch"}]},
            "required",
            1,
        ),
    ],
)
def test_a_choice_of_tools_is_chats(choice, in_chat, offered) -> None:
    body = parse(tools=[SHELL, PATCH], tool_choice=choice).chat.body
    assert body["tool_choice"] == in_chat
    assert len(body["tools"]) == offered


def test_a_choice_that_chats_lack_is_an_obstacle() -> None:
    request = parse(tools=[SHELL, {"type": "apply_patch"}], tool_choice={"type": "apply_patch"})
    assert request.obstacle is not None
    assert parse(tools=[SHELL], tool_choice={"type": "shell"}).obstacle.param == "tool_choice"


def test_names_are_the_same_each_time_and_never_too_long() -> None:
    assert chat_name("look_up", "mcp__demo__") == "mcp__demo__look_up"
    assert chat_name("shell", "functions") == chat_name("shell") == "shell"
    long, other = chat_name("a" * 60, "mcp__demo"), chat_name("a" * 61, "mcp__demo")
    assert len(long) == len(other) == 64
    assert long != other


def test_hints_that_only_openai_acts_on_are_named() -> None:
    request = parse(include=["reasoning.encrypted_content"], truncation="auto", service_tier="priority")
    assert request.left_out == ["service_tier"]
    assert request.left_out_of_chat == ["include", "truncation"]
    assert "service_tier" not in request.native


def test_what_costs_extra_at_openai_is_left_out() -> None:
    dearer = {"background_options": {"completion_window": "8h"}, "access_programs": {"cyber": "daybreak_red"}}
    request = parse(reasoning={"mode": "pro", "effort": "low", "summary": "auto"}, **dearer, another_day="x")
    assert request.native == {
        "model": "sandbox-chat",
        "input": request.body["input"],
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    assert request.left_out == ["access_programs", "background_options", "reasoning.mode"]


def test_thoughts_of_which_only_an_id_is_left_are_left_out() -> None:
    thoughts = {"type": "reasoning", "id": "rs_1", "summary": []}
    whole = {**thoughts, "id": "rs_2", "encrypted_content": "gAAAA"}
    assert parse([user("Hi"), thoughts, whole, user("Well?")]).native["input"] == [user("Hi"), whole, user("Well?")]


def test_it_is_quoted_as_the_same_chat_is() -> None:
    model, text = get_model("gpt-5.4"), "word " * 20_000
    tools = [{"type": "function", "function": {name: SHELL[name] for name in ("name", "description", "parameters")}}]
    said = {"model": "gpt-5.4", "messages": [{"role": "user", "content": text}], "tools": tools, "max_tokens": 9000}
    chat = quote(model, parse_chat(said))
    response = quote(
        model, parse_response({"model": "gpt-5.4", "input": text, "tools": [SHELL], "max_output_tokens": 9000}).chat
    )
    assert (response.base, response.ceiling) == pytest.approx((chat.base, chat.ceiling), abs=1)


# --- Names in errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_chat", "sent"),
    [
        ("messages[1].content[0].image_url", "input[2].content[0].image_url"),
        ("messages[1].content[0].image_url.url", "input[2].content[0].image_url"),
        ("messages[9]", "messages[9]"),
        ("tools[0]", "tools[1]"),
        ("messages", "input"),
        ("max_completion_tokens", "max_output_tokens"),
        ("reasoning_effort", "reasoning.effort"),
        ("response_format", "text.format"),
        ("temperature", "temperature"),
    ],
)
def test_a_chats_field_is_called_as_the_client_called_it(in_chat, sent) -> None:
    assert rename_param(in_chat, ["input[0]", "input[2]"], ["tools[1]"]) == sent


def test_an_error_keeps_its_kind_and_speaks_of_the_clients_field() -> None:
    error = rename_error(InvalidValue("`reasoning_effort` is not known.", param="reasoning_effort"), [], [])
    assert (type(error), error.param) == (InvalidValue, "reasoning.effort")
    assert error.message == "`reasoning.effort` is not known."


# --- Output -----------------------------------------------------------------------------------------------------------

USAGE = Usage(10, 7, cached_tokens=4, reasoning_tokens=2)


def tell(request: ResponseRequest, *deltas: dict[str, Any], finish_reason: str = "stop") -> list[dict[str, Any]]:
    """The events of a stream whose chunks bring `deltas`. Each has a shape that OpenAI's library knows."""
    output = Output(request)
    events = output.begin()
    for delta in deltas:
        events += output.add(msgspec.convert({"delta": delta}, Choice))
    events += output.add(Choice(finish_reason=finish_reason))
    events += output.end(describe_usage(USAGE))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    events = json.loads(json.dumps(events))
    for event in events:
        EVENT.validate_python(event)
    Response.model_validate(events[-1]["response"])
    return events


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_a_text_is_told_from_its_item_to_its_parts_and_back() -> None:
    events = tell(
        parse(metadata={"a": "b"}), {"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}
    )
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    response = events[-1]["response"]
    assert response["output"][0]["content"][0]["text"] == events[6]["text"] == "Hello"
    assert response["id"] == events[0]["response"]["id"]
    assert response["id"].startswith("resp_")
    assert response["output"][0]["id"].startswith("msg_")
    assert response["metadata"] == {"a": "b"}
    assert response["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 17,
    }
    assert events[0]["response"]["status"] == "in_progress"
    assert events[0]["response"]["output"] == []


def test_thoughts_words_refusals_and_calls_are_items_of_their_own() -> None:
    request = parse(tools=[SHELL, PATCH, DEMO])
    opening = {"index": 0, "id": "call_1", "function": {"name": "shell", "arguments": ""}}
    events = tell(
        request,
        {"reasoning_content": "Hm."},
        {"content": "I look."},
        {"refusal": "No."},
        {"tool_calls": [opening]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
        {"tool_calls": [{"index": 1, "id": "call_2", "function": {"name": "apply_patch", "arguments": '{"input": '}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": '"a\\nb"}'}}]},
        {"tool_calls": [{"index": 2, "id": "call_3", "function": {"name": "mcp__demo__look_up", "arguments": "{}"}}]},
        finish_reason="tool_calls",
    )
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == [
        "reasoning",
        "message",
        "message",
        "function_call",
        "custom_tool_call",
        "function_call",
    ]
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert output[2]["content"] == [{"type": "refusal", "refusal": "No."}]
    assert (output[3]["call_id"], output[3]["arguments"]) == ("call_1", '{"a":1}')
    assert (output[4]["call_id"], output[4]["name"], output[4]["input"]) == ("call_2", "apply_patch", "a\nb")
    assert (output[5]["name"], output[5]["namespace"]) == ("look_up", "mcp__demo__")
    assert [item["id"][:3] for item in output] == ["rs_", "msg", "msg", "fc_", "ctc", "fc_"]
    assert [event["item"] for event in events if event["type"] == "response.output_item.done"] == output
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.added"] == list(
        range(6)
    )
    deltas = [event["delta"] for event in events if event["type"] == "response.function_call_arguments.delta"]
    assert deltas == ['{"a":', "1}", "{}"]


def test_several_calls_that_all_count_as_the_first_stay_several() -> None:
    events = tell(
        parse(tools=[SHELL]),
        {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "shell", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "id": "call_2", "function": {"name": "shell", "arguments": "[]"}}]},
        {"tool_calls": [{"index": 0, "id": "call_3", "function": {"name": "shell", "arguments": "1"}}]},
    )
    calls = [(item["call_id"], item["arguments"]) for item in events[-1]["response"]["output"]]
    assert calls == [("call_1", "{}"), ("call_2", "[]"), ("call_3", "1")]


def test_what_some_servers_send_as_objects_is_understood() -> None:
    one = {"id": "call_1", "function": {"name": "shell", "arguments": {"a": 1}}}
    events = tell(parse(tools=[SHELL]), {"reasoning": {"tokens": []}}, {"reasoning": "Hm."}, {"tool_calls": [one]})
    thought, call = events[-1]["response"]["output"]
    assert (thought["content"][0]["text"], call["arguments"]) == ("Hm.", '{"a":1}')


def test_bare_text_for_a_custom_tool_is_taken_as_it_is() -> None:
    bare = {"index": 0, "id": "c", "function": {"name": "apply_patch", "arguments": "*** Begin Patch"}}
    events = tell(parse(tools=[PATCH]), {"tool_calls": [bare]})
    assert events[-1]["response"]["output"][0]["input"] == "*** Begin Patch"


@pytest.mark.parametrize(
    ("finish_reason", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_ended_is_incomplete(finish_reason, reason) -> None:
    *_, done, last = tell(parse(), {"content": "Half"}, finish_reason=finish_reason)
    assert last["type"] == "response.incomplete"
    assert last["response"]["status"] == done["item"]["status"] == "incomplete"
    assert last["response"]["incomplete_details"] == {"reason": reason}


def test_logprobs_come_with_the_text() -> None:
    output = Output(parse())
    one = {"token": "Hi", "bytes": [72, 105], "logprob": -0.1, "top_logprobs": []}
    output.begin()
    events = output.add(msgspec.convert({"delta": {"content": "Hi"}, "logprobs": {"content": [one]}}, Choice))
    output.end(describe_usage(USAGE))
    assert events[-1]["logprobs"] == [one]
    assert output.response["output"][0]["content"][0]["logprobs"] == [one]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Overloaded("Busy."), "server_is_overloaded"),
        (ContentPolicyViolation("Refused."), "invalid_prompt"),
    ],
)
def test_a_stream_that_breaks_off_says_why_and_keeps_what_there_was(error, code) -> None:
    output = Output(parse())
    output.begin()
    output.add(msgspec.convert({"delta": {"content": "Half"}}, Choice))
    (failed,) = output.fail(error)
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {"code": code, "message": error.message, "type": error.code}
    assert failed["response"]["output"][0]["content"][0]["text"] == "Half"
