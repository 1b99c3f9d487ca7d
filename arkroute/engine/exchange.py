"""One request to the engine and its answer, over bare ASGI."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import msgspec

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

# A recording of 25 MB, OpenAI's limit, in its form; the gateway's limit for JSON is 25 MB, too.
MAX_BODY_BYTES = 30 * 1024 * 1024
JSON = (b"content-type", b"application/json")


class ClientLeft(Exception):
    """The client closed the connection: nobody is there to be answered."""


class Refusal(Exception):
    """An answer other than 200, in OpenAI's shape. The message says what to do next; `param` names the field."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


class Exchange:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = False
        self._receive = receive
        self._send = send
        self._client_left = False

    async def read_body(self) -> bytes:
        """The whole body. Raises `Refusal` where it is too large, `ClientLeft`."""
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > MAX_BODY_BYTES:
                raise Refusal(413, f"The body is larger than {MAX_BODY_BYTES} bytes.", code="request_too_large")
            if not message.get("more_body"):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Awaits `work`, which answers; cancels it when the client closes the connection, and raises `ClientLeft`.

        The body must have been read.
        """
        task = asyncio.current_task()
        assert task is not None
        watch = asyncio.ensure_future(self._cancel_when_left(task))
        try:
            await work
        except asyncio.CancelledError:
            if not self._client_left:
                raise
            task.uncancel()
            raise ClientLeft from None
        finally:
            watch.cancel()

    async def _cancel_when_left(self, task: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._client_left = True
        task.cancel()

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def send_events(self, events: Sequence[Any]) -> None:
        """Server-sent events, in one piece: bytes as they are, all else as JSON."""
        lines = [event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events]
        await self.send(b"data: " + b"\n\ndata: ".join(lines) + b"\n\n", more=True)

    async def answer(self, status: int, body: bytes, content_type: tuple[bytes, bytes] = JSON) -> None:
        await self.start(status, [content_type, (b"content-length", b"%d" % len(body))])
        await self.send(body, more=False)
