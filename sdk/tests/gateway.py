"""A gateway in the test's own process: it answers as it is told, and keeps what it was asked.

gateway = FakeGateway(answer({"object": "list", "data": []}))
gateway.client().models.list()
gateway.requests[-1].url.path
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Union

import httpx

from arkroute import ArkRoute, AsyncArkRoute

KEY = "ark-test"
URL = "https://gateway.test/v1"
# What it answers: a response, an error of httpx that it raises, or a function that makes one of a request.
Reply = Union[httpx.Response, Exception, Callable[[httpx.Request], httpx.Response]]


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in pieces; an exception among them breaks it there."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


class FakeGateway(httpx.MockTransport):
    """Gives its replies one after the other, the last one again and again."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(self._handle)
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else reply(request)

    @property
    def request(self) -> httpx.Request:
        """The only one."""
        [request] = self.requests
        return request

    @property
    def sent(self) -> Any:
        """The JSON of the only request."""
        return json.loads(self.request.content)

    def client(self, **options: Any) -> ArkRoute:
        options = {"api_key": KEY, "base_url": URL, **options}
        return ArkRoute(http_client=httpx.Client(transport=self), **options)

    def async_client(self, **options: Any) -> AsyncArkRoute:
        options = {"api_key": KEY, "base_url": URL, **options}
        return AsyncArkRoute(http_client=httpx.AsyncClient(transport=self), **options)


class Threads:
    """Does something with a client for threads."""

    def __call__(self, gateway: FakeGateway, action: Callable[[Any], Any], **options: Any) -> Any:
        return action(gateway.client(**options))

    def collect(self, gateway: FakeGateway, action: Callable[[Any], Any]) -> tuple[Any, list[Any], Exception | None]:
        """The stream that `action` opens, its pieces, and the error that ended it."""
        stream, pieces = action(gateway.client()), []
        try:
            for piece in stream:
                pieces.append(piece)
        except Exception as error:
            return stream, pieces, error
        return stream, pieces, None


class Asyncio(Threads):
    """The same with a client for asyncio."""

    def __call__(self, gateway: FakeGateway, action: Callable[[Any], Any], **options: Any) -> Any:
        async def act() -> Any:
            result = action(gateway.async_client(**options))
            return await result if inspect.isawaitable(result) else result

        return asyncio.run(act())

    def collect(self, gateway: FakeGateway, action: Callable[[Any], Any]) -> tuple[Any, list[Any], Exception | None]:
        async def act() -> tuple[Any, list[Any], Exception | None]:
            stream, pieces = await action(gateway.async_client()), []
            try:
                async for piece in stream:
                    pieces.append(piece)
            except Exception as error:
                return stream, pieces, error
            return stream, pieces, None

        return asyncio.run(act())


def answer(body: Any = None, status: int = 200, **headers: str) -> httpx.Response:
    """JSON, with an id of the request; underscores in the names of headers are dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={} if body is None else body, headers={"x-request-id": "req_1", **named})


def refusal(status: int, code: str, param: str | None = None, **headers: str) -> httpx.Response:
    """An error as the gateway says it."""
    error = {"message": f"This is {code}.", "type": "some_error", "param": param, "code": code}
    return answer({"error": error}, status, **headers)


def events(*data: Any, done: bool = True) -> list[bytes]:
    """Server-sent events of these objects."""
    lines = [f"data: {json.dumps(one, ensure_ascii=False)}\n\n".encode() for one in data]
    return [*lines, b"data: [DONE]\n\n"] if done else lines


def stream_of(*pieces: bytes | Exception, body: Pieces | None = None) -> httpx.Response:
    headers = {"content-type": "text/event-stream", "x-request-id": "req_1"}
    return httpx.Response(200, headers=headers, stream=body or Pieces(*pieces))
