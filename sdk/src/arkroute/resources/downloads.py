"""Files that answers lead to, written so that a broken download leaves no half of one behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Union

import httpx

from arkroute.http.call import Call
from arkroute.http.exchange import AsyncExchange, Exchange
from arkroute.http.retries import connection_error

Target = Union[str, "os.PathLike[str]"]


def save(exchange: Exchange, call: Call, path: Target) -> Path:
    """Writes the answer's body to `path`, piece by piece. Returns the path."""
    response = exchange.send(call, stream=True)
    try:
        with _replaced(path) as file:
            for piece in response.iter_bytes():
                file.write(piece)
    except httpx.RequestError as error:
        raise connection_error(error) from error
    finally:
        response.close()
    return Path(path)


async def save_async(exchange: AsyncExchange, call: Call, path: Target) -> Path:
    """As `save`."""
    response = await exchange.send(call, stream=True)
    try:
        with _replaced(path) as file:
            async for piece in response.aiter_bytes():
                file.write(piece)
    except httpx.RequestError as error:
        raise connection_error(error) from error
    finally:
        await response.aclose()
    return Path(path)


def write(data: bytes, path: Target) -> Path:
    """The same for bytes that are here."""
    with _replaced(path) as file:
        file.write(data)
    return Path(path)


@contextmanager
def _replaced(path: Target) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` once it is whole. What is no file, a pipe say, is written as it is."""
    target = Path(path)
    if target.exists() and not target.is_file():
        with target.open("wb") as pipe:
            yield pipe
        return
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
