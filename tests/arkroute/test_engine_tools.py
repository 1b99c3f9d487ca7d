"""Function calls that a request demands, from a model whose template knows no tools."""

import json

import httpx
import jsonschema
import pytest

from arkroute.engine.tools import arguments_request, functions_to_call, without_tools
from tests.arkroute.conftest import Running
from tests.arkroute.engines import engine_environment, running_engine
from tests.upstreams.tiny_gguf import write_tiny_gguf

WEATHER_ARGUMENTS = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Paris", "Oslo"]},
        "days": {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 3},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Tells the weather", "parameters": WEATHER_ARGUMENTS},
}
TIME = {"type": "function", "function": {"name": "get_time"}}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
ASKED = [{"role": "user", "content": "What is the weather?"}]
# As it goes on once the functions were called.
ANSWERED = [
    {"role": "system", "content": "Be brief."},
    *ASKED,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "Rain."}]},
]
# Enough of a template that llama.cpp takes it for one of a model that was trained on tools.
TEMPLATE_WITH_TOOLS = (
    "{% if tools %}Tools: {{ tools | tojson }}\n{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for call in m.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}\n{% endfor %}"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine")
    write_tiny_gguf(folder / "tiny.gguf")
    with running_engine(folder, engine_environment(folder, folder / "tiny.gguf")) as running:
        yield running


def chat(engine: Running, **fields) -> httpx.Response:
    body = {"messages": ASKED, "max_tokens": 400} | fields
    return httpx.post(f"{engine.url}/v1/chat/completions", json=body, timeout=30)


def test_the_function_that_is_named_is_called(engine):
    answer = chat(engine, tools=[TIME, WEATHER], tool_choice=NAMED).json()
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call["id"].startswith("call_")
    assert (call["type"], call["function"]["name"]) == ("function", "get_weather")
    jsonschema.validate(json.loads(call["function"]["arguments"]), WEATHER_ARGUMENTS)
    assert answer["usage"]["completion_tokens"] > 0


def test_of_several_functions_one_is_chosen_and_both_requests_count(engine):
    named = chat(engine, tools=[WEATHER], tool_choice="required").json()
    chosen = chat(
        engine,
        tools=[WEATHER, {**WEATHER, "function": {**WEATHER["function"], "name": "other"}}],
        tool_choice="required",
    ).json()
    (call,) = chosen["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] in {"get_weather", "other"}
    jsonschema.validate(json.loads(call["function"]["arguments"]), WEATHER_ARGUMENTS)
    usage = chosen["usage"]
    assert usage["prompt_tokens"] > 2 * named["usage"]["prompt_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_function_without_parameters_is_called_with_none(engine):
    answer = chat(engine, tools=[TIME], tool_choice="required").json()
    assert json.loads(answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]) == {}


@pytest.mark.parametrize("tools", [[WEATHER], [WEATHER, TIME]], ids=["one", "several"])
def test_a_call_is_streamed_in_fragments(engine, tools):
    answer = chat(engine, tools=tools, tool_choice="required", stream=True, stream_options={"include_usage": True})
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    *chunks, counted = map(json.loads, lines)
    assert counted["choices"] == []
    assert counted["usage"]["completion_tokens"] > 0

    first, *middle, last = [chunk["choices"][0] for chunk in chunks]
    assert first["delta"]["role"] == "assistant"
    (call,) = first["delta"]["tool_calls"]
    assert (call["index"], call["type"], call["id"][:5]) == (0, "function", "call_")
    fragments = [choice["delta"]["tool_calls"][0] for choice in middle]
    assert {fragment["index"] for fragment in fragments} == {0}
    arguments = json.loads("".join(fragment["function"]["arguments"] for fragment in fragments))
    assert call["function"]["name"] == ("get_weather" if arguments else "get_time")
    assert last["finish_reason"] == "tool_calls"


def test_each_of_several_choices_is_a_call(engine):
    answer = chat(engine, tools=[WEATHER], tool_choice=NAMED, n=2).json()
    calls = [choice["message"]["tool_calls"][0] for choice in answer["choices"]]
    assert len({call["id"] for call in calls}) == 2


def test_a_call_that_was_cut_off_says_so(engine):
    answer = chat(engine, tools=[WEATHER], tool_choice=NAMED, max_tokens=3).json()
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [WEATHER]}, "tools"),
        ({"tools": [WEATHER], "tool_choice": "auto"}, "tools"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "unknown"}}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}], "tool_choice": "required"}, "tools[0]"),
    ],
    ids=["no choice", "auto", "unknown name", "unknown choice", "no tools", "custom tool"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_cannot_be_done_is_refused(engine, fields, param, stream):
    answer = chat(engine, **fields, stream=stream)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_a_schema_that_is_none_is_refused_as_llama_cpp_says_it(engine):
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "banana"}}}
    answer = chat(engine, tools=[tool], tool_choice=NAMED)
    assert answer.status_code == 400
    assert "banana" in answer.json()["error"]["message"]


def test_a_conversation_goes_on_after_a_call(engine):
    answer = chat(engine, messages=ANSWERED, tools=[WEATHER], tool_choice="none", max_tokens=8).json()
    assert answer["choices"][0]["message"].get("tool_calls") is None
    again = chat(engine, messages=ANSWERED, tools=[WEATHER], tool_choice="required").json()
    assert again["choices"][0]["finish_reason"] == "tool_calls"
    without = chat(engine, messages=ANSWERED, max_tokens=8)
    assert without.status_code == 200


def test_earlier_calls_and_their_results_are_told_in_words():
    plain = without_tools({"messages": ANSWERED, "tools": [WEATHER], "tool_choice": "none", "seed": 1})
    assert plain == {
        "seed": 1,
        "messages": [
            {"role": "system", "content": "Be brief."},
            *ASKED,
            {"role": "assistant", "content": "get_weather({})"},
            {"role": "user", "content": "get_weather returned: Rain."},
        ],
    }


def test_the_model_is_told_what_it_can_call():
    body = {"messages": ANSWERED, "tools": [WEATHER], "tool_choice": "required", "grammar": "root ::= x", "id_slot": 1}
    functions = functions_to_call(body)
    request = arguments_request(body, functions, functions[0])
    first = request["messages"][0]["content"]
    assert first.startswith("Be brief.\n\n")
    assert "get_weather: Tells the weather" in first
    assert '"Oslo"' in first
    assert request["id_slot"] == 1
    assert request["response_format"]["json_schema"]["schema"] == WEATHER_ARGUMENTS
    assert not {"tools", "tool_choice", "grammar"} & request.keys()


def test_a_model_that_knows_tools_is_left_to_choose(tmp_path):
    write_tiny_gguf(tmp_path / "tools.gguf", TEMPLATE_WITH_TOOLS)
    with running_engine(tmp_path, engine_environment(tmp_path, tmp_path / "tools.gguf")) as running:
        assert httpx.get(f"{running.url}/props").json()["chat_template_caps"]["supports_tools"]
        answer = chat(running, tools=[WEATHER], tool_choice="auto", max_tokens=8)
        assert answer.status_code == 200
