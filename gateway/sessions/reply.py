"""A model's reply as a message of the conversation: what the client saw of it, without the model's reasoning."""

from typing import Any

import msgspec
from msgspec import Struct

# Of a tool call, what comes in pieces; the rest comes whole, from some servers over and over.
_PIECES = frozenset({"arguments", "input"})


class _Said(Struct):
    """A message, or the part of one that a chunk brings."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(Struct):
    message: _Said | None = None
    delta: _Said | None = None


class _Answer(Struct):
    """A completion, or a chunk of one."""

    choices: list[_Choice] | None = None


_decode_chunk = msgspec.json.Decoder(_Answer).decode


def read_reply(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The first choice of OpenAI's `chat.completion`. None where it is no message as OpenAI's are."""
    try:
        choices = msgspec.convert(answer, _Answer).choices or [_Choice()]
    except msgspec.ValidationError:
        return None
    said = choices[0].message or _Said()
    return _message(said.content, said.refusal, said.tool_calls or [])


def join_reply(chunks: list[bytes]) -> dict[str, Any] | None:
    """The same of a stream's one choice, from its chunks: OpenAI's `chat.completion.chunk` as JSON."""
    try:
        answers = [_decode_chunk(chunk) for chunk in chunks]
    except msgspec.DecodeError:
        return None
    deltas = [choice.delta for answer in answers for choice in answer.choices or () if choice.delta is not None]
    tool_calls: dict[int, dict[str, Any]] = {}
    for delta in deltas:
        for position, fragment in enumerate(delta.tool_calls or ()):
            index = fragment.pop("index", position)
            _add(tool_calls.setdefault(index if isinstance(index, int) else position, {}), fragment)
    return _message(
        "".join(delta.content or "" for delta in deltas),
        "".join(delta.refusal or "" for delta in deltas),
        [tool_calls[index] for index in sorted(tool_calls)],
    )


def _message(content: str | None, refusal: str | None, tool_calls: list[dict[str, Any]]) -> dict[str, Any]:
    # Models' templates want a content, if an empty one, wherever nothing stands in its place.
    message: dict[str, Any] = {"role": "assistant", "content": content or (None if tool_calls else "")}
    if refusal:
        message["refusal"] = refusal
    if tool_calls:
        message["tool_calls"] = tool_calls
    return message


def _add(whole: dict[str, Any], fragment: dict[str, Any]) -> None:
    for name, value in fragment.items():
        before = whole.get(name)
        if isinstance(value, dict):
            whole[name] = before if isinstance(before, dict) else {}
            _add(whole[name], value)
        elif name in _PIECES and isinstance(value, str) and isinstance(before, str):
            whole[name] = before + value
        elif value is not None:
            whole[name] = value
