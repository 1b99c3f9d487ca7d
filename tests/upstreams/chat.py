"""Chat completions as vendors' fakes answer them that speak OpenAI's protocol beside an API of their own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.upstreams.server import Faults

Types = Mapping[str, type | tuple[type, ...]]
MESSAGE_ROLES = {"system", "developer", "user", "assistant", "tool"}
# What every one of them takes.
BASIC: Types = {
    "model": str,
    "messages": list,
    "stream": bool,
    "stream_options": dict,
    "max_tokens": int,
    "max_completion_tokens": int,
    "n": int,
    "temperature": (int, float),
    "top_p": (int, float),
    "stop": (str, list),
    "tools": list,
    "tool_choice": (str, dict),
    "parallel_tool_calls": bool,
    "response_format": dict,
    "logprobs": bool,
    "top_logprobs": int,
    "presence_penalty": (int, float),
    "frequency_penalty": (int, float),
    "reasoning_effort": str,
    "user": str,
}


@dataclass
class ChatFaults(Faults):
    """What a chat is answered with, in pieces of one word, and what of it may be missing."""

    reply: str = "one two three four five"
    reasoning: str = ""  # told before the reply, as `reasoning_content`
    finish_reason: str = "stop"
    usage: bool = True  # in a stream: only if it was asked for
    prompt_tokens: int = 11
    completion_tokens: int = 10
    cached_tokens: int = 0
    error_in_200: bool = False


def find_fault(body: dict[str, Any], types: Types) -> tuple[str, str] | None:
    """The first parameter of a chat that a strict vendor refuses, and why."""
    for name, value in body.items():
        if name not in types:
            return name, f"unknown parameter `{name}`"
        if value is not None and (
            not isinstance(value, types[name]) or (isinstance(value, bool) and types[name] is int)
        ):
            return name, f"`{name}` has the wrong type"
    for name in ("model", "messages"):
        if not body.get(name):
            return name, f"`{name}` is missing"
    for index, message in enumerate(body["messages"]):
        if message.get("role") not in MESSAGE_ROLES:
            return f"messages[{index}].role", "unknown role"
    if "max_tokens" in body and "max_completion_tokens" in body:
        return "max_tokens", "`max_tokens` and `max_completion_tokens` exclude each other"
    if "stream_options" in body and not body.get("stream"):
        return "stream_options", "`stream_options` is for streams"
    return None


def completion(behaviour: ChatFaults, body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": behaviour.reply}
    if behaviour.reasoning:
        message["reasoning_content"] = behaviour.reasoning
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": behaviour.finish_reason}
        for index in range(body.get("n") or 1)
    ]
    return {**_head("chat.completion", body), "choices": choices, "usage": _usage(behaviour)}


def chunks(behaviour: ChatFaults, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    asked_usage = behaviour.usage and bool((body.get("stream_options") or {}).get("include_usage"))
    head = _head("chat.completion.chunk", body) | ({"usage": None} if asked_usage else {})
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": word} for word in behaviour.reasoning.split()]
    deltas += [{"content": word if index == 0 else f" {word}"} for index, word in enumerate(behaviour.reply.split())]
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": behaviour.finish_reason}]}
    if asked_usage:
        yield {**head, "choices": [], "usage": _usage(behaviour)}


def embeddings(body: dict[str, Any], dimensions: int = 8) -> dict[str, Any]:
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    size = body.get("dimensions") or dimensions
    data = [
        {"object": "embedding", "index": index, "embedding": [len(text) / 64] * size}
        for index, text in enumerate(inputs)
    ]
    usage = {"prompt_tokens": 3 * len(inputs), "total_tokens": 3 * len(inputs)}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _kinds(kinds: type | tuple[type, ...]) -> tuple[type, ...]:
    """A boolean is no integer here."""
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _head(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": "0217-fake", "object": kind, "created": 1_790_000_000, "model": body["model"]}


def _usage(behaviour: ChatFaults) -> dict[str, Any]:
    return {
        "prompt_tokens": behaviour.prompt_tokens,
        "completion_tokens": behaviour.completion_tokens,
        "total_tokens": behaviour.prompt_tokens + behaviour.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": behaviour.cached_tokens},
    }
