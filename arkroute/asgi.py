"""Where a connection goes: the express lane, the probes, live connections, or Django with all its middleware.

Django's handler costs ten times as much as the server itself, so what is called at token rate is told apart before it.
"""
# ruff: noqa: E402  Django must be set up before what needs its models is imported

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arkroute.settings")

from django.core.asgi import get_asgi_application

_django: Any = get_asgi_application()

from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.urls import re_path
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.express import ROUTES, express
from api.intake import limit_bodies
from arkroute.health import healthz, readyz
from arkroute.runtime import runtime


async def unknown_websocket(scope: Any, receive: Any, send: Any) -> None:
    """Refuses the handshake: the server makes a 403 of it."""
    await send({"type": "websocket.close"})


PROBES = {"/healthz": healthz, "/readyz": readyz}
LIVE: list[Any] = [re_path("", unknown_websocket)]  # type: ignore[arg-type]  # channels puts consumers where views stand
_websockets: Any = AllowedHostsOriginValidator(URLRouter(LIVE))
# The express lane has no use for the client's address, so only the others pay for reading the proxy's headers.
_django = limit_bodies(_django)
_django = ProxyHeadersMiddleware(_django, trusted_hosts=settings.FORWARDED_ALLOW_IPS)
_websockets = ProxyHeadersMiddleware(_websockets, trusted_hosts=settings.FORWARDED_ALLOW_IPS)


async def application(scope: Any, receive: Any, send: Any) -> None:
    kind = scope["type"]
    if kind == "lifespan":
        await lifespan(receive, send)
        return
    # Not every server sends a lifespan (daphne does not), so the first connection starts what that would have.
    runtime().start()
    if kind == "websocket":
        await _websockets(scope, receive, send)
    elif scope["path"] in ROUTES:
        await express(scope, receive, send)
    elif probe := PROBES.get(scope["path"]):
        await probe(scope, receive, send)
    else:
        await _django(scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Starts the process's work early, and drains it when the last request has ended."""
    await receive()
    runtime().start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await runtime().drain()
    await send({"type": "lifespan.shutdown.complete"})
