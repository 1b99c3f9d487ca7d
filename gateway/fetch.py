"""The one way to talk to an address that somebody else chose: a client's picture or webhook, a provider's result.

Where it leads is checked by `gateway.connections`, again for each redirect.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urljoin

import httpcore
from msgspec import Struct

from gateway.addresses import Address
from gateway.connections import AddressRefused, ChosenBy, FetchError, NothingThere, check_url, connections

__all__ = [
    "AddressRefused",
    "ChosenBy",
    "FetchError",
    "Fetched",
    "NothingThere",
    "Posted",
    "check_url",
    "fetch",
    "post",
    "stream",
]
# A server's words for it; a 403 is also what a signed address answers that has lapsed.
_NOTHING = frozenset({401, 403, 404, 410})

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What is kept of the answer to a POST: enough to see what its server has against it.
_KEPT_BYTES = 4096


class Fetched(Struct, frozen=True):
    """What was at the address. `mime` is what its server called it: nothing to rely on."""

    data: bytes
    mime: str


class Posted(Struct, frozen=True):
    """What a server answered. `body` is its beginning, at most 4096 bytes, as it came: nothing to rely on; neither is
    `retry_after`, its header of that name."""

    status: int
    body: bytes
    retry_after: bytes = b""


async def fetch(
    url: str,
    *,
    max_bytes: int,
    seconds: float,
    chosen_by: ChosenBy = ChosenBy.CLIENT,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> Fetched:
    """The body at `url`, of at most `max_bytes`, if it has come within `seconds`. Raises `FetchError`.

    `headers` are for the origin of `url` alone, as in `stream`.
    """
    async with stream(url, max_bytes=max_bytes, seconds=seconds, chosen_by=chosen_by, headers=headers) as (
        mime,
        pieces,
    ):
        # Grown in its place: thousands of pieces, kept until the last is here, would take their room twice.
        body = bytearray()
        async for piece in pieces:
            body += piece
        return Fetched(bytes(body), mime)


@asynccontextmanager
async def stream(
    url: str,
    *,
    max_bytes: int,
    seconds: float,
    chosen_by: ChosenBy = ChosenBy.CLIENT,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """The media type and the pieces of the body at `url`, never held as a whole. Raises `FetchError`, also midway.

    All of it has to come, and to be dealt with in the block, within `seconds`. `headers` are sent beside our own, to
    the origin of `url` (its scheme, host and port) alone: they may hold a key. A redirect away from it ends them.
    """
    timeout = asyncio.timeout(seconds)
    try:
        async with (
            timeout,
            connections(chosen_by) as pool,
            _open(pool, url, chosen_by, headers) as response,
        ):
            received = {name.lower(): value.strip() for name, value in response.headers}
            if received.get(b"content-encoding", b"").lower() not in (b"", b"identity"):
                raise FetchError("its server compresses it although asked not to")
            length = received.get(b"content-length", b"")
            if length.isdigit() and int(length) > max_bytes:
                raise _too_large(max_bytes)
            mime = received.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
            yield mime, _counted(response, max_bytes)
    except TimeoutError:
        if not timeout.expired():
            raise
        raise _too_late(seconds) from None


async def post(
    url: str,
    body: bytes,
    *,
    headers: Sequence[tuple[bytes, bytes]],
    seconds: float,
    chosen_by: ChosenBy = ChosenBy.CLIENT,
) -> Posted:
    """What the server at `url` answers to `body` within `seconds`, whatever its status: no redirect is followed.

    Raises `FetchError` where it answers nothing, also where `body` may have arrived. `headers` name the type of `body`.
    """
    address = check_url(url, chosen_by)
    request = _request("POST", address, [(b"content-length", b"%d" % len(body)), *headers], body)
    status: int | None = None
    retry_after = b""
    kept = bytearray()
    try:
        async with asyncio.timeout(seconds), connections(chosen_by) as pool:
            with _network_errors():
                response = await pool.handle_async_request(request)
            status = response.status
            retry_after = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
            try:
                await _keep_beginning(response, kept)
            finally:
                await response.aclose()
    except TimeoutError:
        # A server has said what there is to say with its status; an answer that breaks off later makes it no other.
        if status is None:
            raise _too_late(seconds) from None
    except FetchError:
        if status is None:
            raise
    return Posted(status, bytes(kept[:_KEPT_BYTES]), retry_after)


@asynccontextmanager
async def _open(
    pool: httpcore.AsyncConnectionPool, url: str, chosen_by: ChosenBy, headers: Sequence[tuple[bytes, bytes]]
) -> AsyncIterator[httpcore.Response]:
    """The answer at the end of at most three redirects."""
    origin: tuple[str, str] | None = None
    for _ in range(MAX_REDIRECTS + 1):
        address = check_url(url, chosen_by)
        origin = origin or _origin(address)
        if _origin(address) != origin:
            # Not even where it leads back: another server has chosen what is asked for then.
            headers = ()
        with _network_errors():
            response = await pool.handle_async_request(_request("GET", address, headers))
        try:
            if response.status not in _REDIRECTS:
                if response.status != 200:
                    kind = NothingThere if response.status in _NOTHING else FetchError
                    raise kind(f"its server answered {response.status}")
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


def _origin(address: Address) -> tuple[str, str]:
    return address.scheme, address.authority


def _request(
    method: str, address: Address, headers: Sequence[tuple[bytes, bytes]], body: bytes | None = None
) -> httpcore.Request:
    parts = httpcore.URL(
        scheme=address.scheme.encode(),
        host=address.host.encode(),
        port=address.port,
        target=address.target.encode(),
    )
    standard = {"http": 80, "https": 443}[address.scheme]
    host = address.authority.removesuffix(f":{standard}").encode()
    # Without an encoding, so that no small body can unpack into a large one.
    own = [(b"host", host), (b"accept", b"*/*"), (b"accept-encoding", b"identity"), (b"user-agent", b"ArkRoute")]
    return httpcore.Request(method, parts, headers=[*own, *headers], content=body)


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


async def _keep_beginning(response: httpcore.Response, kept: bytearray) -> None:
    """Adds the pieces of a body to `kept`, which has them also where they break off, until they are enough."""
    with _network_errors():
        async for piece in response.aiter_stream():
            kept += piece
            if len(kept) >= _KEPT_BYTES:
                return


@contextmanager
def _network_errors() -> Iterator[None]:
    """Turns errors of the network into ours. Only around what talks to it: whoever takes the pieces has his own."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
        raise FetchError("the connection to its server failed") from None


def _too_large(max_bytes: int) -> FetchError:
    return NothingThere(f"it has more than {max_bytes >> 20} MB")


def _too_late(seconds: float) -> FetchError:
    return FetchError(f"it did not come within {seconds:g} seconds")
