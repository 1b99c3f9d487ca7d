"""Server-sent events, as OpenAI-shaped servers stream them: read from the pieces in which the network delivers them.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from gateway.errors import ProviderError, ProviderFault

MAX_EVENT_BYTES = 8 * 1024 * 1024


class EventReader:
    """Turns the pieces of a stream into the `data` of its events. Comments and other fields are passed over."""

    __slots__ = ("_carriage_returns", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._carriage_returns = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that `piece` completes; an event without data is none."""
        text = self._rest + piece if self._rest else piece
        if self._carriage_returns or b"\r" in piece:
            text = self._unify_line_ends(text)
        # Nearly always: whole events of one line each. No work per event then.
        if text.startswith(b"data: ") and text.endswith(b"\n\n"):
            found = text[6:-2].split(b"\n\ndata: ")
            if text.count(b"\n") == 2 * len(found):
                self._rest = b""
                return found
        events = text.split(b"\n\n")
        self._rest = events.pop()
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ProviderError(ProviderFault.BROKEN, f"an event is larger than {MAX_EVENT_BYTES} bytes")
        found = []
        for event in events:
            lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
            if lines:
                found.append(b"\n".join(lines))
        return found

    def end(self) -> list[bytes]:
        """What the stream's end completes: some servers leave out the last empty line."""
        return self.feed(b"\n\n")

    def _unify_line_ends(self, text: bytes) -> bytes:
        # A carriage return at the end may be half of a line end: it waits for the next piece.
        self._carriage_returns = text.endswith(b"\r")
        if self._carriage_returns:
            return text[:-1].replace(b"\r\n", b"\n") + b"\r"
        return text.replace(b"\r\n", b"\n")
