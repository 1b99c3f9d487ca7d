"""The connections of one event loop, kept open between requests."""

import asyncio
import ssl
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.http.connection import Connection, Response

MAX_CONNECTIONS = 1000  # per origin
# Servers close idle connections after 5 (uvicorn, llama.cpp) to 75 seconds (nginx).
IDLE_SECONDS = 30.0
CONNECT_SECONDS = 10.0
# Beyond this, copying the body behind its head costs more than a second buffer.
_JOINED_BYTES = 64 * 1024


class _Target(NamedTuple):
    """Where a request goes, and the first lines of it."""

    origin: tuple[str, str, int]  # scheme, host, port
    prefix: bytes


@lru_cache(maxsize=1024)
def _target(method: str, url: str) -> _Target:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        prefix = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: ArkRoute\r\naccept-encoding: identity\r\n"
        if parts.scheme not in {"http", "https"} or not parts.hostname or " " in path:
            raise ValueError(url)
        return _Target((parts.scheme, parts.hostname, port), prefix.encode("ascii"))
    except ValueError as error:
        raise ProviderError(ProviderFault.UNREACHABLE, "the provider's address is no http or https URL") from error


class _Origin:
    """The connections to one scheme, host and port. The one used last is used next, so that the surplus ages out."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, max_connections: int) -> None:
        self.host = host
        self.port = port
        self.context = context
        self.max_connections = max_connections
        self.connections: set[Connection] = set()
        self.idle: list[Connection] = []

    def take(self) -> Connection | None:
        while self.idle:
            connection = self.idle.pop()
            if connection.is_open():
                return connection
        return None

    async def connect(self) -> Connection:
        if len(self.connections) >= self.max_connections:
            raise ProviderError(ProviderFault.OVERLOADED, f"{self.max_connections} connections are in use")
        loop = asyncio.get_running_loop()
        connection = Connection(loop, self._keep, self._forget)
        self.connections.add(connection)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(lambda: connection, self.host, self.port, ssl=self.context)
        except BaseException as error:
            connection.abort()
            self.connections.discard(connection)
            if not isinstance(error, OSError | UnicodeError):  # UnicodeError: a host name that is none
                raise
            # The error's text names the address: its kind has to do.
            message = f"no connection: {type(error).__name__}"
            raise ProviderError(ProviderFault.UNREACHABLE, message) from error
        return connection

    def _keep(self, connection: Connection) -> None:
        self.idle.append(connection)
        connection.expire_in(IDLE_SECONDS)

    def _forget(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)


def _message(prefix: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> list[bytes]:
    """The request's bytes, in the pieces to write."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if lines.count(b"\n") != len(headers):
        raise ValueError("a header has a line break in it")
    if not body:
        return [b"%bcontent-length: 0\r\n%b\r\n" % (prefix, lines)]
    head = b"%bcontent-length: %d\r\n%b\r\n" % (prefix, len(body), lines)
    return [head + body] if len(body) <= _JOINED_BYTES else [head, body]


class HttpPool:
    """An HTTP/1.1 client for one event loop: `pool()` gives the running loop's.

    `context` replaces the system's trust store for https.
    """

    def __init__(self, *, max_connections: int = MAX_CONNECTIONS, context: ssl.SSLContext | None = None) -> None:
        self._max_connections = max_connections
        self._context = context
        self._origins: dict[tuple[str, str, int], _Origin] = {}

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        first_byte_timeout: float,
        idle_timeout: float = 60.0,
    ) -> Response:
        """The answer, as soon as its head is there. Timeouts are in seconds, the second between parts of the body.

        Raises `ProviderError`: UNREACHABLE without a connection, OVERLOADED where too many are in use, TIMEOUT
        without an answer in time, BROKEN for what is no answer, a redirect included. A request is repeated only
        where an idle connection turns out to be closed at once, before one byte came back, and only once: a server that
        closes later may have begun the work, and be paid for it.
        """
        target = _target(method, url)
        origin = self._origins.get(target.origin) or self._add_origin(target.origin)
        message = _message(target.prefix, headers, body)
        head = method == "HEAD"
        connection = origin.take()
        reused = connection is not None
        connection = connection or await origin.connect()
        response = await connection.exchange(message, head, first_byte_timeout, idle_timeout)
        if reused and response.stale:
            connection = await origin.connect()
            response = await connection.exchange(message, head, first_byte_timeout, idle_timeout)
        response.raise_error()
        if 300 <= response.status < 400:
            response.close()
            raise ProviderError(ProviderFault.BROKEN, "the answer is a redirect", status=response.status)
        return response

    @property
    def open_connections(self) -> int:
        return sum(len(origin.connections) for origin in self._origins.values())

    @property
    def idle_connections(self) -> int:
        return sum(len(origin.idle) for origin in self._origins.values())

    async def close(self) -> None:
        """Closes all connections, those in use included; their requests fail as BROKEN."""
        made = [c for origin in self._origins.values() for c in origin.connections if c.transport is not None]
        for connection in made:
            connection.close()
        if made:
            await asyncio.wait([connection.lost for connection in made])

    def _add_origin(self, key: tuple[str, str, int]) -> _Origin:
        scheme, host, port = key
        if scheme == "https" and self._context is None:
            self._context = ssl.create_default_context()
        context = self._context if scheme == "https" else None
        origin = self._origins[key] = _Origin(host, port, context, self._max_connections)
        return origin


# A client belongs to one event loop: tests, commands and threads each get their own.
_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, HttpPool] = WeakKeyDictionary()


def pool() -> HttpPool:
    """The running event loop's client, made at its first use."""
    loop = asyncio.get_running_loop()
    found = _pools.get(loop)
    if found is None:
        found = _pools[loop] = HttpPool()
    return found


async def close_pools() -> None:
    """Closes the running event loop's client, if it has one; call it where the loop ends. The next `pool()` is new."""
    found = _pools.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()
