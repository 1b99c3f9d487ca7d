"""What the `Origin` header says: which pages may open a websocket, and whether a page of ours made a call.

A browser opens a websocket for any page, with no preflight. It names the page's origin there, and with every POST:
https://fetch.spec.whatwg.org/#origin-header
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

Application = Callable[[Any, Any, Any], Awaitable[None]]


def for_own_pages(application: Application) -> Application:
    """`application`, for the pages of `ALLOWED_HOSTS` and for programs, which name no origin; others get a 403.

    Channels' own validator refuses those without an origin, too.
    """

    async def checked(scope: Any, receive: Any, send: Any) -> None:
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if all(is_own(origin) for origin in origins):
            await application(scope, receive, send)
        else:
            await refuse(scope, receive, send)

    return checked


def is_own(origin: str) -> bool:
    """Whether an `Origin` header names a host of ours. `null`, which sandboxed pages send, does not."""
    try:
        host, _ = split_domain_port(urlsplit(origin).netloc)
    except ValueError:
        return False
    return bool(host) and validate_host(host, settings.ALLOWED_HOSTS)


def is_from_page(origin: str | None, host: str | None) -> bool:
    """Whether the `Origin` header names the host that was asked. Whoever likes can claim it: it opens no door."""
    return origin is not None and host is not None and origin.partition("://")[2] == host


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Refuses the handshake: the server makes a 403 of it."""
    await send({"type": "websocket.close"})
