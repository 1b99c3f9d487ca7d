"""Tables as CSV (RFC 4180), for spreadsheets: written while they are read, however long they are."""

import csv
from collections.abc import AsyncIterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

# What a spreadsheet takes for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r", "\n")
# Lines that are sent together.
LINES = 500

Cell = str | int | float


def csv_response(name: str, head: Sequence[str], rows: AsyncIterator[Sequence[Cell]]) -> StreamingHttpResponse:
    """A download called `name`, with a line for the head and one for each of `rows`."""
    return StreamingHttpResponse(
        write_csv(head, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


async def write_csv(head: Sequence[str], rows: AsyncIterator[Sequence[Cell]]) -> AsyncIterator[bytes]:
    """The file, piece by piece."""
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(head)
    async for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
        if len(lines.written) >= LINES:
            yield lines.take()
    yield lines.take()


def safe_cell(cell: Cell) -> Any:
    """The cell, so that no spreadsheet runs it: a text that looks like a formula gets an apostrophe. Numbers stay."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_MARKS) else cell


class _Lines:
    """What `csv` writes to."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(line)

    def take(self) -> bytes:
        lines, self.written = self.written, []
        return "".join(lines).encode()
