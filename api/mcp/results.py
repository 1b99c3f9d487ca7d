"""What tools answer: structured, the same as text for clients that know no structure, and errors to act on."""

from typing import Any

import msgspec
from mcp_types import CallToolResult, ContentBlock, TextContent

from api.errors import to_openai
from gateway.call import Call

# What an agent should do where the message, which is for programmers, does not say it.
ADVICE = {
    "model_not_found": "Call `list_models` to see what there is.",
    "key_not_allowed": "Call `list_models` to see what this key may use.",
    "insufficient_credits": "Tell your user, or use `estimate_cost` to find something cheaper.",
    "max_credits_exceeded": "Your user set this limit; use `estimate_cost` to find something cheaper.",
    "content_policy_violation": "Change the prompt, or choose another model.",
    "provider_error": "Nothing was charged. Try again, or choose another model.",
    "provider_timeout": "Nothing was charged. Try again, or choose another model.",
}


def answer(structured: dict[str, Any], *more: ContentBlock) -> CallToolResult:
    """`structured`, the same as text, and `more` content after it."""
    text = msgspec.json.encode(structured).decode()
    return CallToolResult(content=[TextContent(text=text), *more], structured_content=structured)


def error_result(error: Exception, call: Call) -> CallToolResult:
    """`402 insufficient_credits: This call costs …`, as the model reads it. By the same map of errors as REST's."""
    told = to_openai(error, call.request_id)
    found: dict[str, Any] = msgspec.json.decode(told.body)["error"]
    parts = [f"{told.status} {found['code']}: {found['message']}"]
    if advice := ADVICE.get(found["code"]):
        parts.append(advice)
    if wait := told.headers.get("retry-after"):
        parts.append(f"Try again in {wait} s.")
    return failure(" ".join(parts), {**found, "status": told.status, "request_id": call.request_id})


def failure(text: str, error: dict[str, Any]) -> CallToolResult:
    """An error with its fields for programs beside it: `structuredContent` would have to fit the tool's schema."""
    return CallToolResult(content=[TextContent(text=text)], is_error=True, _meta={"arkroute/error": error})
