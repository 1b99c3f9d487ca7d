"""A chat completion: hold, ask, settle, answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter
from typing import Any

from msgspec import Struct

from gateway.call import Call
from gateway.catalog.schema import ChatSpec, Model
from gateway.charge import Charge, charging
from gateway.errors import InvalidValue, ProviderError, ProviderFault
from gateway.flows.delivery import Delivery
from gateway.flows.dialect import Delivered, Dialect
from gateway.inputs import note_inputs
from gateway.limits.allowed import find_model
from gateway.prices import honoured
from gateway.pricing import Quote, affordable_output, quote
from gateway.providers.base import ChatProvider, Deployment
from gateway.providers.registry import get_provider
from gateway.requests.support import ignored_params
from gateway.routing.deployments import find_deployments
from gateway.routing.execute import execute, explain, note_failure
from gateway.sessions.conversation import conversation
from gateway.tokens import within_limits
from gateway.types import ChatAnswer, ChatRequest, Usage

# The usage comes last in a stream, and tells what a provider that we pay has billed, thoughts before the first word
# included. When the client leaves, the stream is read on for so many seconds.
LINGER_SECONDS = 5.0


async def complete(call: Call, request: ChatRequest, dialect: Dialect | None = None) -> dict[str, Any]:
    """OpenAI's `chat.completion` object, or what another `dialect` has in its place.

    Raises a `GatewayError`; then nothing was charged.
    """
    dialect = dialect or ChatDialect(request)
    model = find_model(call, request.model)
    spec = _chat_spec(model.chat, request)
    call.model = request.model
    note_inputs(call, request.body)
    deployments = dialect.choose(call, await find_deployments(model, request))
    async with conversation(call, request, deployments) as turn, charging(call, _quote(model, request)) as charge:
        _cap_output(call, charge, request)
        answer = await execute(call, deployments, dialect.ask)
        await charge.capture(within_limits(answer.usage, spec, request))
        turn.hear(answer.body)
    answer.body["model"] = request.model
    return answer.body


async def stream(call: Call, request: ChatRequest, dialect: Dialect | None = None) -> AsyncGenerator[list[bytes], None]:
    """The completion's chunks as JSON, those that arrived together in one list; the last one may be the usage.

    Before the first list it raises like `complete`. After it, what was delivered is charged, whatever ends the
    stream: its end, a provider that fails (raised as a `GatewayError`), or a client that leaves (`aclose`, or a
    cancellation put off by `call.linger`). Who has left pays by the provider's count if it comes within
    `LINGER_SECONDS`, else for what had come until then.
    """
    dialect = dialect or ChatDialect(request)
    model = find_model(call, request.model)
    spec = _chat_spec(model.chat, request)
    call.model = request.model
    note_inputs(call, request.body)
    deployments = dialect.choose(call, await find_deployments(model, request))
    async with conversation(call, request, deployments) as turn, charging(call, _quote(model, request)) as charge:
        _cap_output(call, charge, request)
        opened = await execute(call, deployments, lambda deployment: _open(dialect, deployment))
        delivery = opened.delivery
        call.linger = LINGER_SECONDS if opened.is_external else 0.0
        left_with: Usage | None = None
        async with aclosing(opened.chunks):
            try:
                turn.hear_chunks(opened.first)
                yield opened.first
                while chunks := await _next(call, opened.chunks):
                    if call.client_left and left_with is None:
                        left_with = delivery.usage
                    if visible := delivery.take(chunks):
                        turn.hear_chunks(visible)
                        yield visible
            except BaseException as error:
                cost = 0
                if isinstance(error, ProviderError):
                    note_failure(call, error)
                if delivery.anything:
                    usage = _usage_of_cut(delivery.usage, left_with)
                    cost = await charge.capture(within_limits(usage, spec, request), cut_by=error)
                if isinstance(error, ProviderError):
                    raise explain(error, cost) from error
                raise
        usage = within_limits(delivery.usage, spec, request)
        charged = await charge.capture(usage)
        if not call.client_left:
            turn.end()
    if last := delivery.end(usage, charged):
        yield last


def _quote(model: Model, request: ChatRequest) -> Quote:
    return honoured(model, lambda one: quote(one, request))


class _Opened(Struct):
    """A stream whose first chunks have come, so that a failure before them was still another deployment's chance."""

    first: list[bytes]
    chunks: AsyncGenerator[list[bytes], None]
    delivery: Delivered
    is_external: bool


async def _open(dialect: Dialect, deployment: Deployment) -> _Opened:
    chunks = dialect.stream(deployment)
    delivery = dialect.delivery(deployment)
    try:
        async for payloads in chunks:
            if first := delivery.take(payloads):
                return _Opened(first, chunks, delivery, deployment.is_external)
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


def _usage_of_cut(usage: Usage, left_with: Usage | None) -> Usage:
    """What is charged of a stream that was cut. Our own count ends where the client left."""
    return usage if usage.reported or left_with is None else left_with


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


class ChatDialect:
    """Chat completions: OpenAI's first API, which all providers speak."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request

    def choose(self, call: Call, deployments: list[Deployment]) -> list[Deployment]:
        call.ignored_params = ignored_params(deployments[0].model, self._request)
        return deployments

    async def ask(self, deployment: Deployment) -> ChatAnswer:
        provider: ChatProvider = get_provider(deployment.provider)
        return await provider.chat(deployment, self._request)

    def stream(self, deployment: Deployment) -> AsyncGenerator[list[bytes], None]:
        provider: ChatProvider = get_provider(deployment.provider)
        return provider.stream_chat(deployment, self._request)

    def delivery(self, deployment: Deployment) -> Delivery:
        return Delivery(self._request, recounts=deployment.replica is not None and self._request.n > 1)
