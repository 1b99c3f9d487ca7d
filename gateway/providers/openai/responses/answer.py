"""A response as a chat completion.

https://platform.openai.com/docs/api-reference/responses/object
"""

from typing import Any

from gateway.errors import ProviderError, ProviderFault

# A response may hold several messages: remarks on the way, then the answer.
BETWEEN_MESSAGES = "\n\n"


def read_response(response: dict[str, Any]) -> dict[str, Any]:
    """The `chat.completion` object. Raises `ProviderError` for a response without an answer."""
    output = response.get("output")
    if not isinstance(output, list) or response.get("status") not in ("completed", "incomplete"):
        raise ProviderError(ProviderFault.BROKEN, "a response without an answer")
    texts: list[str] = []
    refusals: list[str] = []
    calls: list[dict[str, Any]] = []
    logprobs: list[Any] = []
    for item in output:
        match item.get("type") if isinstance(item, dict) else None:
            case "message":
                parts = [part for part in item.get("content") or () if isinstance(part, dict)]
                texts.append("".join(_text(part, "text") for part in parts))
                refusals.append("".join(_text(part, "refusal") for part in parts))
                logprobs += [one for part in parts for one in part.get("logprobs") or ()]
            case "function_call" | "custom_tool_call":
                calls.append(open_call(item))
    content = BETWEEN_MESSAGES.join(text for text in texts if text)
    refusal = BETWEEN_MESSAGES.join(text for text in refusals if text)
    if is_filtered(response) and not (content or refusal or calls):
        raise ProviderError(ProviderFault.CONTENT_POLICY, "the answer was filtered")
    message: dict[str, Any] = {"role": "assistant", "content": content or None, "refusal": refusal or None}
    if calls:
        message["tool_calls"] = calls
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
        "finish_reason": finish_reason(response, calls=bool(calls)),
    }
    completion = {**completion_head(response), "object": "chat.completion", "choices": [choice]}
    if usage := chat_usage(response):
        completion["usage"] = usage
    return completion


def completion_head(response: dict[str, Any]) -> dict[str, Any]:
    """What a completion and all of its chunks say of themselves."""
    created = response.get("created_at")
    head = {
        "id": _text(response, "id"),
        "created": int(created) if isinstance(created, int | float) else 0,
        "model": _text(response, "model"),
    }
    if tier := _text(response, "service_tier"):
        head["service_tier"] = tier
    return head


def open_call(item: dict[str, Any]) -> dict[str, Any]:
    """A chat's tool call, with as much of its arguments as `item` tells."""
    if item.get("type") == "custom_tool_call":
        custom = {"name": _text(item, "name"), "input": _text(item, "input")}
        return {"id": _text(item, "call_id"), "type": "custom", "custom": custom}
    function = {"name": _text(item, "name"), "arguments": _text(item, "arguments")}
    return {"id": _text(item, "call_id"), "type": "function", "function": function}


def finish_reason(response: dict[str, Any], *, calls: bool) -> str:
    if is_filtered(response):
        return "content_filter"
    if response.get("status") == "incomplete":
        return "length"
    return "tool_calls" if calls else "stop"


def is_filtered(response: dict[str, Any]) -> bool:
    details = response.get("incomplete_details")
    return isinstance(details, dict) and details.get("reason") == "content_filter"


def chat_usage(response: dict[str, Any]) -> dict[str, Any] | None:
    """A response's usage in the words of a chat's."""
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return None
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "total_tokens": usage.get("total_tokens"),
        "prompt_tokens_details": usage.get("input_tokens_details"),
        "completion_tokens_details": usage.get("output_tokens_details"),
    }


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
