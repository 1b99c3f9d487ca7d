"""Server-sent events over bare ASGI. Format: the WHATWG HTML standard, section 9.2; OpenAI's end mark is `[DONE]`."""

import asyncio
import re
from collections.abc import Callable
from time import monotonic
from typing import Protocol

import msgspec
from msgspec import Struct

# Proxies and clients give up on silence; a comment keeps them. Seconds.
KEEP_ALIVE = 10.0
COMMENT = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"
# Nearly always the first field; a picture's event is not decoded for it.
_TYPE = re.compile(rb'\{\s*"type"\s*:\s*"([\w.]+)"')
_EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")


class _Named(Struct):
    type: str | None = None


_decode_name = msgspec.json.Decoder(_Named).decode


class Wire(Protocol):
    """The part of an exchange that a stream needs."""

    async def start(self, status: int, headers: dict[str, str], content_type: tuple[bytes, bytes]) -> None: ...

    async def send_body(self, body: bytes, *, more: bool = False) -> None: ...


class EventStream:
    """Starts the answer with the first event, or with a comment when that takes long.

    `headers` is asked for at that moment, so that it can tell who serves. `named`: an event's name is its `type`.
    """

    def __init__(self, wire: Wire, headers: Callable[[], dict[str, str]], *, named: bool = False) -> None:
        self.started = False
        self._named = named
        self._wire = wire
        self._headers = headers
        self._last_sent = monotonic()
        self._comment: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(KEEP_ALIVE, self._keep_alive)

    async def send(self, payloads: list[bytes]) -> None:
        """One event for each payload, in one piece."""
        await self.send_written(self._write(payloads))

    async def send_written(self, events: bytes) -> None:
        """Events that are written already, or a comment."""
        if not self.started:
            await self._start()
        self._last_sent = monotonic()
        await self._wire.send_body(events, more=True)

    async def end(self, mark: bytes = DONE) -> None:
        """`mark` is the last event, where the format has one besides the payloads."""
        if not self.started:
            await self._start()
        await self._wire.send_body(mark)

    async def fail(self, error_body: bytes) -> None:
        """The in-band form of an error: one event, and no end mark."""
        await self._wire.send_body(self._write([error_body]))

    def close(self) -> None:
        """Stops the comments."""
        self._timer.cancel()
        if self._comment is not None:
            self._comment.cancel()

    def _write(self, payloads: list[bytes]) -> bytes:
        if not self._named:
            return b"data: " + b"\n\ndata: ".join(payloads) + b"\n\n"
        events = [(_name(payload), payload) for payload in payloads]
        return b"".join(
            b"event: %b\ndata: %b\n\n" % (name, data) if name else b"data: %b\n\n" % data for name, data in events
        )

    async def _start(self) -> None:
        self.started = True
        headers = {**self._headers(), "x-accel-buffering": "no"}
        await self._wire.start(200, headers, _EVENT_STREAM)

    def _keep_alive(self) -> None:
        silence = monotonic() - self._last_sent
        if silence >= KEEP_ALIVE:
            self._comment = self._loop.create_task(self.send_written(COMMENT))
            silence = 0.0
        self._timer = self._loop.call_later(KEEP_ALIVE - silence, self._keep_alive)


def numbered_event(number: int, name: str, payload: str) -> bytes:
    """An event after which a client can go on: it sends the number as `Last-Event-ID`."""
    return f"id: {number}\nevent: {name}\ndata: {payload}\n\n".encode()


def _name(payload: bytes) -> bytes:
    """The event's name; nothing where it has none."""
    if found := _TYPE.match(payload):
        return found[1]
    return (_decode_name(payload).type or "").encode()
