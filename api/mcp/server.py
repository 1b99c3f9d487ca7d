"""The protocol's server: what it says of itself, lists and calls. The official package speaks the protocol."""

from typing import Any

from django.conf import settings
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from api.mcp.results import error_result
from api.mcp.tools import TOOLS
from api.mcp.visit import Visit
from gateway.call import Call

# How receipts name a tool's call.
ENDPOINT = "/mcp/{tool}"
INSTRUCTIONS = """\
ArkRoute makes pictures and videos with the models of many vendors, paid in credits of your user's account.

- A picture: `generate_image`; from pictures: `edit_image`. A clip: `generate_video`, then `get_video` until it ended.
- Videos, and pictures of the best models, cost many times what others do: `estimate_cost` tells, and is free.
- Calls that fail cost nothing. An error begins with its status: 402 needs credits, which only your user can buy; 422
  names the argument at fault; 429 and 503 say when to try again.
- Links to results expire: give them to your user at once.
"""
# Milliseconds for which a client may keep the list: prices and models change with a deployment, at most.
TTL = 300_000


def make_server(call: Call, authorization: str | None) -> "Server[Any]":
    """A server for the one message that `call` is made of."""

    async def list_tools(context: ServerRequestContext[Any], params: PaginatedRequestParams | None) -> ListToolsResult:
        described = [tool.describe(call.caller) for tool in TOOLS.values()]
        return ListToolsResult(tools=[one for one in described if one is not None])

    async def call_tool(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"There is no tool `{params.name[:100]}`. There are {', '.join(TOOLS)}.")
        call.endpoint = ENDPOINT.format(tool=params.name)
        wants_progress = "progress_token" in (context.meta or {})
        visit = Visit(call, authorization, context.session, wants_progress)
        try:
            return await tool.run(visit, params.arguments or {})
        except Exception as error:
            return error_result(error, call)

    return Server(
        "arkroute",
        title="ArkRoute",
        version=settings.SPECTACULAR_SETTINGS["VERSION"],
        instructions=INSTRUCTIONS,
        website_url=settings.PUBLIC_URL,
        # What a key may use is its own affair.
        cache_hints={"tools/list": CacheHint(TTL, "private"), "server/discover": CacheHint(TTL, "private")},
        # No tool wants an argument as a header.
        get_tool_input_schema=lambda name: None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
