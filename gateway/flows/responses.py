"""A response: the flow of a chat, told in OpenAI's newer API. Nothing of it is kept for another request.

A server that has this API itself is asked as the client asked, all others by chat completions.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec import Struct

from billing.amounts import credits_number
from gateway.call import Call
from gateway.errors import GatewayError, ProviderError, ProviderFault, RequestError
from gateway.flows import chat
from gateway.flows.delivery import Delivery
from gateway.flows.dialect import Delivered
from gateway.providers.base import ChatProvider, Deployment, ResponsesProvider
from gateway.providers.registry import get_provider
from gateway.requests.responses import ResponseRequest
from gateway.requests.support import ignored_params
from gateway.responses.output import Choice, Output, describe_usage, encode
from gateway.responses.passing import PassedThrough, count_output
from gateway.responses.words import rename_error, rename_param
from gateway.tokens import read_usage
from gateway.types import ChatAnswer, Usage


async def complete(call: Call, request: ResponseRequest) -> dict[str, Any]:
    """OpenAI's `response` object. Raises a `GatewayError`; then nothing was charged."""
    try:
        return await chat.complete(call, request.chat, ResponsesDialect(request))
    except RequestError as error:
        raise _renamed(error, request) from error


async def stream(call: Call, request: ResponseRequest) -> AsyncGenerator[list[bytes], None]:
    """The response's events as JSON, those that arrived together in one list; the last one has usage and `credits`.

    Before the first list it raises like `complete`. A failure after it is the event `response.failed`; what was
    delivered is charged, whatever ends the stream.
    """
    dialect = ResponsesDialect(request)
    begun = False
    try:
        async with aclosing(chat.stream(call, request.chat, dialect)) as events:
            async for payloads in events:
                begun = True
                yield payloads
    except GatewayError as error:
        told = _renamed(error, request) if isinstance(error, RequestError) else error
        if not begun or dialect.delivered is None:
            raise told from error
        yield dialect.delivered.fail(told)


class ResponsesDialect:
    """How a response is asked for and told; a dialect of `gateway.flows.chat`."""

    def __init__(self, request: ResponseRequest) -> None:
        self._request = request
        self.delivered: Translated | PassedThrough | None = None

    def choose(self, call: Call, deployments: list[Deployment]) -> list[Deployment]:
        request = self._request
        able = [one for one in deployments if request.obstacle is None or _find_native(one)]
        if request.obstacle is not None and not able:
            raise request.obstacle
        call.ignored_params = list(request.left_out)
        if not _find_native(able[0]):
            ignored = ignored_params(able[0].model, request.chat)
            call.ignored_params += [*request.left_out_of_chat, *(_name(one, request) for one in ignored)]
        return able

    async def ask(self, deployment: Deployment) -> ChatAnswer:
        request = self._request
        if native := _find_native(deployment):
            response = await native.respond(deployment, self._native_body())
            usage = read_usage(response.get("usage")) or _counted(request, count_output(response))
            return ChatAnswer(response, usage)
        provider: ChatProvider = get_provider(deployment.provider)
        answer = await provider.chat(deployment, request.chat)
        output = Output(request)
        for choice in _read_choices(answer.body.get("choices"))[:1]:
            output.add(choice)
        output.end(describe_usage(answer.usage))
        return ChatAnswer(output.response, answer.usage)

    def stream(self, deployment: Deployment) -> AsyncGenerator[list[bytes], None]:
        if native := _find_native(deployment):
            return native.stream_response(deployment, self._native_body())
        provider: ChatProvider = get_provider(deployment.provider)
        return provider.stream_chat(deployment, self._request.chat)

    def delivery(self, deployment: Deployment) -> Delivered:
        request = self._request
        self.delivered = PassedThrough(request.chat) if _find_native(deployment) else Translated(request)
        return self.delivered

    def _native_body(self) -> dict[str, Any]:
        """With the limit as it is now: a small balance lowers it."""
        body = dict(self._request.native)
        if self._request.chat.max_tokens is not None:
            body["max_output_tokens"] = self._request.chat.max_tokens
        return body


class Translated:
    """A chat's stream as the events of a response."""

    def __init__(self, request: ResponseRequest) -> None:
        self._chat = Delivery(request.chat)
        self._output = Output(request)
        self._begun = False

    @property
    def anything(self) -> bool:
        return self._chat.anything

    @property
    def usage(self) -> Usage:
        return self._chat.usage

    def take(self, payloads: list[bytes]) -> list[bytes]:
        events = []
        for chunk in self._chat.take(payloads):
            try:
                choices = _decode_chunk(chunk).choices or []
            except msgspec.DecodeError as error:
                raise ProviderError(ProviderFault.BROKEN, f"a chunk that is none: {error}") from None
            if not self._begun:
                self._begun = True
                events += self._output.begin()
            for choice in choices:
                events += self._output.add(choice) if choice.index == 0 else []
        return encode(events)

    def end(self, usage: Usage, charged: int) -> list[bytes]:
        return encode(self._output.end({**describe_usage(usage), "credits": credits_number(charged)}))

    def fail(self, error: GatewayError) -> list[bytes]:
        return encode(self._output.fail(error))


class _Chunk(Struct):
    choices: list[Choice] | None = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


def _read_choices(choices: Any) -> list[Choice]:
    try:
        return msgspec.convert(choices, list[Choice])
    except msgspec.ValidationError as error:
        raise ProviderError(ProviderFault.BROKEN, f"a choice that is none: {error}") from None


def _find_native(deployment: Deployment) -> ResponsesProvider | None:
    """The deployment's adapter, if its server has this API."""
    provider = get_provider(deployment.provider)
    return provider if isinstance(provider, ResponsesProvider) else None


def _counted(request: ResponseRequest, output_tokens: int) -> Usage:
    return Usage(request.chat.input_tokens, output_tokens, reported=False)


def _name(param: str, request: ResponseRequest) -> str:
    return rename_param(param, request.message_paths, request.toolbox.paths)


def _renamed(error: RequestError, request: ResponseRequest) -> RequestError:
    return rename_error(error, request.message_paths, request.toolbox.paths)
