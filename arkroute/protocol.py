"""uvicorn's HTTP protocol, which writes an answer in one piece.

uvicorn hands the head and the body of an answer to the socket one by one: two system calls and two packets, each of
which wakes the client. Here what is written in one turn of the event loop leaves together, the chunks of a stream
that arrived together included.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class JoinedWrites(asyncio.Transport):
    """A transport that writes once in a turn of the loop. Everything else is the wrapped one's."""

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
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoinedWrites(transport, self.loop))

    def handle_websocket_upgrade(self) -> None:
        # A websocket's library wants the transport itself.
        assert isinstance(self.transport, JoinedWrites)
        self.transport.flush()
        self.transport = self.transport.bare
        super().handle_websocket_upgrade()
