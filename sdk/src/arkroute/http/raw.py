"""Answers with the HTTP around them: `client.images.with_raw_response.generate(…)`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import httpx

from arkroute.types.record import request_id_of


class HasResponse(Protocol):
    @property
    def response(self) -> httpx.Response: ...


class RawResponse:
    """Status, headers and bytes as they came; `parse()` is what the method answers without this."""

    def __init__(self, answer: HasResponse) -> None:
        self.http_response = answer.response
        self.status_code = answer.response.status_code
        self.headers = answer.response.headers
        self.request_id = request_id_of(answer.response)
        self._answer = answer

    @property
    def content(self) -> bytes:
        """The body. A stream has none that is read: use `parse()`."""
        return self.http_response.content

    @property
    def text(self) -> str:
        return self.http_response.text

    def parse(self) -> Any:
        return self._answer


class WithRawResponse:
    """The methods of a resource, each answering a `RawResponse`."""

    def __init__(self, resource: object) -> None:
        self._resource = resource

    def __getattr__(self, name: str) -> Callable[..., RawResponse]:
        method = getattr(self._resource, name)

        def call(*args: Any, **parameters: Any) -> RawResponse:
            return RawResponse(method(*args, **parameters))

        return call


class AsyncWithRawResponse:
    """The same, to be awaited."""

    def __init__(self, resource: object) -> None:
        self._resource = resource

    def __getattr__(self, name: str) -> Callable[..., Awaitable[RawResponse]]:
        method = getattr(self._resource, name)

        async def call(*args: Any, **parameters: Any) -> RawResponse:
            return RawResponse(await method(*args, **parameters))

        return call
