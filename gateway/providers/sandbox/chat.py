"""`sandbox-chat`: an echo that honours what the API offers: tools, JSON, stop words, limits, logprobs, streams.

Wire format: the OpenAI API reference, `POST /chat/completions`.
"""

import asyncio
from collections.abc import AsyncGenerator
from hashlib import sha256
from time import time
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.sandbox import tokens
from gateway.providers.sandbox.instances import instance_of
from gateway.providers.sandbox.orders import obey
from gateway.types import ChatAnswer, ChatRequest, Usage

# Characters of a text that are echoed.
LONGEST_ECHO = 8_000
# Tokens of all choices together.
MOST_TOKENS = 8_192
# A choice comes in at most so many chunks.
MOST_CHUNKS = 48
TOKENS_PER_MESSAGE = 3
TOKENS_PER_PICTURE = 85


class Choice(Struct):
    """One answer: its text, or the arguments of the call that it makes, in tokens."""

    index: int
    pieces: list[str]
    finish_reason: str
    function: str | None = None
    call_id: str = ""

    @property
    def text(self) -> str:
        return "".join(self.pieces)


async def complete(deployment: Deployment, request: ChatRequest) -> ChatAnswer:
    """The whole answer. Raises what the prompt asks for."""
    await obey(_last_user_text(request.messages), "messages")
    choices = _answer(deployment, request)
    usage = _usage(request, choices)
    body = {
        **_envelope(deployment, "chat.completion"),
        "choices": [
            {
                "index": choice.index,
                "message": _message(choice),
                "logprobs": _logprobs(choice.pieces, request.body) if choice.function is None else None,
                "finish_reason": choice.finish_reason,
            }
            for choice in choices
        ],
        "usage": usage,
    }
    return ChatAnswer(
        body=body, usage=Usage(input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"])
    )


async def stream(deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
    """The same answer in chunks that come one by one; the choices take turns. The last chunk has the usage."""
    await obey(_last_user_text(request.messages), "messages")
    choices = _answer(deployment, request)
    envelope = _envelope(deployment, "chat.completion.chunk")
    if request.include_usage:
        envelope["usage"] = None
    turns = [_choice_chunks(choice, request.body) for choice in choices]
    for turn in range(max(map(len, turns))):
        for chunks in turns:
            if turn < len(chunks):
                yield [msgspec.json.encode({**envelope, "choices": [chunks[turn]]})]
                await asyncio.sleep(0)
    yield [msgspec.json.encode({**envelope, "choices": [], "usage": _usage(request, choices)})]


def _envelope(deployment: Deployment, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid4().hex}",
        "object": kind,
        "created": int(time()),
        "model": deployment.model.id,
        "system_fingerprint": "fp_sandbox",
    }


def _answer(deployment: Deployment, request: ChatRequest) -> list[Choice]:
    """All choices. Raises `ProviderError` for a prompt beyond the context, and for a schema without an instance."""
    spec = deployment.model.chat
    if spec is not None and _prompt_tokens(request) > spec.context:
        message = f"The context of `{deployment.model.id}` is {spec.context:,} tokens. Shorten the messages."
        raise ProviderError(ProviderFault.CONTEXT_LENGTH, message)
    tool = _tool_to_call(request)
    if tool is None:
        text, function, finish_reason = _text(request), None, "stop"
    else:
        arguments = instance_of(tool.get("parameters") or {"type": "object"})
        text, function, finish_reason = msgspec.json.encode(arguments).decode(), str(tool["name"]), "tool_calls"
    limit = min(request.max_tokens or MOST_TOKENS, max(1, MOST_TOKENS // request.n))
    choices = []
    for index in range(request.n):
        spoken = text if function or _wants_json(request.body) or index == 0 else f"{text} (choice {index + 1})"
        spoken = spoken if function else _stop(spoken, request.body.get("stop"))
        pieces = tokens.split(spoken)
        choices.append(
            Choice(
                index=index,
                pieces=pieces[:limit],
                finish_reason="length" if len(pieces) > limit else finish_reason,
                function=function,
                call_id=f"call_{uuid4().hex[:24]}" if function else "",
            )
        )
    return choices


def _tool_to_call(request: ChatRequest) -> dict[str, Any] | None:
    """The function that the caller named, else the first one; none after a result, or where none is wanted."""
    offered = [tool["function"] for tool in request.body.get("tools") or () if tool.get("type") == "function"]
    wish = request.body.get("tool_choice") or "auto"
    if not offered or wish == "none" or request.messages[-1].get("role") in ("tool", "function"):
        return None
    if not isinstance(wish, dict):
        return offered[0]
    if wish.get("type") == "allowed_tools":
        allowed = _at(wish, "allowed_tools", "tools")
        names = [_at(tool, "function", "name") for tool in allowed] if isinstance(allowed, list) else []
    else:
        names = [_at(wish, "function", "name")]
    chosen = next((tool for tool in offered if tool.get("name") in names), None)
    if chosen is None:
        raise ProviderError(ProviderFault.BAD_REQUEST, "`tool_choice` names no offered tool.", param="tool_choice")
    return chosen


def _at(value: Any, *path: str) -> Any:
    """What lies at `path` in `value`; nothing where something on the way is no object."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _wants_json(body: dict[str, Any]) -> bool:
    return (body.get("response_format") or {}).get("type") in ("json_schema", "json_object")


def _text(request: ChatRequest) -> str:
    wanted = request.body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema") or {"type": "object"}
        return msgspec.json.encode(instance_of(schema)).decode()
    echo = _echo(request.messages)
    return msgspec.json.encode({"answer": echo}).decode() if _wants_json(request.body) else echo


def _echo(messages: list[dict[str, Any]]) -> str:
    last = messages[-1]
    if last.get("role") in ("tool", "function"):
        name = last.get("name") or _called_function(messages, last.get("tool_call_id")) or "tool"
        return f"The function `{name}` answered: {_text_of(last)[:LONGEST_ECHO]}"
    said = next((message for message in reversed(messages) if message.get("role") == "user"), last)
    text, pictures = _text_of(said)[:LONGEST_ECHO], _pictures_in(said)
    sentences = [f"You said: {text}"] if text else []
    if pictures:
        sentences.append(f"I see {pictures} image{'s' if pictures > 1 else ''}.")
    return " ".join(sentences) or "You said nothing."


def _called_function(messages: list[dict[str, Any]], call_id: Any) -> str | None:
    """The name of the function in the call that a result belongs to."""
    for message in messages:
        for call in message.get("tool_calls") or ():
            if call_id and call.get("id") == call_id:
                return _at(call, "function", "name")
    return None


def _text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return " ".join(part.get("text") or "" for part in content or () if part.get("type") == "text")


def _pictures_in(message: dict[str, Any]) -> int:
    content = message.get("content")
    return sum(part.get("type") == "image_url" for part in content) if isinstance(content, list) else 0


def _last_user_text(messages: list[dict[str, Any]]) -> str:
    return next((_text_of(message) for message in reversed(messages) if message.get("role") == "user"), "")


def _stop(text: str, stop: Any) -> str:
    """The text before the first stop word."""
    words = [stop] if isinstance(stop, str) else stop or []
    ends = [text.find(word) for word in words if word and word in text]
    return text[: min(ends)] if ends else text


def _message(choice: Choice) -> dict[str, Any]:
    if choice.function is None:
        return {"role": "assistant", "content": choice.text, "refusal": None}
    call = {"id": choice.call_id, "type": "function", "function": {"name": choice.function, "arguments": choice.text}}
    return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}


def _choice_chunks(choice: Choice, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The choice's entry in each of its chunks: the role, its text or arguments in fragments, the end."""
    size = -(-len(choice.pieces) // MOST_CHUNKS) or 1
    groups = [choice.pieces[start : start + size] for start in range(0, len(choice.pieces), size)]
    if choice.function is None:
        chunks = [_chunk(choice, {"role": "assistant", "content": "", "refusal": None})]
        chunks += [_chunk(choice, {"content": "".join(group)}, _logprobs(group, body)) for group in groups]
    else:
        function = {"name": choice.function, "arguments": ""}
        opening = {"index": 0, "id": choice.call_id, "type": "function", "function": function}
        chunks = [_chunk(choice, {"role": "assistant", "content": None, "tool_calls": [opening]})]
        fragments = [{"index": 0, "function": {"arguments": "".join(group)}} for group in groups]
        chunks += [_chunk(choice, {"tool_calls": [fragment]}) for fragment in fragments]
    return [*chunks, {**_chunk(choice, {}), "finish_reason": choice.finish_reason}]


def _chunk(choice: Choice, delta: dict[str, Any], logprobs: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"index": choice.index, "delta": delta, "logprobs": logprobs, "finish_reason": None}


def _logprobs(pieces: list[str], body: dict[str, Any]) -> dict[str, Any] | None:
    """Made-up but steady probabilities: the spoken token first, then its rivals, ever less likely."""
    if not body.get("logprobs"):
        return None
    content = []
    for piece in pieces:
        logprob = -sha256(piece.encode()).digest()[0] / 1000
        rivals = [_token(f"{piece}~{rank}", logprob - rank) for rank in range(1, body.get("top_logprobs") or 0)]
        top = [_token(piece, logprob), *rivals] if body.get("top_logprobs") else []
        content.append({**_token(piece, logprob), "top_logprobs": top})
    return {"content": content, "refusal": None}


def _token(piece: str, logprob: float) -> dict[str, Any]:
    return {"token": piece, "logprob": round(logprob, 6), "bytes": list(piece.encode())}


def _prompt_tokens(request: ChatRequest) -> int:
    texts = sum(tokens.count(_text_of(message)) + TOKENS_PER_MESSAGE for message in request.messages)
    pictures = sum(_pictures_in(message) for message in request.messages) * TOKENS_PER_PICTURE
    tools = request.body.get("tools")
    return texts + pictures + (tokens.count(msgspec.json.encode(tools).decode()) if tools else 0)


def _usage(request: ChatRequest, choices: list[Choice]) -> dict[str, Any]:
    prompt, completion = _prompt_tokens(request), sum(len(choice.pieces) for choice in choices)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
