"""What may come into the Django lane at all: Django spools a body to the disk before any view or middleware sees it."""

from collections.abc import Awaitable, Callable
from typing import Any

from api.body import MAX_JSON_BYTES
from api.errors import error_answer
from api.headers import EVERYWHERE, FOR_BROWSERS, identity_headers
from gateway.call import new_request_id

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class BodyTooLarge(Exception):
    """More came than any endpoint takes."""


def limit_bodies(application: Application, most: int = MAX_JSON_BYTES) -> Application:
    """`application`, for bodies of at most `most` bytes; larger ones are refused.

    The server throws away what still comes of them: closing the connection at once would lose the answer.
    """

    async def limited(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        received = 0

        async def receive_within_limit() -> dict[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise BodyTooLarge
            return message

        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        try:
            if int(dict(scope["headers"]).get(b"content-length") or 0) > most:
                raise BodyTooLarge
            await application(scope, receive_within_limit, send)
        except BodyTooLarge:
            await _refuse(scope, send, most)

    return limited


async def _refuse(scope: dict[str, Any], send: Send, most: int) -> None:
    asked = dict(scope["headers"])
    refused = error_answer("request_too_large", f"The body is larger than {most >> 20} MB.")
    headers = {
        "content-type": "application/json",
        "content-length": str(len(refused.body)),
        **EVERYWHERE,
        **(FOR_BROWSERS if b"origin" in asked else {}),
        **identity_headers(new_request_id(), asked.get(b"x-request-id", b"").decode("latin-1")),
    }
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": lines})
    await send({"type": "http.response.body", "body": refused.body})
