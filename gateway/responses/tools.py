"""Tools: which of them a model of chat completions can be offered, and under what names.

A chat knows functions. A `custom` tool takes free text, which a function takes as its one argument; a `namespace` is a
prefix. Both come back as they were offered: the Codex command line edits files with a custom tool, `apply_patch`, and
refuses a function's call in its place.
"""

import re
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import InvalidType, InvalidValue, MissingParameter, RequestError

# Run by OpenAI, which bills them apart from the tokens. Agents offer them with every request, and do without them
# where nobody runs them.
SPARED = frozenset(
    {
        "image_generation",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    }
)
# For models that can load tools later: all others are given all tools at once.
FOR_LATER = "tool_search"
# OpenAI's rule for the name of a function.
_LONGEST_NAME = 64
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
_DEFAULT_NAMESPACE = "functions"


class Tool(Struct, frozen=True):
    """A tool as the client knows it. `is_custom`: it takes text."""

    name: str
    namespace: str | None = None
    is_custom: bool = False


class Toolbox:
    """The tools of a request in the words of chat: `functions`, and `paths`, where each stands in the request.

    `left_out` are the paths of those that nobody runs for this model, to no harm; `obstacle` is the first that it
    cannot have.
    """

    def __init__(self) -> None:
        self.functions: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.left_out: list[str] = []
        self.obstacle: RequestError | None = None
        self._tools: dict[str, Tool] = {}

    def add(self, tools: list[dict[str, Any]], path: str) -> None:
        for index, tool in enumerate(tools):
            try:
                self._add(tool, f"{path}[{index}]")
            except RequestError as error:
                self.obstacle = self.obstacle or error

    def find(self, name: str) -> Tool:
        """The tool that a model calls by this name."""
        return self._tools.get(name) or Tool(name)

    def choose(self, choice: Any) -> Any:
        """Chat's `tool_choice`. Of `allowed_tools` only those stay. Raises `InvalidValue` for what chat lacks."""
        if not isinstance(choice, dict):
            return choice
        match choice.get("type"):
            case "function" | "custom":
                name = chat_name(str(choice.get("name")), choice.get("namespace"))
                return {"type": "function", "function": {"name": name}}
            case "allowed_tools":
                allowed = {
                    chat_name(str(tool.get("name")), tool.get("namespace"))
                    for tool in choice.get("tools") or ()
                    if isinstance(tool, dict)
                }
                kept = [index for index, one in enumerate(self.functions) if one["function"]["name"] in allowed]
                self.paths = [self.paths[index] for index in kept]
                self.functions = [self.functions[index] for index in kept]
                return choice.get("mode") or "auto"
        raise InvalidValue("`tool_choice`: this model is offered functions and custom tools only.", param="tool_choice")

    def _add(self, tool: dict[str, Any], path: str, namespace: str | None = None) -> None:
        kind = tool.get("type")
        if kind in SPARED or kind == FOR_LATER:
            self.left_out.append(path)
        elif kind == "namespace" and namespace is None:
            inner = tool.get("tools")
            if not isinstance(inner, list):
                raise InvalidType(f"`{path}.tools` must be an array.", param=f"{path}.tools")
            for index, one in enumerate(inner):
                self._add(one if isinstance(one, dict) else {}, f"{path}.tools[{index}]", _name(tool, path))
        elif kind in ("function", "custom"):
            found = Tool(_name(tool, path), namespace, kind == "custom")
            name = chat_name(found.name, namespace)
            self._tools[name] = found
            self.functions.append({"type": "function", "function": _function(name, tool)})
            self.paths.append(path)
        else:
            raise InvalidValue(
                f"`{path}`: this model has no tool of type `{str(kind)[:60]}`. "
                "Offer tools of type `function` or `custom`.",
                param=path,
            )


def chat_name(name: str, namespace: object = None) -> str:
    """The one name by which chat knows a tool: the same for the same tool in every request of a conversation."""
    if not isinstance(namespace, str) or not namespace or namespace == _DEFAULT_NAMESPACE:
        return name
    whole = _FOREIGN.sub("_", f"{namespace.rstrip('_')}__{name}")
    if len(whole) <= _LONGEST_NAME:
        return whole
    return f"{whole[: _LONGEST_NAME - 9]}_{sha256(whole.encode()).hexdigest()[:8]}"


def wrap_input(text: str) -> str:
    """The text for a custom tool as a function's arguments."""
    return msgspec.json.encode({"input": text}).decode()


def unwrap_input(arguments: str) -> str:
    """The text in a function's arguments; all of them where a model wrote the bare text."""
    try:
        return _decode_input(arguments).input
    except msgspec.DecodeError:
        return arguments


class _Input(Struct):
    input: str


_decode_input = msgspec.json.Decoder(_Input).decode


def _name(tool: dict[str, Any], path: str) -> str:
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise MissingParameter(f"`{path}.name` is required.", param=f"{path}.name")
    return name


def _function(name: str, tool: dict[str, Any]) -> dict[str, Any]:
    function: dict[str, Any] = {"name": name}
    description = tool.get("description") or ""
    if tool["type"] == "custom":
        description = f"{description}\n\nPut the whole text into `input`, as it is: no JSON or Markdown inside."
        form = tool.get("format")
        if isinstance(form, dict) and form.get("definition"):
            description += f"\nThe text follows this grammar ({form.get('syntax')}):\n{form['definition']}"
        function["description"] = description.strip()
        function["parameters"] = {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
            "additionalProperties": False,
        }
        return function
    if description:
        function["description"] = description
    function["parameters"] = tool.get("parameters") or {"type": "object", "properties": {}}
    if tool.get("strict"):
        function["strict"] = True
    return function
