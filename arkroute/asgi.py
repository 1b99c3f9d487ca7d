"""Where a connection goes: the express lane, MCP, live connections, the probes, or Django with all its middleware.

Django's handler costs ten times as much as the server itself, so what is called at token rate is told apart before it.
"""
# ruff: noqa: E402  Django must be set up before what needs its models is imported

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arkroute.settings")

from django.core.asgi import get_asgi_application

_django: Any = get_asgi_application()

from channels.routing import URLRouter
from django.conf import settings
from django.urls import re_path
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import live
from api.consumers import TaskEvents
from api.express import ROUTES, express
from api.intake import limit_bodies
from api.mcp.transport import PATHS as MCP_PATHS
from api.mcp.transport import mcp
from api.origins import for_own_pages, refuse
from arkroute.health import healthz, readyz
from arkroute.runtime import runtime

PROBES = {"/healthz": healthz, "/readyz": readyz}
# Channels puts consumers where views stand.
LIVE: list[Any] = [
    re_path(r"^ws/video/(?P<task_id>[^/]+)/?$", TaskEvents.as_asgi()),
    re_path("", refuse),  # type: ignore[arg-type]
]
_websockets: Any = for_own_pages(URLRouter(LIVE))
# The others have no use for the client's address, so only Django pays for reading the proxy's headers.
_django = limit_bodies(_django)
_django = ProxyHeadersMiddleware(_django, trusted_hosts=settings.FORWARDED_ALLOW_IPS)


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
    elif followed := live.PATH.fullmatch(scope["path"]):
        await live.task_events(scope, receive, send, followed["task_id"])
    elif scope["path"] in MCP_PATHS:
        await mcp(scope, receive, send)
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
