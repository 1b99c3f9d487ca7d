"""What is kept of a reply: what its client saw, whole or put together of chunks."""

from typing import Any

import msgspec
import pytest

from gateway.sessions.reply import join_reply, read_reply


def answer(**message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


def chunks(*deltas: dict[str, Any]) -> list[bytes]:
    return [msgspec.json.encode({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]


def call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def fragment(index: int, arguments: str, **rest: Any) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments, **rest.pop("function", {})}, **rest}


def test_the_reasoning_is_not_sent_to_the_model_again() -> None:
    said = {"role": "assistant", "content": "4"}
    assert read_reply(answer(content="4", reasoning_content="2 and 2", annotations=[])) == said
    assert join_reply(chunks({"role": "assistant", "reasoning_content": "2 and"}, {"content": "4"})) == said


def test_a_refusal_is_kept() -> None:
    said = {"role": "assistant", "content": "", "refusal": "I cannot."}
    assert read_reply(answer(content=None, refusal="I cannot.")) == said
    assert join_reply(chunks({"refusal": "I "}, {"refusal": "cannot."})) == said


def test_a_reply_without_words_has_an_empty_content() -> None:
    said = {"role": "assistant", "content": ""}
    assert read_reply(answer(content=None)) == said
    assert join_reply(chunks({"role": "assistant"}, {})) == said
    assert join_reply([b'{"choices": [], "usage": {}}']) == said


def test_tool_calls_are_put_together_by_their_index() -> None:
    first, second = call("call_1", "look_up", '{"city": "Paris"}'), call("call_2", "wait", "{}")
    said = {"role": "assistant", "content": None, "tool_calls": [first, second]}
    assert read_reply(answer(content=None, tool_calls=[first, second])) == said
    opening = {"type": "function", "function": {"name": "look_up"}}
    streamed = chunks(
        {"role": "assistant", "content": None},
        {"tool_calls": [fragment(0, "", id="call_1", **opening)]},
        {
            "tool_calls": [
                fragment(0, '{"city": '),
                fragment(1, "", id="call_2", type="function", function={"name": "wait"}),
            ]
        },
        {"tool_calls": [fragment(1, "{}")]},
        {"tool_calls": [fragment(0, '"Paris"}')]},
    )
    assert join_reply(streamed) == said


def test_what_a_server_repeats_with_every_fragment_is_kept_once() -> None:
    repeated = {"id": "call_1", "type": "function", "function": {"name": "look_up"}}
    streamed = chunks(*({"tool_calls": [fragment(0, piece, **repeated)]} for piece in ("", "{", "}")))
    joined = join_reply(streamed)
    assert joined is not None
    assert joined["tool_calls"] == [call("call_1", "look_up", "{}")]


def test_words_beside_a_tool_call_are_kept() -> None:
    joined = join_reply(chunks({"content": "Let me see."}, {"tool_calls": [fragment(0, "{}", id="call_1")]}))
    assert joined is not None
    assert joined["content"] == "Let me see."


@pytest.mark.parametrize("message", [{"content": 5}, {"tool_calls": "none"}, {"tool_calls": ["x"]}], ids=str)
def test_what_is_no_message_cannot_be_gone_on_from(message: dict[str, Any]) -> None:
    assert read_reply(answer(**message)) is None
    assert join_reply(chunks(message)) is None
    assert read_reply({"choices": ["x"]}) is None
    assert join_reply([b"{"]) is None
