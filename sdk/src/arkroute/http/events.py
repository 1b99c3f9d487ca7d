"""Server-sent events, as bytes come in.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html. A line ends with LF, CR LF or CR and nothing
else: JSON may hold U+2028 and its like as they are, at which `str.splitlines` would cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# A CR at the end may be half of a CR LF: it waits for what follows.
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")


class EventDecoder:
    """Turns pieces of a stream into the data of its events."""

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[str]:
        """The data of those events that are complete with `piece`.

        An event that the stream's end cuts off is dropped, as the standard has it.
        """
        if not (b"\n" in piece or b"\r" in piece or self._ends_with_cr()):
            self._unfinished.append(piece)
            return
        *lines, rest = _LINE_END.split(b"".join([*self._unfinished, piece]))
        self._unfinished = [rest] if rest else []
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                data, self._data = b"\n".join(self._data), []
                yield data.decode("utf-8", "replace")

    def _take(self, line: bytes) -> None:
        # `event` repeats the `type` of the data in all streams of the API; `id`, `retry` and comments have no use here.
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value[1:] if value.startswith(b" ") else value)

    def _ends_with_cr(self) -> bool:
        return bool(self._unfinished) and self._unfinished[-1].endswith(b"\r")
