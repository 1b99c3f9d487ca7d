"""Streamable HTTP without sessions, in all revisions of the protocol: 2026-07-28, and 2025-03-26 to 2025-11-25.

The official package reads messages and writes answers. What it leaves out, or does otherwise than the API, is here: who
may call, limits, the size of bodies, methods, and what becomes of a call whose client leaves.
https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import msgspec
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import INVALID_REQUEST
from sse_starlette.sse import AppStatus

from api.admit import admit
from api.body import JSON, find_kind, parse_max_credits
from api.errors import error_answer, to_openai
from api.express import ClientLeft, Exchange, Receive, Scope, Send, serve_unless_client_leaves
from api.headers import call_headers, preflight_headers
from api.mcp.server import make_server
from api.origins import is_from_page, is_own
from gateway.call import Call

PATHS = frozenset({"/mcp", "/mcp/"})
METHODS = "POST, OPTIONS"
# Headers of the package's answers that are ours to set, or the connection's.
OURS = frozenset({"cache-control", "connection", "content-type"})

# A process that ends lets what is in flight end, and does not cut its streams off.
AppStatus.disable_automatic_graceful_drain()


async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
    """Serves `PATHS`: one message of the protocol for each POST."""
    exchange = Exchange(scope, receive, send)
    method = scope["method"]
    if refusal := find_refusal(exchange):
        status, message = refusal
        await exchange.answer(status, _protocol_error(message), {})
        return
    if method == "OPTIONS":
        asked = exchange.header(b"access-control-request-headers")
        await exchange.answer(204, b"", preflight_headers(asked, METHODS))
        return
    if method != "POST":
        refused = error_answer(
            "method_not_allowed", f"{scope['path']} takes POST, not {method}: there are no sessions."
        )
        await exchange.answer(refused.status, refused.body, {**refused.headers, "allow": METHODS})
        return
    answered = Answer(exchange)
    try:
        authorization = exchange.header(b"authorization")
        # A message is a read; a tool that costs is counted again as what it is.
        exchange.admitted = await admit(authorization, read=True)
        call = Call(
            caller=exchange.admitted.caller,
            endpoint="/mcp",
            request_id=exchange.request_id,
            max_credits=parse_max_credits(exchange.header(b"x-arkroute-max-credits")),
            from_page=is_from_page(exchange.header(b"origin"), exchange.header(b"host")),
        )
        find_kind(exchange.header(b"content-type"), (JSON,))
        await exchange.read_body(JSON)
        await serve_unless_client_leaves(exchange, answered.serve, call)
    except ClientLeft:
        return
    except Exception as error:
        if answered.started:
            raise
        answer = to_openai(error, exchange.request_id)
        await exchange.answer(answer.status, answer.body, answer.headers)
    finally:
        if exchange.admitted is not None:
            exchange.admitted.admission.release()


class Answer:
    """An answer of the package on its way out, with the headers that all of ours have."""

    def __init__(self, exchange: Exchange) -> None:
        self.started = False
        self._exchange = exchange
        self._call: Call | None = None

    async def serve(self, exchange: Exchange, call: Call) -> None:
        """Has the package answer the message in the body. What it starts for that ends with it."""
        self._call = call
        messages = [{"type": "http.request", "body": exchange.take_body(), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            # Whether the client leaves, and what that means, is `serve_unless_client_leaves`' to say.
            await asyncio.get_running_loop().create_future()
            raise AssertionError("nobody ends this wait but by cancelling it")

        manager = StreamableHTTPSessionManager(
            make_server(call, exchange.header(b"authorization")), stateless=True, max_request_body_size=JSON.most
        )
        async with manager.run():
            await manager.handle_request(_as_json(exchange.scope), receive, self._send)

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await self._exchange.send_body(message.get("body", b""), more=message.get("more_body", False))
            return
        self.started = True
        theirs = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}
        headers = {name: value for name, value in theirs.items() if name not in OURS}
        if self._call is not None and self._call.charged is not None:
            headers |= call_headers(self._call)
        content_type = theirs.get("content-type", JSON.media_type)
        await self._exchange.start(message["status"], headers, (b"content-type", content_type.encode("latin-1")))


def find_refusal(exchange: Exchange) -> tuple[int, str] | None:
    """Why somebody may not even ask: status and message; None where they may.

    A page of somebody else's, or a name that is not ours: by one, such a page reaches a server near its visitor.
    """
    origin, host = exchange.header(b"origin"), exchange.header(b"host")
    if origin is not None and not is_own(origin):
        return 403, "This origin is not allowed. Pages of other sites cannot use MCP here; programs send no `Origin`."
    if not validate_host(split_domain_port(host or "")[0], settings.ALLOWED_HOSTS):
        return 421, "This server does not answer by this name. Check the address."
    return None


def _protocol_error(message: str) -> bytes:
    """An error of JSON-RPC that answers no message."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": message}})


def _as_json(scope: Scope) -> Scope:
    """The request for the package, which wants the header that clients of the API may leave out."""
    others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*others, (b"content-type", JSON.media_type.encode())]}
