"""What providers made, on its way to clients: in our storage, or read into memory. A provider's address stays here."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from secrets import token_hex
from time import perf_counter, time
from typing import TypeVar

from msgspec import Struct

from gateway.call import Call
from gateway.errors import ProviderError, ProviderFault
from gateway.fetch import AddressRefused, ChosenBy, FetchError, fetch, stream
from gateway.media import EXTENSIONS, store, store_sniffed
from gateway.models import StoredPicture
from gateway.requests.pictures import sniff_picture
from gateway.routing.execute import explain, note_failure
from gateway.together import together
from gateway.types import Picture

logger = logging.getLogger(__name__)
Got = TypeVar("Got")

MAX_RESULT_BYTES = 50 * 1024 * 1024
# For a result to come and to be stored.
FETCH_SECONDS = 120.0
# The provider is paid by now, so a connection that broke is worth another.
FETCH_TRIES = 2


class Result(Struct):
    """A picture as a client gets it: `name` in our storage, or `data`. `mime` is what its first bytes show."""

    mime: str
    revised_prompt: str | None
    name: str = ""
    data: bytes = b""


async def take_results(call: Call, pictures: list[Picture], *, inline: bool) -> list[Result]:
    """The pictures, stored, or `inline` in memory: those that can be had, in their order.

    Where none can, raises the `GatewayError` that this means to a client. Raises what the storage raises.
    """
    began = perf_counter()
    taken = await together(_try(picture, inline) for picture in pictures)
    if any(picture.url for picture in pictures):
        call.waited += perf_counter() - began
    results = [one for one in taken if isinstance(one, Result)]
    failures = [one for one in taken if isinstance(one, ProviderError)]
    if not results:
        note_failure(call, failures[0])
        raise explain(failures[0]) from failures[0]
    if failures:
        logger.warning(
            "%s: %d of %d results of %s are lost", call.request_id, len(failures), len(taken), call.served_by
        )
    return results


def rows_of(call: Call, results: list[Result]) -> list[StoredPicture]:
    """What is written with the receipt, so that their owner finds the stored ones again."""
    now = datetime.now(UTC)
    return [
        StoredPicture(
            id=f"image_{int(time() * 1000):012x}{token_hex(16)}",
            account_id=call.caller.user_id,
            request_id=call.request_id,
            name=result.name,
            mime=result.mime,
            created_at=now,
        )
        for result in results
        if result.name
    ]


async def _try(picture: Picture, inline: bool) -> Result | ProviderError:
    try:
        return await (_read(picture) if inline else _store(picture))
    except ProviderError as error:
        return error
    except FetchError as error:
        return ProviderError(ProviderFault.BROKEN, f"a result that cannot be fetched: {error}", accepted=True)


async def _store(picture: Picture) -> Result:
    if not picture.url:
        mime = _sniff(picture.data)
        return Result(mime, picture.revised_prompt, name=await store(picture.data, mime))
    return await _persistently(lambda: _store_fetched(picture))


async def _store_fetched(picture: Picture) -> Result:
    async with stream(picture.url, max_bytes=MAX_RESULT_BYTES, seconds=FETCH_SECONDS, chosen_by=ChosenBy.PROVIDER) as (
        _,
        pieces,
    ):
        name, mime = await store_sniffed(pieces, _sniff)
        return Result(mime, picture.revised_prompt, name=name)


async def _read(picture: Picture) -> Result:
    if not picture.url:
        return Result(_sniff(picture.data), picture.revised_prompt, data=picture.data)
    got = await _persistently(
        lambda: fetch(picture.url, max_bytes=MAX_RESULT_BYTES, seconds=FETCH_SECONDS, chosen_by=ChosenBy.PROVIDER)
    )
    return Result(_sniff(got.data), picture.revised_prompt, data=got.data)


async def _persistently(get: Callable[[], Awaitable[Got]]) -> Got:
    for _ in range(FETCH_TRIES - 1):
        try:
            return await get()
        except AddressRefused:
            raise
        except FetchError:
            continue
    return await get()


def _sniff(data: bytes) -> str:
    """The media type that the first bytes show: whatever the provider called it."""
    mime = sniff_picture(data)
    if mime is None or mime not in EXTENSIONS:
        raise ProviderError(ProviderFault.BROKEN, "a result that is no picture", accepted=True)
    return mime
