"""An answer that comes in pieces: once for threads, once for asyncio."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Generic, TypeVar

import httpx

from arkroute.errors import APIConnectionError
from arkroute.http.events import EventDecoder
from arkroute.http.failures import stream_error, unreadable
from arkroute.http.retries import connection_error
from arkroute.types.record import Record, request_id_of

Piece = TypeVar("Piece", bound=Record)
DONE = "[DONE]"


class BaseStream(Generic[Piece]):
    """What a stream says of itself besides its pieces."""

    def __init__(self, response: httpx.Response, kind: type[Piece], *, ends_with_done: bool) -> None:
        self.response = response
        self.request_id = request_id_of(response)
        # Tokens or seconds, as the last piece that told them did: of a chat with `stream_options.include_usage` alone.
        self.usage: Record | None = None
        self._kind = kind
        self._decoder = EventDecoder()
        self._needs_done = ends_with_done
        self._is_done = False

    @property
    def credits(self) -> float | None:
        """What it cost: known at the end, where its usage is told."""
        return self.usage.get("credits") if self.usage is not None else None

    def _pieces(self, received: bytes) -> Iterator[Piece]:
        for data in self._decoder.feed(received):
            if data.startswith(DONE):
                self._is_done = True
                return
            try:
                event = json.loads(data)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                raise unreadable(self.response, "The stream has an event that is no JSON object.", data)
            if event.get("error") is not None:
                raise stream_error(event, self.request_id)
            piece = self._kind(event)
            if isinstance(usage := piece.get("usage"), Record):
                self.usage = usage
            yield piece

    def _check_start(self) -> None:
        kind = self.response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            raise unreadable(self.response, f"A stream was asked for, and `{kind}` came.")

    def _check_end(self) -> None:
        if self._needs_done and not self._is_done:
            raise APIConnectionError(f"The stream was cut before its end (request {self.request_id}).")


class Stream(BaseStream[Piece]):
    """Iterate over it for its pieces; it closes itself at the end. Leave a `with` block to end it early.

    Raises `StreamError` where the API ends it with an error, `APIConnectionError` where it is cut.
    """

    def __init__(self, response: httpx.Response, kind: type[Piece], *, ends_with_done: bool = False) -> None:
        super().__init__(response, kind, ends_with_done=ends_with_done)
        self._iterator = self._iterate()

    def __iter__(self) -> Iterator[Piece]:
        return self._iterator

    def __next__(self) -> Piece:
        return next(self._iterator)

    def close(self) -> None:
        """Hangs up. What had come until then is charged."""
        self.response.close()

    def __enter__(self) -> Stream[Piece]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _iterate(self) -> Iterator[Piece]:
        try:
            self._check_start()
            for received in self.response.iter_bytes():
                yield from self._pieces(received)
                if self._is_done:
                    return
            self._check_end()
        except httpx.RequestError as error:
            raise connection_error(error) from error
        finally:
            self.close()


class AsyncStream(BaseStream[Piece]):
    """As `Stream`, with `async for` and `async with`."""

    def __init__(self, response: httpx.Response, kind: type[Piece], *, ends_with_done: bool = False) -> None:
        super().__init__(response, kind, ends_with_done=ends_with_done)
        self._iterator = self._iterate()

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._iterator

    async def __anext__(self) -> Piece:
        return await self._iterator.__anext__()

    async def close(self) -> None:
        """Hangs up. What had come until then is charged."""
        await self.response.aclose()

    async def __aenter__(self) -> AsyncStream[Piece]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _iterate(self) -> AsyncIterator[Piece]:
        try:
            self._check_start()
            async for received in self.response.aiter_bytes():
                for piece in self._pieces(received):
                    yield piece
                if self._is_done:
                    return
            self._check_end()
        except httpx.RequestError as error:
            raise connection_error(error) from error
        finally:
            await self.close()
