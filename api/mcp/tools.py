"""All tools, in the order in which they are listed."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import mcp_types
from mcp_types import CallToolResult

from accounts.callers import Caller
from api.mcp import catalogue, images, videos
from api.mcp.visit import Visit

Description = mcp_types.Tool


class Tool(NamedTuple):
    """`describe` answers None where the key may use none of the tool's models."""

    describe: Callable[[Caller], Description | None]
    run: Callable[[Visit, dict[str, Any]], Awaitable[CallToolResult]]


TOOLS: dict[str, Tool] = {
    "generate_image": Tool(images.describe_generate, images.generate),
    "edit_image": Tool(images.describe_edit, images.edit),
    "generate_video": Tool(videos.describe_generate, videos.generate),
    "get_video": Tool(videos.describe_get, videos.get),
    "list_models": Tool(catalogue.describe_list, catalogue.list_models),
    "estimate_cost": Tool(catalogue.describe_estimate, catalogue.estimate),
}
