"""One HTTP/1.1 connection, and the answer that is arriving on it."""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.errors import ProviderError, ProviderFault

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 128 * 1024 * 1024
# Unread bytes of a body at which the connection stops reading until its consumer has caught up.
HIGH_WATER_BYTES = 64 * 1024
# What may still follow an answer whose reader has all it wanted, and for how long, before the connection is given up.
LEFTOVER_BYTES = 4 * 1024
LEFTOVER_SECONDS = 1.0
# A server that had closed its end before a request came says so in the time of a round trip. A close that comes later
# may be that of a server, or of a proxy before it, that had begun the work.
STALE_SECONDS = 0.2


class Response:
    """An answer whose head has arrived. Its body is read once: whole by `read`, or piece by piece by iterating.

    `headers` has lower-case names; of a repeated header it has the last. Whoever holds a response reads it to its end
    or closes it. Reading raises `ProviderError`: TIMEOUT where nothing comes for `idle_timeout` seconds, BROKEN where
    the connection ends before the body does. Cancelling a task that reads closes the connection.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "_error",
        "_idle_timeout",
        "_waiter",
        "buffered",
        "chunks",
        "headers",
        "stale",
        "status",
    )

    def __init__(self, connection: "Connection", idle_timeout: float) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        # The connection ended within `STALE_SECONDS` of the request, before one byte of an answer: where it had been
        # idle, the provider never saw the request.
        self.stale = False
        self._connection = connection
        self._idle_timeout = idle_timeout
        self.chunks: list[bytes] = []
        self.buffered = 0
        self._ended = False
        self._error: ProviderError | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, limit: int = MAX_BODY_BYTES) -> bytes:
        """The whole body; more than `limit` bytes are BROKEN."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self:
            size += len(chunk)
            if size > limit:
                self.close()
                raise ProviderError(
                    ProviderFault.BROKEN, f"the answer is larger than {limit} bytes", status=self.status
                )
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __aiter__(self) -> "Response":
        return self

    async def __anext__(self) -> bytes:
        """What has arrived since the last time, in one piece."""
        while not self.chunks:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            await self.wait(self._idle_timeout)
        chunks, self.chunks = self.chunks, []
        self.buffered = 0
        self._connection.resume()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def wait(self, seconds: float) -> None:
        """Returns when more has arrived: the head, a part of the body, the end, or an error."""
        connection = self._connection
        waiter = self._waiter = connection.loop.create_future()
        connection.expire_in(seconds)
        try:
            await waiter
        except BaseException:
            self.close()
            raise

    def raise_error(self) -> None:
        """Raises what went wrong before the head was complete, if anything did. What did after it, reading raises."""
        if self._error is not None and not self.status:
            raise self._error

    def close(self) -> None:
        """Gives up the rest of the body, and the connection with it. Does nothing at the body's end."""
        if not self._ended:
            self._ended = True
            self._connection.abort()

    def finish(self) -> None:
        """For a reader who knows that nothing of interest follows (`[DONE]` was read, the last chunk was not).

        The connection is kept if the body ends within a second, else it is closed. Nobody waits for that.
        """
        if not self._ended:
            self._ended = True
            self.chunks = []
            self.buffered = 0
            self._connection.resume()
            self._connection.discard_rest()

    # The connection's side.

    def wake(self) -> bool:
        """Whether somebody was waiting."""
        waiter = self._waiter
        if waiter is None:
            return False
        self._waiter = None
        if not waiter.done():
            waiter.set_result(None)
        return True

    def end(self, error: ProviderError | None = None) -> None:
        self._ended = True
        self._error = error
        self.wake()

    @property
    def ends_with_connection(self) -> bool:
        """Whether the end of the connection is the end of the body (RFC 9112, 6.3, rule 8)."""
        return self.status > 0 and b"content-length" not in self.headers and b"transfer-encoding" not in self.headers


class Connection(asyncio.Protocol):
    """Carries one request at a time. `on_idle` and `on_lost` tell its owner when it is free again and when it is gone.

    All timeouts share one timer: `deadline` moves with every wait, the timer only when it would fire too late, so
    that a request costs no timer of its own.
    """

    __slots__ = (
        "_answered",
        "_complete",
        "_deadline",
        "_discarding",
        "_interim",
        "_keep_alive",
        "_on_idle",
        "_on_lost",
        "_parser",
        "_paused",
        "_response",
        "_sent_at",
        "_timer",
        "_timer_at",
        "_without_body",
        "loop",
        "lost",
        "transport",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_idle: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = loop.create_future()
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._parser: Any = HttpResponseParser(self)
        self._response: Response | None = None
        self._deadline = inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._paused = False

    async def exchange(
        self, message: list[bytes], without_body: bool, first_byte_timeout: float, idle_timeout: float
    ) -> Response:
        """Sends a request; the response has its head, or the error that came in its place. `without_body`: HEAD."""
        assert self.transport is not None
        response = self._response = Response(self, idle_timeout)
        self._answered = False
        self._complete = False
        self._discarding = False
        self._interim = False
        self._without_body = without_body
        for part in message:
            self.transport.write(part)
        self._sent_at = self.loop.time()
        await response.wait(first_byte_timeout)
        return response

    def abort(self) -> None:
        self._response = None
        self._paused = False
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """Ends the connection, and what is under way on it."""
        self._fail(ProviderFault.BROKEN, "the connection was closed by us")

    def resume(self) -> None:
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    def discard_rest(self) -> None:
        self._discarding = True
        self.expire_in(LEFTOVER_SECONDS)

    def is_open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def expire_in(self, seconds: float) -> None:
        deadline = self._deadline = self.loop.time() + seconds
        if self._timer_at > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(deadline, self._expire)
            self._timer_at = deadline

    def _expire(self) -> None:
        self._timer = None
        self._timer_at = inf
        if self._deadline == inf:
            return
        # uvloop rounds timers to whole milliseconds.
        if self.loop.time() < self._deadline - 0.001:
            self._timer_at = self._deadline
            self._timer = self.loop.call_at(self._deadline, self._expire)
        elif self._response is None or self._discarding:
            self.abort()
        else:
            what = "the answer stalled" if self._response.status else "no answer in time"
            self._fail(ProviderFault.TIMEOUT, what)

    def _fail(self, kind: ProviderFault, message: str) -> None:
        response = self._response
        self.abort()
        if response is not None:
            response.end(ProviderError(kind, message, status=response.status or None))

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Both event loops set TCP_NODELAY on their sockets.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            self.abort()  # bytes that nobody asked for
            return
        self._answered = True
        response.buffered += len(data)  # the framing too: counting per chunk would cost more than it tells
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._keep_alive = False
            if not self._complete:
                self._fail(ProviderFault.BROKEN, "the answer is not HTTP")
                return
        if self._complete:
            self._release(response)
        elif response.status:
            if response.wake():
                self._deadline = inf
            if self._discarding:
                if response.buffered > LEFTOVER_BYTES:
                    self.abort()
            elif response.buffered > HIGH_WATER_BYTES and not self._paused and self.transport is not None:
                self._paused = True
                self.transport.pause_reading()
        elif response.buffered > MAX_HEAD_BYTES:
            self._fail(ProviderFault.BROKEN, "the head of the answer is too large")

    def _release(self, response: Response) -> None:
        self._response = None
        self._deadline = inf
        # An answer that came before the whole request was sent (413) leaves a connection that cannot be reused.
        if self._keep_alive and self.transport is not None and not self.transport.get_write_buffer_size():
            self._on_idle(self)
        else:
            self.abort()
        response.end()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._parser = None  # it holds our methods: a cycle
        self._on_lost(self)
        self.lost.set_result(None)
        response, self._response = self._response, None
        if response is None:
            return
        if not self._answered:
            response.stale = self.loop.time() - self._sent_at < STALE_SECONDS
            response.end(ProviderError(ProviderFault.BROKEN, "the connection was closed without an answer"))
        elif exc is None and response.ends_with_connection:
            response.end()
        else:
            message = "the connection was closed in the middle of the answer"
            response.end(ProviderError(ProviderFault.BROKEN, message, status=response.status or None))

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is not None:
            self._response.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        response = self._response
        if response is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._interim = True
            response.headers.clear()
            return
        response.status = status
        self._keep_alive = self._parser.should_keep_alive()
        if self._without_body:
            # The parser does not know of HEAD and waits for the body that the headers speak of.
            self._keep_alive = False
            self._complete = True

    def on_body(self, chunk: bytes) -> None:
        if self._response is not None:
            self._response.chunks.append(chunk)

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
        else:
            self._complete = True
