"""What all endpoints share: sending a call and making its answer."""

from __future__ import annotations

import json
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from arkroute.http.call import Call
from arkroute.http.exchange import AsyncExchange, Exchange
from arkroute.http.failures import unreadable
from arkroute.http.raw import AsyncWithRawResponse, WithRawResponse
from arkroute.types.record import Answer

A = TypeVar("A", bound=Answer)


class Resource:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def with_raw_response(self) -> WithRawResponse:
        """The same methods, each answering a `RawResponse`: status, headers and bytes."""
        return WithRawResponse(self)

    def _ask(self, call: Call, kind: type[A]) -> A:
        return parse(self._exchange.send(call), kind)


class AsyncResource:
    def __init__(self, exchange: AsyncExchange) -> None:
        self._exchange = exchange

    @property
    def with_raw_response(self) -> AsyncWithRawResponse:
        """The same methods, each answering a `RawResponse`: status, headers and bytes."""
        return AsyncWithRawResponse(self)

    async def _ask(self, call: Call, kind: type[A]) -> A:
        return parse(await self._exchange.send(call), kind)


def parse(response: httpx.Response, kind: type[A]) -> A:
    """The answer in a response that is read. Raises `UnreadableAnswerError`."""
    try:
        body: Any = json.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise unreadable(response, "The answer is no JSON object.", response.text)
    return kind(body, response)


def segment(name: str) -> str:
    """An id as a segment of a path. Raises `ValueError` for an empty one, which would be another address."""
    if not name:
        raise ValueError("The id is empty.")
    return quote(name, safe="")
