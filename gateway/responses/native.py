"""A response's request for a server that has this API: what of it passes.

What passes costs nothing besides its tokens, and touches nothing of the account that the operator has at the vendor.
https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Iterator
from typing import Any

from gateway.errors import InvalidValue
from gateway.responses.tools import FOR_LATER, SPARED

FIELDS = frozenset(
    {
        *("context_management", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata"),
        *("model", "moderation", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_options"),
        *(
            "prompt_cache_retention",
            "reasoning",
            "safety_identifier",
            "stream",
            "stream_options",
            "temperature",
            "text",
        ),
        *("tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"),
    }
)
# Not among them is `mode`: it may make several models think at once.
REASONING_FIELDS = frozenset({"context", "effort", "generate_summary", "summary"})
# Documented, and never passed: other prices, other deadlines, other rights, pictures. The client is told.
NAMED = ("access_programs", "background_options", "image", "service_tier")
# Those that the client runs itself. `shell` too, where its environment is `local`.
TOOLS = frozenset({"apply_patch", "custom", "function", "local_shell", "namespace", FOR_LATER})
IN_NAMESPACES = frozenset({"custom", "function"})


def write_native(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The body for a server with this API, and the names of what it lacks. Raises `InvalidValue` for a tool of the
    vendor's that an answer would depend on."""
    native = {name: value for name, value in body.items() if name in FIELDS}
    left_out = [name for name in NAMED if body.get(name) not in (None, "auto", "default")]
    if reasoning := body.get("reasoning"):
        native["reasoning"] = {name: value for name, value in reasoning.items() if name in REASONING_FIELDS}
        left_out += ["reasoning.mode"] if reasoning.get("mode") not in (None, "standard") else []
    for tools, path in _tool_lists(body):
        for index, tool in enumerate(tools):
            if tool.get("type") in SPARED:
                left_out.append(f"{path}[{index}]")
            else:
                _check_tool(tool, f"{path}[{index}]")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") not in TOOLS | {"allowed_tools", "shell"}:
        raise InvalidValue(f"`tool_choice`: {_not_offered(choice)}", param="tool_choice")
    if native.get("tools") is not None:
        native["tools"] = _kept(native["tools"])
    if isinstance(body["input"], list):
        native["input"] = list(_items(body["input"]))
    return native, left_out


def _items(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        # Nothing is stored: by its id alone the vendor finds none, and answers the whole request with 404.
        if item.get("type") == "reasoning" and item.get("id") and not item.get("encrypted_content"):
            continue
        yield {**item, "tools": _kept(item["tools"])} if _tools_of(item) else item


def _tool_lists(body: dict[str, Any]) -> Iterator[tuple[list[dict[str, Any]], str]]:
    yield body.get("tools") or [], "tools"
    for index, item in enumerate(body["input"] if isinstance(body["input"], list) else ()):
        yield _tools_of(item), f"input[{index}].tools"


def _tools_of(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The tools that come later in a conversation: in `additional_tools`, or as what a search for tools found."""
    tools = item.get("tools")
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _check_tool(tool: dict[str, Any], path: str, offered: frozenset[str] = TOOLS) -> None:
    kind, environment = tool.get("type"), tool.get("environment")
    is_local = isinstance(environment, dict) and environment.get("type") == "local"
    if kind not in offered and not (kind == "shell" and is_local):
        raise InvalidValue(f"`{path}`: {_not_offered(tool)} Offer functions.", param=path)
    inner = tool.get("tools") if kind == "namespace" else None
    for index, one in enumerate(inner if isinstance(inner, list) else ()):
        if isinstance(one, dict):
            _check_tool(one, f"{path}.tools[{index}]", IN_NAMESPACES)


def _not_offered(tool: dict[str, Any]) -> str:
    return f"tools of type `{str(tool.get('type'))[:60]}` are not offered."


def _kept(tools: list[Any]) -> list[dict[str, Any]]:
    return [tool for tool in tools if isinstance(tool, dict) and tool.get("type") not in SPARED]
