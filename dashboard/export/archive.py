"""Writes an export as a ZIP while it is read: however much a user has, little of it is in memory at a time."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from io import RawIOBase
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
from django.db.models import Q, QuerySet

from accounts.database import run_in_database_thread
from accounts.models import User
from dashboard.export.parts import PARTS, Part, readme

# Rows that are read from the database together: one short query, so that no cursor stays open while a client is slow.
ROWS = 500


async def archive_of(user: User) -> AsyncIterator[bytes]:
    """The archive, piece by piece. Each is read, encoded and compressed in a database thread."""
    pieces = _pieces(user)
    while piece := await run_in_database_thread(next, pieces, b""):
        yield piece


def _pieces(user: User) -> Iterator[bytes]:
    """Never an empty one."""
    written = _Written()
    with ZipFile(written, "w", ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n\n{readme()}")
        for part in PARTS:
            with archive.open(f"{part.name}.ndjson", "w", force_zip64=True) as file:
                for lines in _lines(part, user):
                    file.write(lines)
                    if piece := written.take():
                        yield piece
    yield written.take()


def _lines(part: Part, user: User) -> Iterator[bytes]:
    rows = part.rows(user)
    page = list(rows[:ROWS])
    while page:
        yield b"".join(msgspec.json.encode(part.describe(row), enc_hook=str) + b"\n" for row in page)
        page = list(_after(rows, part.order, page[-1])[:ROWS]) if len(page) == ROWS else []


def _after(rows: "QuerySet[Any]", order: tuple[str, ...], last: Any) -> "QuerySet[Any]":
    """Those that follow the row `last`."""
    *first, tie = order
    beyond = Q(**{f"{tie}__gt": getattr(last, tie)})
    for name in reversed(first):
        value = getattr(last, name)
        beyond = Q(**{f"{name}__gt": value}) | Q(**{name: value}) & beyond
        rows = rows.filter(**{f"{name}__gte": value})  # the condition that an index answers
    return rows.filter(beyond)


class _Written(RawIOBase):
    """What was written and not yet taken. It cannot go back, which tells ZipFile to note sizes behind each file."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken
