"""Connections to addresses that somebody else chose.

A name is resolved once, every address that it has must be one of the public internet, and the connection goes to an
address that was checked, not to the name again (which may by then resolve to another: "DNS rebinding"). TLS goes on
being checked against the name.

`ChosenBy` tells whose choice an address is: a client's may lead to fewer ports, and never keeps a provider's results
waiting.
"""

import asyncio
import ipaddress
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import cache, partial
from typing import Any

import httpcore
from django.conf import settings

from gateway.addresses import Address, is_public, may_be_public, read_address

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


class NothingThere(FetchError):
    """Its server says that there is nothing, or nothing for us, and will say so again: it is no passing trouble."""


class AddressRefused(FetchError):
    """The address is none that may be fetched from here."""


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


def connections(chosen_by: ChosenBy) -> httpcore.AsyncConnectionPool:
    """What asks servers. Made anew for each fetch: a kept connection would lead to what was checked long ago."""
    return httpcore.AsyncConnectionPool(
        ssl_context=tls_context(),
        network_backend=_CheckedAddresses(chosen_by),
    )


def _is_allowed(authority: str) -> bool:
    return authority in settings.FETCH_ALLOWED_PRIVATE_HOSTS


def _not_found() -> AddressRefused:
    """The same for a private address and for an unknown name: nobody shall learn which names our network has."""
    return AddressRefused("its server is not to be found on the public internet")


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
