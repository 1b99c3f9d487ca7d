"""The one way to fetch an address that somebody else chose: a client's picture, a provider's result, a webhook.

A name is resolved once, every address that it has must be one of the public internet, and the connection goes to an
address that was checked, not to the name again (which may by then resolve to another: "DNS rebinding"). TLS goes on
being checked against the name. The same holds for each redirect.

`ChosenBy` tells whose choice an address is: a client's may lead to fewer ports, and never keeps a provider's results
waiting.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from enum import Enum
from functools import cache, partial
from typing import Any
from urllib.parse import urljoin

import httpcore
from django.conf import settings
from msgspec import Struct

from gateway.addresses import Address, is_public, may_be_public, read_address

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Of a name's addresses so many are tried, each for so many seconds.
_MOST_ADDRESSES = 4
_CONNECT_SECONDS = 5.0
# Bytes of a connection that wait to be read: beyond twice as many the sender has to wait.
_WAITING_BYTES = 128 * 1024


class ChosenBy(Enum):
    """Who chose an address."""

    CLIENT = "client"
    PROVIDER = "provider"


# Where clients' addresses may lead, so that nobody looks through other people's ports by us.
CLIENTS_PORTS = frozenset({443, 8443})
# Names that somebody chose may take long to resolve: those lookups have threads of their own, so that nothing else
# waits for them, and those of a client keep no provider's waiting.
_RESOLVERS = {
    chosen_by: ThreadPoolExecutor(max_workers=16, thread_name_prefix=f"resolver-{chosen_by.value}")
    for chosen_by in ChosenBy
}


class FetchError(Exception):
    """The address could not be fetched. The message says why, without what a server behind it said."""


class AddressRefused(FetchError):
    """The address is none that may be fetched from here."""


class Fetched(Struct, frozen=True):
    """What was at the address. `mime` is what its server called it: nothing to rely on."""

    data: bytes
    mime: str


async def fetch(url: str, *, max_bytes: int, seconds: float, chosen_by: ChosenBy = ChosenBy.CLIENT) -> Fetched:
    """The body at `url`, of at most `max_bytes`, if it has come within `seconds`. Raises `FetchError`."""
    async with stream(url, max_bytes=max_bytes, seconds=seconds, chosen_by=chosen_by) as (mime, pieces):
        # Grown in its place: thousands of pieces, kept until the last is here, would take their room twice.
        body = bytearray()
        async for piece in pieces:
            body += piece
        return Fetched(bytes(body), mime)


@asynccontextmanager
async def stream(
    url: str, *, max_bytes: int, seconds: float, chosen_by: ChosenBy = ChosenBy.CLIENT
) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """The media type and the pieces of the body at `url`, never held as a whole. Raises `FetchError`, also midway.

    All of it has to come, and to be dealt with in the block, within `seconds`.
    """
    timeout = asyncio.timeout(seconds)
    try:
        async with (
            timeout,
            _connections(chosen_by) as pool,
            _open(pool, url, chosen_by) as response,
        ):
            headers = {name.lower(): value.strip() for name, value in response.headers}
            if headers.get(b"content-encoding", b"").lower() not in (b"", b"identity"):
                raise FetchError("its server compresses it although asked not to")
            length = headers.get(b"content-length", b"")
            if length.isdigit() and int(length) > max_bytes:
                raise _too_large(max_bytes)
            mime = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
            yield mime, _counted(response, max_bytes)
    except TimeoutError:
        if not timeout.expired():
            raise
        raise FetchError(f"it did not come within {seconds:g} seconds") from None


def check_url(url: str, chosen_by: ChosenBy = ChosenBy.CLIENT) -> Address:
    """The address in `url`, if it may be fetched as far as it tells by itself. Raises `AddressRefused`.

    It has to be https, without a user, and a client's at one of `CLIENTS_PORTS`. Where `FETCH_ALLOWED_PRIVATE_HOSTS`
    names its `host:port`, also http, private, and at that port.
    """
    try:
        address = read_address(url)
    except ValueError:
        raise AddressRefused("it is no https address") from None
    if _is_allowed(address.authority):
        return address
    if address.scheme != "https":
        raise AddressRefused("it is no https address")
    if not may_be_public(address.host):
        raise _not_found()
    if chosen_by is ChosenBy.CLIENT and address.port not in CLIENTS_PORTS:
        raise AddressRefused(f"its port is none of {', '.join(map(str, sorted(CLIENTS_PORTS)))}")
    return address


async def resolve(host: str, chosen_by: ChosenBy) -> list[str]:
    """The IP addresses of `host`, the one to try first in front. Raises `OSError` or `UnicodeError`."""
    lookup = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS[chosen_by], lookup)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


@cache
def tls_context() -> ssl.SSLContext:
    """Checks certificates and names. Shared by all fetches: it is a megabyte, and takes long to make."""
    return httpcore.default_ssl_context()


def _connections(chosen_by: ChosenBy) -> httpcore.AsyncConnectionPool:
    """Made anew for each fetch: a kept connection would be to an address that was checked long ago."""
    return httpcore.AsyncConnectionPool(
        ssl_context=tls_context(),
        network_backend=_CheckedAddresses(chosen_by),
    )


@asynccontextmanager
async def _open(pool: httpcore.AsyncConnectionPool, url: str, chosen_by: ChosenBy) -> AsyncIterator[httpcore.Response]:
    """The answer at the end of at most three redirects."""
    for _ in range(MAX_REDIRECTS + 1):
        address = check_url(url, chosen_by)
        with _network_errors():
            response = await pool.handle_async_request(_request(address))
        try:
            if response.status not in _REDIRECTS:
                if response.status != 200:
                    raise FetchError(f"its server answered {response.status}")
                yield response
                return
        finally:
            await response.aclose()
        location = {name.lower(): value for name, value in response.headers}.get(b"location", b"")
        try:
            url = urljoin(str(address), location.decode("latin-1"))
        except ValueError:
            raise AddressRefused("it redirects to what is no address") from None
    raise FetchError(f"it redirects more than {MAX_REDIRECTS} times")


def _request(address: Address) -> httpcore.Request:
    parts = httpcore.URL(
        scheme=address.scheme.encode(),
        host=address.host.encode(),
        port=address.port,
        target=address.target.encode(),
    )
    standard = {"http": 80, "https": 443}[address.scheme]
    host = address.authority.removesuffix(f":{standard}")
    # Without an encoding, so that no small body can unpack into a large one.
    headers = [("host", host), ("accept", "*/*"), ("accept-encoding", "identity"), ("user-agent", "ArkRoute")]
    return httpcore.Request("GET", parts, headers=headers)


async def _counted(response: httpcore.Response, max_bytes: int) -> AsyncIterator[bytes]:
    received = 0
    pieces = aiter(response.aiter_stream())
    while True:
        with _network_errors():
            piece = await anext(pieces, None)
        if piece is None:
            return
        received += len(piece)
        if received > max_bytes:
            raise _too_large(max_bytes)
        yield piece


@contextmanager
def _network_errors() -> Iterator[None]:
    """Turns errors of the network into ours. Only around what talks to it: whoever takes the pieces has his own."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
        raise FetchError("the connection to its server failed") from None


def _is_allowed(authority: str) -> bool:
    return authority in settings.FETCH_ALLOWED_PRIVATE_HOSTS


def _not_found() -> AddressRefused:
    """The same for a private address and for an unknown name: nobody shall learn which names our network has."""
    return AddressRefused("its server is not to be found on the public internet")


def _too_large(max_bytes: int) -> FetchError:
    return FetchError(f"it has more than {max_bytes >> 20} MB")


async def _public_addresses(host: str, port: int, chosen_by: ChosenBy) -> list[str]:
    """What `host` resolves to. Raises `AddressRefused` where any of it may not be connected to."""
    try:
        addresses = await resolve(host, chosen_by)
    except (OSError, UnicodeError):
        raise _not_found() from None
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not _is_allowed(authority) and not all(is_public(ipaddress.ip_address(one)) for one in addresses):
        raise _not_found()
    return addresses


class _CheckedAddresses(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked: to those, since an IP address is not resolved again."""

    def __init__(self, chosen_by: ChosenBy) -> None:
        self._chosen_by = chosen_by

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> "_Stream":
        for address in (await _public_addresses(host, port, self._chosen_by))[:_MOST_ADDRESSES]:
            try:
                return _Stream(*await dial(address, port))
            except OSError:
                continue  # a machine without IPv6 has only some of a name's addresses
        raise httpcore.ConnectError("none of its addresses answers")


async def dial(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to an IP address. Raises `OSError`."""
    async with asyncio.timeout(_CONNECT_SECONDS):
        return await asyncio.open_connection(address, port, limit=_WAITING_BYTES)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection whose sender waits for its reader.

    httpcore's own takes all that the network brings while the event loop is at it: megabytes for each connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's interface
        return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._writer.write(buffer)
        await self._writer.drain()

    async def aclose(self) -> None:
        # Nobody waits for the rest, nor for a polite end of TLS.
        self._writer.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> "_Stream":
        await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info(info)
