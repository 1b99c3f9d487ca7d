"""A chat completion: hold, ask, settle, answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter
from typing import Any, cast

import msgspec
from msgspec import Struct

from gateway.call import Call
from gateway.catalog import get_model
from gateway.catalog.schema import Model
from gateway.charge import Charge, charging
from gateway.errors import InvalidValue, ProviderError, ProviderFault
from gateway.pricing import affordable_output, estimate_tokens, quote
from gateway.providers.base import ChatProvider, Deployment
from gateway.providers.registry import get_provider
from gateway.routing.deployments import find_deployments
from gateway.routing.execute import execute, explain
from gateway.types import ChatRequest, Usage


async def complete(call: Call, request: ChatRequest) -> dict[str, Any]:
    """OpenAI's `chat.completion` object. Raises a `GatewayError`; then nothing was charged."""
    model = _chat_model(request)
    deployments = find_deployments(model, tools=_offers_tools(request))
    async with charging(call, quote(model, request)) as charge:
        _cap_output(call, charge, request)
        answer = await execute(call, deployments, lambda deployment: _provider(deployment).chat(deployment, request))
        await charge.capture(answer.usage)
    answer.body["model"] = request.model
    return answer.body


async def stream(call: Call, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
    """The completion's chunks as JSON, those that arrived together in one list; the last one may be the usage.

    Before the first list it raises like `complete`. After it, what was delivered is charged, whatever ends the
    stream: its end, a provider that fails (raised as a `GatewayError`), or a client that leaves (`aclose`).
    """
    model = _chat_model(request)
    deployments = find_deployments(model, tools=_offers_tools(request))
    async with charging(call, quote(model, request)) as charge:
        _cap_output(call, charge, request)
        upstream = await execute(call, deployments, lambda deployment: _open(deployment, request))
        delivered = Delivery(request)
        async with aclosing(upstream.chunks):
            try:
                yield delivered.take(upstream.first)
                began = perf_counter()
                async for chunks in upstream.chunks:
                    call.waited += perf_counter() - began
                    if visible := delivered.take(chunks):
                        yield visible
                    began = perf_counter()
            except BaseException as error:
                if delivered.anything:
                    await charge.capture(delivered.usage, partial=True)
                if isinstance(error, ProviderError):
                    raise explain(error) from error
                raise
        credits = await charge.capture(delivered.usage)
    if request.include_usage:
        yield [delivered.usage_chunk(credits)]


class _Opened(Struct):
    """A stream whose first chunks have come, so that a failure before them was still another deployment's chance."""

    first: list[bytes]
    chunks: AsyncGenerator[list[bytes], None]


async def _open(deployment: Deployment, request: ChatRequest) -> _Opened:
    chunks = cast(AsyncGenerator[list[bytes], None], _provider(deployment).stream_chat(deployment, request))
    try:
        first = await anext(chunks)
    except StopAsyncIteration:
        first = []
    except BaseException:
        await chunks.aclose()
        raise
    return _Opened(first=first, chunks=chunks)


class _Delta(Struct):
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class _Choice(Struct):
    delta: _Delta | None = None


class _Details(Struct):
    cached_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Chunk(Struct):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode


class Delivery:
    """What of a stream has passed through: reads the chunks' usage, counts their text, renames their model.

    Chunks are passed on as the bytes that came; only the model's name in them is replaced by the one asked for.
    """

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._name = msgspec.json.encode(request.model)
        self._reported: _Usage | None = None
        self._usage_payload = b""
        self._text_bytes = 0

    def take(self, chunks: list[bytes]) -> list[bytes]:
        """The chunks as the client sees them: those that carry nothing but usage are kept back."""
        visible = []
        for payload in chunks:
            try:
                chunk = _decode_chunk(payload)
            except msgspec.DecodeError as error:
                raise ProviderError(ProviderFault.BROKEN, f"a chunk that is none: {error}") from None
            if chunk.usage and chunk.usage != b"null":
                self._read_usage(chunk.usage)
                if not chunk.choices:
                    self._usage_payload = payload
                    continue
            for choice in chunk.choices or ():
                if choice.delta is not None:
                    self._text_bytes += _text_bytes(choice.delta)
            visible.append(self._renamed(payload, chunk.model))
        return visible

    def _read_usage(self, raw: bytes) -> None:
        """Keeps a count that makes sense; of another, ours takes the place."""
        try:
            usage = _decode_usage(raw)
        except msgspec.DecodeError:
            return
        if usage.prompt_tokens >= 0 and usage.completion_tokens >= 0:
            self._reported = usage

    @property
    def anything(self) -> bool:
        """Whether the client got some of the model's work; the opening chunk, which is empty, is none."""
        return self._text_bytes > 0 or self._reported is not None

    @property
    def usage(self) -> Usage:
        """The provider's count; where it told none, ours: UTF-8 bytes / 3, rounded up."""
        if self._reported is not None:
            details = self._reported.prompt_tokens_details
            return Usage(
                input_tokens=self._reported.prompt_tokens,
                output_tokens=self._reported.completion_tokens,
                cached_tokens=(details and details.cached_tokens) or 0,
            )
        return Usage(
            input_tokens=self._request.input_tokens,
            output_tokens=estimate_tokens(self._text_bytes),
            reported=False,
        )

    def usage_chunk(self, credits: int) -> bytes:
        """The last chunk of a stream whose client asked for usage: OpenAI's fields, and `credits` as charged."""
        usage = self.usage
        chunk: dict[str, Any] = (
            msgspec.json.decode(self._usage_payload) if self._usage_payload else {"object": "chat.completion.chunk"}
        )
        counts = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
        chunk["model"] = self._request.model
        chunk["choices"] = []
        reported = chunk.get("usage") if self._reported is not None else None
        chunk["usage"] = {**(reported or {}), **counts, "credits": credits / 1000}
        return msgspec.json.encode(chunk)

    def _renamed(self, payload: bytes, model: str | None) -> bytes:
        if not model or model == self._request.model:
            return payload
        name = msgspec.json.encode(model)
        return payload.replace(b'"model":' + name, b'"model":' + self._name, 1).replace(
            b'"model": ' + name, b'"model": ' + self._name, 1
        )


def _text_bytes(delta: _Delta) -> int:
    size = 0 if delta.tool_calls == b"null" else len(delta.tool_calls)
    for text in (delta.content, delta.reasoning_content, delta.refusal):
        if text:
            size += len(text) if text.isascii() else len(text.encode())
    return size


def _chat_model(request: ChatRequest) -> Model:
    model = get_model(request.model)
    if model.type != "chat":
        raise InvalidValue(
            f"`{request.model}` is no chat model. Choose a model of type `chat` from GET /v1/models.", param="model"
        )
    return model


def _offers_tools(request: ChatRequest) -> bool:
    return bool(request.body.get("tools")) and request.body.get("tool_choice") != "none"


def _cap_output(call: Call, charge: Charge, request: ChatRequest) -> None:
    """Where the balance covers the base but not the ceiling, limits the output to what the hold buys."""
    if charge.held < charge.quote.ceiling:
        request.max_tokens = call.capped_tokens = affordable_output(charge.quote, charge.held, request)


def _provider(deployment: Deployment) -> ChatProvider:
    return get_provider(deployment.provider)
