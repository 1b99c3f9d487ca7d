"""uvicorn's HTTP protocol, for clients as they are.

- An answer is written in one piece. uvicorn hands its head and its body to the socket one by one: two system calls and
  two packets, each of which wakes the client. Here what is written in one turn of the event loop leaves together, the
  chunks of a stream that arrived together included.
- A client that does not read, or that is gone without a word, is given up: it would keep its slot, its hold and the
  provider's connection for ever.
- What is not HTTP is refused in the same shape as everything else.
"""

import asyncio
import socket
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.call import new_request_id

# Seconds in which a client has to take what waits for it (some 64 KB at the most).
PATIENCE_WITH_READERS = 60.0


class JoinedWrites(asyncio.Transport):
    """A transport that writes once in a turn of the loop, with what else uvicorn asks of one."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.bare = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]

    def write(self, data: Any) -> None:
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)

    def flush(self) -> None:
        if self._waiting:
            self.bare.write(b"".join(self._waiting))
            self._waiting.clear()

    def close(self) -> None:
        self.flush()
        self.bare.close()

    def abort(self) -> None:
        self._waiting.clear()
        self.bare.abort()


class Protocol(HttpToolsProtocol):
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoinedWrites(transport, self.loop))
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._read_again()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(PATIENCE_WITH_READERS, self.transport.abort)

    def resume_writing(self) -> None:
        self._read_again()
        super().resume_writing()

    def _read_again(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:
        error = {"message": f"{msg} Send HTTP/1.1.", "type": "invalid_request_error", "param": None, "code": None}
        body = msgspec.json.encode({"error": error})
        lines = (
            b"HTTP/1.1 400 Bad Request",
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"x-content-type-options: nosniff",
            b"x-request-id: " + new_request_id().encode(),
            b"connection: close",
        )
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        # A websocket's library wants the transport itself.
        assert isinstance(self.transport, JoinedWrites)
        self.transport.flush()
        self.transport = self.transport.bare
        super().handle_websocket_upgrade()
