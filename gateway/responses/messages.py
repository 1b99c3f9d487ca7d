"""Input items as the messages of a chat.

An assistant's words and the calls that follow them are items of their own here, and one message there. What a model
thought is for itself alone, so it is left out; a picture that a tool answers follows as the user's, since a tool's
message has text only.
"""

from typing import Any

import msgspec

from gateway.errors import InvalidType, InvalidValue, MissingParameter, RequestError
from gateway.responses.tools import Toolbox, chat_name, wrap_input

# What a model did by itself in earlier turns: another one does not need it to go on.
_LEFT_OUT = frozenset({"reasoning", "web_search_call", "tool_search_call", "tool_search_output"})
_ROLES = frozenset({"user", "assistant", "system", "developer"})
# Items that hold a picture.
_PICTURES = frozenset({"image_generation_call", "computer_call_output"})


class Transcript:
    """The messages of a request, and `paths`, the item where each begins.

    `obstacle` is the first that no chat can say. What the others weigh besides the messages is counted in
    `other_bytes` of JSON and `other_pictures`.
    """

    def __init__(self, instructions: str | None, toolbox: Toolbox) -> None:
        self.messages: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.obstacle: RequestError | None = None
        self.other_bytes = 0
        self.other_pictures = 0
        self._toolbox = toolbox
        self._pictures: list[dict[str, Any]] = []  # of tools' answers
        if instructions:
            self._say({"role": "system", "content": instructions}, "instructions")

    def add(self, item: dict[str, Any], path: str) -> None:
        try:
            self._add(item, path)
        except RequestError as error:
            self.obstacle = self.obstacle or error
            if item.get("type") in _PICTURES:
                self.other_pictures += 1
            else:
                self.other_bytes += len(msgspec.json.encode(item))

    def end(self) -> None:
        """After the last item."""
        if self._pictures:
            pictures, self._pictures = self._pictures, []
            self._say({"role": "user", "content": pictures}, self.paths[-1])

    def _add(self, item: dict[str, Any], path: str) -> None:
        kind = item.get("type") or ("message" if "role" in item else None)
        if kind not in ("function_call_output", "custom_tool_call_output"):
            self.end()
        match kind:
            case "message":
                self._add_message(item, path)
            case "function_call":
                self._call(item, _text(item, "arguments", path), path)
            case "custom_tool_call":
                self._call(item, wrap_input(_text(item, "input", path)), path)
            case "function_call_output" | "custom_tool_call_output":
                self._answer(item, path)
            case "additional_tools":
                tools = item.get("tools")
                if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
                    raise InvalidType(f"`{path}.tools` must be an array of objects.", param=f"{path}.tools")
                self._toolbox.add(tools, f"{path}.tools")
            case _ if kind not in _LEFT_OUT:
                raise InvalidValue(
                    f"`{path}`: this model takes no item of type `{str(kind)[:60]}`, but messages, calls of functions "
                    "and of custom tools, and their outputs.",
                    param=path,
                )

    def _add_message(self, item: dict[str, Any], path: str) -> None:
        role, content = item.get("role"), item.get("content")
        if role not in _ROLES:
            roles = ", ".join(f"`{one}`" for one in sorted(_ROLES))
            raise InvalidValue(f"`{path}.role` is one of {roles}.", param=f"{path}.role")
        if role == "developer":
            role = "system"  # the older name, which every server knows
        parts = _parts(content, f"{path}.content")
        plain = all(part["type"] == "text" for part in parts)
        said = "\n".join(part["text"] for part in parts) if plain and role != "assistant" else parts
        if role == "assistant":
            if not plain:
                raise InvalidValue(f"`{path}.content`: an assistant says text only.", param=f"{path}.content")
            said = "".join(part["text"] for part in parts)
        last = self.messages[-1] if self.messages else None
        if role == "system" and isinstance(said, str) and last and len(self.messages) == 1 and last["role"] == role:
            # Many models' templates take one system message, at the beginning.
            last["content"] = f"{last['content']}\n\n{said}"
        else:
            self._say({"role": role, "content": said}, path)

    def _call(self, item: dict[str, Any], arguments: str, path: str) -> None:
        name = chat_name(_text(item, "name", path), item.get("namespace"))
        call = {
            "id": _text(item, "call_id", path),
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self._say({"role": "assistant", "content": None}, path)
        self.messages[-1].setdefault("tool_calls", []).append(call)

    def _answer(self, item: dict[str, Any], path: str) -> None:
        output = item.get("output")
        parts = _parts(output, f"{path}.output")
        text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        self._pictures += [part for part in parts if part["type"] != "text"]
        self._say({"role": "tool", "tool_call_id": _text(item, "call_id", path), "content": text}, path)

    def _say(self, message: dict[str, Any], path: str) -> None:
        self.messages.append(message)
        self.paths.append(path)


def _parts(content: Any, path: str) -> list[dict[str, Any]]:
    """Text or a list of parts as chat's parts."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise InvalidType(f"`{path}` must be a string or an array of parts.", param=path)
    return [_part(part, f"{path}[{index}]") for index, part in enumerate(content)]


def _part(part: Any, path: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise InvalidType(f"`{path}` must be an object.", param=path)
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": _text(part, "text", path)}
        case "refusal":
            return {"type": "text", "text": _text(part, "refusal", path)}
        case "input_image":
            url = _text(part, "image_url", path)
            picture = {"url": url}
            if part.get("detail") in ("low", "high", "auto"):
                picture["detail"] = part["detail"]
            return {"type": "image_url", "image_url": picture}
        case "input_file":
            file = {"filename": part.get("filename") or "file", "file_data": _text(part, "file_data", path)}
            return {"type": "file", "file": file}
        case "input_audio" if isinstance(part.get("input_audio"), dict):
            return {"type": "input_audio", "input_audio": part["input_audio"]}
    raise InvalidValue(
        f"`{path}`: this model takes no part of type `{str(part.get('type'))[:60]}`. "
        "Send `input_text`, `input_image`, `input_file` or `output_text`.",
        param=path,
    )


def _text(item: dict[str, Any], name: str, path: str) -> str:
    value = item.get(name)
    if value is None:
        raise MissingParameter(f"`{path}.{name}` is required.", param=f"{path}.{name}")
    if not isinstance(value, str):
        raise InvalidType(f"`{path}.{name}` must be a string.", param=f"{path}.{name}")
    return value
