"""Sends calls, tries them again, and hands back good answers: once for threads, once for asyncio."""

from __future__ import annotations

import asyncio
import time

import httpx

from arkroute.http.call import Call
from arkroute.http.configuration import Configuration
from arkroute.http.cookies import SessionCookie, put_session
from arkroute.http.retries import Tries


class Base:
    """What both have: whose calls they send, and for which session."""

    def __init__(self, configuration: Configuration, session: SessionCookie | None = None) -> None:
        self.configuration = configuration
        self.session = session

    def _request(self, client: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
        if call.is_elsewhere:
            url, headers = call.path, {}
        else:
            url = self.configuration.base_url + call.path
            headers = self.configuration.request_headers(needs_key=call.needs_key)
        request = client.build_request(
            call.method,
            url,
            headers={**headers, **call.headers},
            params=call.query or None,
            content=call.content,
            timeout=self.configuration.timeout if call.timeout is None else call.timeout,
        )
        if "cookie" not in call.headers:
            put_session(request, self.session.id if self.session is not None else None)
        return request

    def _note(self, response: httpx.Response) -> None:
        if self.session is not None:
            self.session.note(response)


class Exchange(Base):
    def __init__(self, configuration: Configuration, client: httpx.Client, session: SessionCookie | None = None):
        super().__init__(configuration, session)
        self.client = client

    def send(self, call: Call, *, stream: bool = False) -> httpx.Response:
        """A good answer: read, or with `stream` open, for the caller to read and close.

        Raises `ConfigurationError`, `APIConnectionError`, `APITimeoutError`, or the `APIStatusError` of its status.
        """
        tries = Tries(call, self.configuration)
        while True:
            try:
                response = self.client.send(
                    self._request(self.client, call), stream=stream, follow_redirects=call.is_elsewhere
                )
                if response.is_success:
                    self._note(response)
                    return response
                response.read()
            except httpx.RequestError as error:
                delay = tries.after_failure(error)
            else:
                response.close()
                delay = tries.after_answer(response)
            time.sleep(delay)

    def with_session(self, session: SessionCookie) -> Exchange:
        return Exchange(self.configuration, self.client, session)


class AsyncExchange(Base):
    def __init__(self, configuration: Configuration, client: httpx.AsyncClient, session: SessionCookie | None = None):
        super().__init__(configuration, session)
        self.client = client

    async def send(self, call: Call, *, stream: bool = False) -> httpx.Response:
        """As `Exchange.send`."""
        tries = Tries(call, self.configuration)
        while True:
            try:
                response = await self.client.send(
                    self._request(self.client, call), stream=stream, follow_redirects=call.is_elsewhere
                )
                if response.is_success:
                    self._note(response)
                    return response
                await response.aread()
            except httpx.RequestError as error:
                delay = tries.after_failure(error)
            else:
                await response.aclose()
                delay = tries.after_answer(response)
            await asyncio.sleep(delay)

    def with_session(self, session: SessionCookie) -> AsyncExchange:
        return AsyncExchange(self.configuration, self.client, session)
