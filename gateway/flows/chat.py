"""A chat completion: hold, ask, settle, answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter
from typing import Any

from msgspec import Struct

from gateway.call import Call
from gateway.catalog import get_model
from gateway.catalog.schema import ChatSpec
from gateway.charge import Charge, charging
from gateway.errors import InvalidValue, ProviderError, ProviderFault
from gateway.flows.delivery import Delivery
from gateway.pricing import affordable_output, quote
from gateway.providers.base import ChatProvider, Deployment
from gateway.providers.registry import get_provider
from gateway.requests.support import ignored_params
from gateway.routing.deployments import find_deployments
from gateway.routing.execute import execute, explain, note_failure
from gateway.sessions.conversation import conversation
from gateway.tokens import within_limits
from gateway.types import ChatRequest


async def complete(call: Call, request: ChatRequest) -> dict[str, Any]:
    """OpenAI's `chat.completion` object. Raises a `GatewayError`; then nothing was charged."""
    model = get_model(request.model)
    spec = _chat_spec(model.chat, request)
    deployments = await find_deployments(model, request)
    call.model, call.ignored_params = request.model, ignored_params(deployments[0].model, request)
    async with conversation(call, request, deployments) as turn, charging(call, quote(model, request)) as charge:
        _cap_output(call, charge, request)
        answer = await execute(call, deployments, lambda deployment: _provider(deployment).chat(deployment, request))
        await charge.capture(within_limits(answer.usage, spec, request))
        turn.hear(answer.body)
    answer.body["model"] = request.model
    return answer.body


async def stream(call: Call, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
    """The completion's chunks as JSON, those that arrived together in one list; the last one may be the usage.

    Before the first list it raises like `complete`. After it, what was delivered is charged, whatever ends the
    stream: its end, a provider that fails (raised as a `GatewayError`), or a client that leaves (`aclose`).
    """
    model = get_model(request.model)
    spec = _chat_spec(model.chat, request)
    deployments = await find_deployments(model, request)
    call.model, call.ignored_params = request.model, ignored_params(deployments[0].model, request)
    async with conversation(call, request, deployments) as turn, charging(call, quote(model, request)) as charge:
        _cap_output(call, charge, request)
        opened = await execute(call, deployments, lambda deployment: _open(deployment, request))
        delivery = opened.delivery
        async with aclosing(opened.chunks):
            try:
                turn.hear_chunks(opened.first)
                yield opened.first
                while chunks := await _next(call, opened.chunks):
                    if visible := delivery.take(chunks):
                        turn.hear_chunks(visible)
                        yield visible
            except BaseException as error:
                cost = 0
                if isinstance(error, ProviderError):
                    note_failure(call, error)
                if delivery.anything:
                    cost = await charge.capture(within_limits(delivery.usage, spec, request), cut_by=error)
                if isinstance(error, ProviderError):
                    raise explain(error, cost) from error
                raise
        usage = within_limits(delivery.usage, spec, request)
        charged = await charge.capture(usage)
        turn.end()
    if request.include_usage:
        yield [delivery.usage_chunk(usage, charged)]


class _Opened(Struct):
    """A stream whose first chunks have come, so that a failure before them was still another deployment's chance."""

    first: list[bytes]
    chunks: AsyncGenerator[list[bytes], None]
    delivery: Delivery


async def _open(deployment: Deployment, request: ChatRequest) -> _Opened:
    chunks = _provider(deployment).stream_chat(deployment, request)
    delivery = Delivery(request, recounts=deployment.replica is not None and request.n > 1)
    try:
        async for payloads in chunks:
            if first := delivery.take(payloads):
                return _Opened(first, chunks, delivery)
        raise ProviderError(ProviderFault.BROKEN, "a stream without a completion")
    except BaseException:
        await chunks.aclose()
        raise


async def _next(call: Call, chunks: AsyncGenerator[list[bytes], None]) -> list[bytes]:
    """What has arrived; nothing at the end. The wait for it is not our own time."""
    began = perf_counter()
    try:
        return await anext(chunks, [])
    finally:
        call.waited += perf_counter() - began


def _chat_spec(spec: ChatSpec | None, request: ChatRequest) -> ChatSpec:
    if spec is None:
        raise InvalidValue(
            f"`{request.model}` is no chat model. Choose a model of type `chat` from GET /v1/models.", param="model"
        )
    return spec


def _cap_output(call: Call, charge: Charge, request: ChatRequest) -> None:
    """Where the balance covers the base but not the ceiling, limits the output to what the hold buys."""
    if charge.held < charge.quote.ceiling:
        request.max_tokens = call.capped_tokens = affordable_output(charge.quote, charge.held, request)


def _provider(deployment: Deployment) -> ChatProvider:
    return get_provider(deployment.provider)
