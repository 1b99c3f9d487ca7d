"""`POST /v1/chat/completions`: llama.cpp's answer, byte for byte, unless a function has to be called by force."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec

from arkroute.engine import tools
from arkroute.engine.exchange import Exchange, Refusal
from arkroute.engine.llama import Llama
from arkroute.engine.relay import relay
from gateway.providers.http import Response
from gateway.providers.sse import EventReader

PATH = "/v1/chat/completions"
_EVENT_STREAM = (b"content-type", b"text/event-stream")


class Chat:
    def __init__(self, llama: Llama) -> None:
        self._llama = llama
        self._knows_tools: bool | None = None

    async def answer(self, exchange: Exchange, content: bytes) -> None:
        # `tools`, `tool_choice`, `tool_calls` or the role `tool`: nothing else is worth reading the body for.
        if b'"tool' not in content or await self._template_knows_tools():
            await relay(exchange, await self._llama.ask("POST", PATH, content))
            return
        body = _decode(content)
        functions = tools.functions_to_call(body)
        if functions:
            await self._call(exchange, body, functions)
        else:
            await relay(exchange, await self._ask(tools.without_tools(body)))

    async def _call(self, exchange: Exchange, body: dict[str, Any], functions: list[tools.Function]) -> None:
        function, spent = functions[0], None
        if len(functions) > 1:
            response = await self._ask(tools.name_request(body, functions))
            if response.status != 200:
                await relay(exchange, response)
                return
            choice = msgspec.json.decode(await response.read())
            spent = choice["usage"]
            name = msgspec.json.decode(choice["choices"][0]["message"]["content"])
            function = next(one for one in functions if one.name == name)
        response = await self._ask(tools.arguments_request(body, functions, function))
        if response.status != 200:
            await relay(exchange, response)
        elif body.get("stream"):
            await _stream_call(exchange, response, function.name, spent)
        else:
            answer = msgspec.json.decode(await response.read())
            await exchange.answer(200, msgspec.json.encode(as_call(answer, function.name, spent)))

    async def _template_knows_tools(self) -> bool:
        """Whether the model was trained on tools; then llama.cpp does all that is wanted."""
        if self._knows_tools is None:
            response = await self._llama.ask("GET", "/props")
            self._knows_tools = msgspec.json.decode(await response.read())["chat_template_caps"]["supports_tools"]
        return self._knows_tools

    async def _ask(self, body: dict[str, Any]) -> Response:
        return await self._llama.ask("POST", PATH, msgspec.json.encode(body))


def _decode(content: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f"The body is not JSON: {error}.", code="invalid_json") from error
    if not isinstance(body, dict):
        raise Refusal(400, "The body must be a JSON object.", code="invalid_json")
    return body


def as_call(answer: dict[str, Any], name: str, spent: dict[str, Any] | None) -> dict[str, Any]:
    """A completion whose content is the arguments, as one that calls the function. `spent` is added to its usage."""
    for choice in answer["choices"]:
        call = {"name": name, "arguments": choice["message"]["content"] or ""}
        choice["message"] = {"role": "assistant", "content": None, "tool_calls": [_new_call(call)]}
        _say_that_it_called(choice)
    _add(answer["usage"], spent)
    return answer


async def _stream_call(exchange: Exchange, response: Response, name: str, spent: dict[str, Any] | None) -> None:
    try:
        await exchange.start(200, [_EVENT_STREAM])
        async for chunks in _chunks(response):
            await exchange.send_events([as_call_chunk(chunk, name, spent) for chunk in chunks])
        await exchange.send(b"data: [DONE]\n\n", more=False)
    finally:
        response.close()


async def _chunks(response: Response) -> AsyncIterator[list[dict[str, Any]]]:
    events = EventReader()
    async for piece in response:
        chunks = [msgspec.json.decode(event) for event in events.feed(piece) if event != b"[DONE]"]
        if chunks:
            yield chunks


def as_call_chunk(chunk: dict[str, Any], name: str, spent: dict[str, Any] | None) -> dict[str, Any]:
    """The same for a chunk of a stream. One that says the role opens the call, and those with content go on with it."""
    for choice in chunk.get("choices", ()):
        delta = choice["delta"]
        if "role" in delta:
            call = {"name": name, "arguments": delta.get("content") or ""}
            choice["delta"] = {"role": "assistant", "content": None, "tool_calls": [{"index": 0} | _new_call(call)]}
        elif "content" in delta:
            choice["delta"] = {"tool_calls": [{"index": 0, "function": {"arguments": delta["content"]}}]}
        _say_that_it_called(choice)
    if chunk.get("usage"):
        _add(chunk["usage"], spent)
    return chunk


def _new_call(function: dict[str, str]) -> dict[str, Any]:
    return {"id": f"call_{uuid4().hex[:24]}", "type": "function", "function": function}


def _say_that_it_called(choice: dict[str, Any]) -> None:
    # What was cut off at the limit of tokens stays `length`, as at OpenAI's.
    if choice.get("finish_reason") == "stop":
        choice["finish_reason"] = "tool_calls"


def _add(usage: dict[str, Any], spent: dict[str, Any] | None) -> None:
    for name, count in (spent or {}).items():
        if isinstance(count, dict):
            _add(usage.setdefault(name, {}), count)
        else:
            usage[name] = usage.get(name, 0) + count
