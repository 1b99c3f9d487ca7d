"""A chat's request as one to the Responses API.

https://platform.openai.com/docs/api-reference/responses/create
"""

from typing import Any

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.types import ChatRequest

# OpenAI takes no lower limit.
LEAST_OUTPUT_TOKENS = 16
# As they are called in both APIs. Fields of the Responses API alone, such as `background` or `previous_response_id`,
# are none of a chat's: an answer would be billed, or another customer's read, past the gateway.
_SAME = frozenset(
    {
        *("metadata", "moderation", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_options"),
        *("prompt_cache_retention", "safety_identifier", "temperature", "top_logprobs", "top_p", "user"),
    }
)


def write_request(deployment: Deployment, request: ChatRequest) -> dict[str, Any]:
    """The body. Raises `ProviderError` for what a chat may hold and a response may not."""
    spec = deployment.model.chat
    assert spec is not None, "a chat is sent to chat models only"
    asked = request.body
    body = {name: value for name, value in asked.items() if name in _SAME and name not in spec.ignores}
    instructions, messages = _split(request.messages)
    body |= {
        "model": deployment.upstream,
        "input": _write_items(messages, len(request.messages) - len(messages)),
        # Responses are kept, under the operator's account, unless one asks not to.
        "store": False,
    }
    if instructions or spec.system_prompt:
        body["instructions"] = instructions or spec.system_prompt
    if request.max_tokens is not None:
        body["max_output_tokens"] = max(request.max_tokens, LEAST_OUTPUT_TOKENS)
    if effort := asked.get("reasoning_effort") or spec.reasoning_effort:
        body["reasoning"] = {"effort": effort}
    if text := _write_text(asked):
        body["text"] = text
    if tools := asked.get("tools"):
        body["tools"] = [_write_tool(tool) for tool in tools]
    if (choice := asked.get("tool_choice")) is not None:
        body["tool_choice"] = _write_choice(choice)
    if asked.get("logprobs"):
        body["include"] = ["message.output_text.logprobs"]
    return body


def _split(messages: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The instructions that a conversation begins with, and the messages after them."""
    count = next((number for number, one in enumerate(messages) if not _instructs(one)), len(messages) - 1)
    return "\n\n".join(_text_of(message) for message in messages[:count]), messages[count:]


def _instructs(message: dict[str, Any]) -> bool:
    return message.get("role") in ("system", "developer")


def _write_items(messages: list[dict[str, Any]], offset: int) -> list[dict[str, Any]]:
    """`offset`: the place of the first of them in the request."""
    items: list[dict[str, Any]] = []
    custom_calls = set()
    for index, message in enumerate(messages, start=offset):
        match message.get("role"):
            case "assistant":
                if text := _text_of(message):
                    items.append({"role": "assistant", "content": text})
                for call in message.get("tool_calls") or ():
                    if call.get("type") == "custom":
                        custom_calls.add(call.get("id"))
                    items.append(_write_call(call, f"messages[{index}].tool_calls"))
            case "tool":
                call_id = message.get("tool_call_id")
                kind = "custom_tool_call_output" if call_id in custom_calls else "function_call_output"
                items.append({"type": kind, "call_id": call_id, "output": _text_of(message)})
            case "function":
                raise _refusal("a message of the role `function`; send a tool's", f"messages[{index}].role")
            case role:
                items.append({"role": role, "content": _write_content(message.get("content"), f"messages[{index}]")})
    return items


def _write_content(content: Any, where: str) -> Any:
    if not isinstance(content, list):
        return content
    parts: list[dict[str, Any]] = []
    for position, part in enumerate(content):
        match part.get("type"):
            case "text":
                parts.append({"type": "input_text", "text": part["text"]})
            case "image_url":
                picture = part["image_url"]
                detail = picture.get("detail") or "auto"
                parts.append({"type": "input_image", "image_url": picture["url"], "detail": detail})
            case "file":
                parts.append({"type": "input_file", **part["file"]})
            case kind:
                raise _refusal(f"a part of the type `{kind}`", f"{where}.content[{position}].type")
    return parts


def _write_call(call: dict[str, Any], where: str) -> dict[str, Any]:
    kind = call.get("type") or "function"
    called = call.get(kind)
    if kind == "function" and isinstance(called, dict):
        arguments = called.get("arguments") or "{}"
        return {"type": "function_call", "call_id": call.get("id"), "name": called.get("name"), "arguments": arguments}
    if kind == "custom" and isinstance(called, dict):
        written = called.get("input") or ""
        return {"type": "custom_tool_call", "call_id": call.get("id"), "name": called.get("name"), "input": written}
    raise _refusal("a tool call that is none of a function or a custom tool", where)


def _write_tool(tool: dict[str, Any]) -> dict[str, Any]:
    kind = tool.get("type", "function")
    inner = tool.get(kind) or {}
    if kind == "custom":
        given = inner.get("format")
        grammar = given.get("grammar") if isinstance(given, dict) else None
        fields = {**inner, "format": {"type": "grammar", **grammar}} if isinstance(grammar, dict) else inner
        return {"type": "custom", **fields}
    # Responses hold to the schema strictly unless told otherwise; chats the other way round.
    defaults = {"parameters": {"type": "object", "properties": {}}, "strict": False}
    told = {name: value for name, value in inner.items() if value is not None}
    return {"type": "function", **defaults, **told}


def _write_choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    kind = choice.get("type")
    inner = choice.get(kind) if isinstance(kind, str) else None
    if not isinstance(inner, dict):
        return choice
    if kind == "allowed_tools":
        tools = [_write_choice(tool) for tool in inner.get("tools") or ()]
        return {"type": kind, "mode": inner.get("mode"), "tools": tools}
    return {"type": kind, "name": inner.get("name")}


def _write_text(asked: dict[str, Any]) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if wanted := asked.get("response_format"):
        schema = wanted.get("json_schema")
        text["format"] = {"type": wanted["type"], **schema} if isinstance(schema, dict) else {"type": wanted["type"]}
    if verbosity := asked.get("verbosity"):
        text["verbosity"] = verbosity
    return text


def _text_of(message: dict[str, Any]) -> str:
    """What a message says in words: its text, or a refusal."""
    content = message.get("content")
    if isinstance(content, list):
        words = [part.get("text") or part.get("refusal") or "" for part in content]
        content = "".join(words)
    return content or message.get("refusal") or ""


def _refusal(what: str, param: str) -> ProviderError:
    return ProviderError(ProviderFault.BAD_REQUEST, f"this model does not take {what}.", param=param)
