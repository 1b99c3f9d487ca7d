"""`client.chat.completions`: answers to conversations, whole or as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from arkroute.http.call import Call, paid
from arkroute.http.exchange import AsyncExchange, Exchange
from arkroute.http.options import PaidOptions
from arkroute.http.streams import AsyncStream, Stream
from arkroute.resources.resource import AsyncResource, Resource
from arkroute.types import ChatCompletion, ChatCompletionChunk

if TYPE_CHECKING:
    from typing_extensions import Unpack

# {"role": "user", "content": "…"}, or a `message` that an answer had.
ChatMessage = Mapping[str, Any]


class ChatParameters(PaidOptions, total=False):
    """Which of them a model takes, `client.models.retrieve(…).parameters` says. Others go into `extra_body`."""

    # The most to write. The price that is held follows it.
    max_tokens: int
    max_completion_tokens: int
    temperature: float
    top_p: float
    n: int
    stop: str | list[str]
    seed: int
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[str, int]
    logprobs: bool
    top_logprobs: int
    tools: Iterable[Mapping[str, Any]]
    tool_choice: str | Mapping[str, Any]
    parallel_tool_calls: bool
    response_format: Mapping[str, Any]
    reasoning_effort: str
    # {"include_usage": True}: the last piece tells tokens and credits.
    stream_options: Mapping[str, Any]
    # True, or a UUID of the caller's: the gateway keeps the conversation, of models on servers of its operator's own.
    ark_stateful: bool | str
    user: str


class Completions(Resource):
    def __init__(self, exchange: Exchange, *, stateful: str | None = None) -> None:
        super().__init__(exchange)
        self._stateful = stateful

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Iterable[ChatMessage],
        stream: Literal[False] = False,
        **parameters: Unpack[ChatParameters],
    ) -> ChatCompletion: ...
    @overload
    def create(
        self,
        *,
        model: str,
        messages: Iterable[ChatMessage],
        stream: Literal[True],
        **parameters: Unpack[ChatParameters],
    ) -> Stream[ChatCompletionChunk]: ...
    def create(
        self, *, model: str, messages: Iterable[ChatMessage], stream: bool = False, **parameters: Any
    ) -> ChatCompletion | Stream[ChatCompletionChunk]:
        """The model's answer; with `stream` its pieces, to iterate over.

        An error before the first piece is raised here, one after it by the iteration: `StreamError`.
        """
        call = _call(model, messages, stream, self._stateful, parameters)
        if stream:
            return Stream(self._exchange.send(call, stream=True), ChatCompletionChunk, ends_with_done=True)
        return self._ask(call, ChatCompletion)


class Chat:
    def __init__(self, exchange: Exchange, *, stateful: str | None = None) -> None:
        self.completions = Completions(exchange, stateful=stateful)


class AsyncCompletions(AsyncResource):
    def __init__(self, exchange: AsyncExchange, *, stateful: str | None = None) -> None:
        super().__init__(exchange)
        self._stateful = stateful

    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[ChatMessage],
        stream: Literal[False] = False,
        **parameters: Unpack[ChatParameters],
    ) -> ChatCompletion: ...
    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Iterable[ChatMessage],
        stream: Literal[True],
        **parameters: Unpack[ChatParameters],
    ) -> AsyncStream[ChatCompletionChunk]: ...
    async def create(
        self, *, model: str, messages: Iterable[ChatMessage], stream: bool = False, **parameters: Any
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]:
        """As `Completions.create`: `async for` over what a stream answers."""
        call = _call(model, messages, stream, self._stateful, parameters)
        if stream:
            response = await self._exchange.send(call, stream=True)
            return AsyncStream(response, ChatCompletionChunk, ends_with_done=True)
        return await self._ask(call, ChatCompletion)


class AsyncChat:
    def __init__(self, exchange: AsyncExchange, *, stateful: str | None = None) -> None:
        self.completions = AsyncCompletions(exchange, stateful=stateful)


def _call(
    model: str, messages: Iterable[ChatMessage], stream: bool, stateful: str | None, parameters: dict[str, Any]
) -> Call:
    if parameters.get("tools") is not None:
        parameters["tools"] = list(parameters["tools"])
    if stateful is not None:
        parameters.setdefault("ark_stateful", stateful)
    return paid(
        "/chat/completions",
        {"model": model, "messages": list(messages), "stream": stream or None, **parameters},
    )
