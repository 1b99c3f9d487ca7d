"""Responses of the fake of OpenAI: what the API takes, and what it answers, whole and as events.

https://platform.openai.com/docs/api-reference/responses, and the types of OpenAI's SDK for it.
"""

from collections.abc import Iterator
from typing import Any

from tests.upstreams.openai_behaviour import Behaviour, Refusal

_TYPES: dict[str, type | tuple[type, ...]] = {
    "background": bool,
    "conversation": (str, dict),
    "include": list,
    "input": (str, list),
    "instructions": str,
    "max_output_tokens": int,
    "max_tool_calls": int,
    "metadata": dict,
    "model": str,
    "moderation": dict,
    "parallel_tool_calls": bool,
    "previous_response_id": str,
    "prompt": dict,
    "prompt_cache_key": str,
    "prompt_cache_options": dict,
    "prompt_cache_retention": str,
    "reasoning": dict,
    "safety_identifier": str,
    "service_tier": str,
    "store": bool,
    "stream": bool,
    "stream_options": dict,
    "temperature": (int, float),
    "text": dict,
    "tool_choice": (str, dict),
    "tools": list,
    "top_logprobs": int,
    "top_p": (int, float),
    "truncation": str,
    "user": str,
}
# The fields of an item, those that have to be there first. Items of OpenAI's own tools are not looked into.
_ITEMS: dict[str, tuple[set[str], set[str]]] = {
    "message": ({"role", "content"}, {"type", "id", "status", "phase"}),
    "function_call": ({"type", "call_id", "name", "arguments"}, {"id", "status", "namespace"}),
    "function_call_output": ({"type", "call_id", "output"}, {"id", "status", "name"}),
    "custom_tool_call": ({"type", "call_id", "name", "input"}, {"id", "status", "namespace"}),
    "custom_tool_call_output": ({"type", "call_id", "output"}, {"id", "status", "name"}),
    "reasoning": ({"type", "summary"}, {"id", "content", "encrypted_content", "status"}),
}
_PARTS: dict[str, tuple[set[str], set[str]]] = {
    "input_text": ({"type", "text"}, {"prompt_cache_breakpoint"}),
    "input_image": ({"type", "detail"}, {"image_url", "file_id", "prompt_cache_breakpoint"}),
    "input_file": ({"type"}, {"file_data", "file_id", "file_url", "filename", "detail", "prompt_cache_breakpoint"}),
    "output_text": ({"type", "text"}, {"annotations", "logprobs"}),
    "refusal": ({"type", "refusal"}, set()),
}
_TOOLS: dict[str, tuple[set[str], set[str]]] = {
    "function": ({"type", "name", "parameters", "strict"}, {"description", "defer_loading", "async"}),
    "custom": ({"type", "name"}, {"description", "format", "defer_loading", "async"}),
}
_ROLES = {"user", "assistant", "system", "developer"}
_EFFORTS = {"none", "minimal", "low", "medium", "high", "xhigh", "max"}
_STREAM_OPTIONS = {"include_obfuscation", "encoding"}
_FORMATS = {
    "text": ({"type"}, set()),
    "json_object": ({"type"}, set()),
    "json_schema": ({"type", "name", "schema"}, {"description", "strict"}),
}


def check(body: dict[str, Any]) -> None:
    """Raises `Refusal` for what the API does not take."""
    for name, value in body.items():
        if name not in _TYPES:
            raise Refusal(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)
        if value is not None and (not isinstance(value, _TYPES[name]) or (_TYPES[name] is int and value is True)):
            raise Refusal(f"Invalid type for '{name}'", code="invalid_type", param=name)
    if not body.get("model") or not body.get("input"):
        raise Refusal("`model` and `input` are required", code="missing_required_parameter")
    if (most := body.get("max_output_tokens")) is not None and most < 16:
        message = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {most}."
        raise Refusal(message, code="integer_below_min_value", param="max_output_tokens")
    if body.get("stream_options") and (not body.get("stream") or set(body["stream_options"]) - _STREAM_OPTIONS):
        raise Refusal("Invalid 'stream_options'", param="stream_options")
    if (body.get("reasoning") or {}).get("effort") not in {None, *_EFFORTS}:
        raise Refusal("Invalid value", param="reasoning.effort")
    if written := (body.get("text") or {}).get("format"):
        _check_fields(written, _FORMATS, "text.format", str(written.get("type")))
    for index, tool in enumerate(body.get("tools") or []):
        if tool.get("type") in _TOOLS:
            _check_fields(tool, _TOOLS, f"tools[{index}]", tool["type"])
    if isinstance(choice := body.get("tool_choice"), str) and choice not in {"none", "auto", "required"}:
        raise Refusal("Invalid value", param="tool_choice")
    if isinstance(choice, dict) and choice.get("type") in _TOOLS and set(choice) != {"type", "name"}:
        raise Refusal("Invalid value", param="tool_choice")
    if isinstance(body["input"], list):
        _check_items(body["input"])


def answer(behaviour: Behaviour, body: dict[str, Any]) -> dict[str, Any]:
    return _response(behaviour, body, _output(behaviour, body))


def events(behaviour: Behaviour, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, event in enumerate(_events(behaviour, body)):
        yield {**event, "sequence_number": number}


def _check_items(items: list[Any]) -> None:
    calls = set()
    for index, item in enumerate(items):
        kind = item.get("type") or "message"
        if kind in _ITEMS:
            _check_fields(item, _ITEMS, f"input[{index}]", kind)
        if kind == "message":
            _check_message(item, f"input[{index}]")
        elif kind.endswith("_call"):
            calls.add(item.get("call_id"))
        elif kind in {"function_call_output", "custom_tool_call_output"} and item["call_id"] not in calls:
            raise Refusal(f"No tool call found for call_id {item['call_id']}.", code="invalid_value", param="input")


def _check_message(item: dict[str, Any], where: str) -> None:
    if item["role"] not in _ROLES:
        raise Refusal("Invalid value", param=f"{where}.role")
    if isinstance(item["content"], str):
        return
    said = {"output_text", "refusal"}
    for index, part in enumerate(item["content"]):
        kind = part.get("type")
        if kind not in _PARTS or (kind in said) != (item["role"] == "assistant"):
            raise Refusal(f"Invalid value: '{kind}'.", param=f"{where}.content[{index}]")
        _check_fields(part, _PARTS, f"{where}.content[{index}]", kind)


def _check_fields(one: Any, known: dict[str, tuple[set[str], set[str]]], where: str, kind: str) -> None:
    if kind not in known:
        raise Refusal(f"Invalid value: '{kind}'.", param=f"{where}.type")
    needed, others = known[kind]
    if missing := needed - set(one):
        name = f"{where}.{min(missing)}"
        raise Refusal(f"Missing required parameter: '{name}'.", code="missing_required_parameter", param=name)
    if unknown := set(one) - needed - others:
        name = f"{where}.{min(unknown)}"
        raise Refusal(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)


def _output(behaviour: Behaviour, body: dict[str, Any]) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    if behaviour.reasoning_tokens:
        output.append({"type": "reasoning", "id": "rs_fake", "summary": []})
    if behaviour.filtered:
        return output
    if behaviour.tool_call:
        tool = (body.get("tools") or [{"type": "function", "name": "look_up"}])[0]
        said = {"call_id": "call_fake1", "name": tool["name"], "status": "completed"}
        if tool["type"] == "custom":
            return [*output, {"type": "custom_tool_call", "id": "ctc_fake", "input": "Paris, please", **said}]
        return [*output, {"type": "function_call", "id": "fc_fake", "arguments": '{"city": "Paris"}', **said}]
    for number in range(behaviour.messages):
        part = {"type": "output_text", "text": behaviour.reply, "annotations": [], "logprobs": []}
        output.append(
            {
                "type": "message",
                "id": f"msg_fake{number}",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        )
    return output


def _response(
    behaviour: Behaviour, body: dict[str, Any], output: list[dict[str, Any]], *, begun: bool = False
) -> dict[str, Any]:
    response: dict[str, Any] = {
        "id": "resp_fake",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body["model"],
        "output": output,
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort"), "summary": None},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, **(body.get("text") or {})},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "metadata": body.get("metadata") or {},
    }
    if begun:
        return response | {"status": "in_progress"}
    if behaviour.end == "failed":
        error = {"code": behaviour.code or "server_error", "message": behaviour.message}
        return response | {"status": "failed", "error": error, "output": []}
    if behaviour.filtered or behaviour.finish_reason in {"length", "content_filter"}:
        length = behaviour.finish_reason == "length" and not behaviour.filtered
        reason = "max_output_tokens" if length else "content_filter"
        response |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
    if behaviour.bad_usage:
        response["usage"] = {"input_tokens": -5, "output_tokens": "many", "total_tokens": None}
    elif behaviour.usage:
        response["usage"] = {
            "input_tokens": behaviour.prompt_tokens,
            "input_tokens_details": {
                "cached_tokens": behaviour.cached_tokens,
                "cache_write_tokens": behaviour.cache_write_tokens,
            },
            "output_tokens": behaviour.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": behaviour.reasoning_tokens},
            "total_tokens": behaviour.prompt_tokens + behaviour.completion_tokens,
        }
    return response


def _events(behaviour: Behaviour, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    output = [] if behaviour.empty else _output(behaviour, body)
    begun = _response(behaviour, body, [], begun=True)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for place, item in enumerate(output):
        at = {"output_index": place, "item_id": item["id"]}
        yield {"type": "response.output_item.added", "output_index": place, "item": _opening(item)}
        match item["type"]:
            case "message":
                yield from _text_events(item, {**at, "content_index": 0})
            case "function_call":
                for piece in _pieces(item["arguments"]):
                    yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
                done = {"arguments": item["arguments"], "name": item["name"]}
                yield {"type": "response.function_call_arguments.done", **at, **done}
            case "custom_tool_call":
                for piece in _pieces(item["input"]):
                    yield {"type": "response.custom_tool_call_input.delta", **at, "delta": piece}
                yield {"type": "response.custom_tool_call_input.done", **at, "input": item["input"]}
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    if behaviour.no_done:
        return
    if behaviour.end == "error":
        yield {"type": "error", "code": behaviour.code or "server_error", "message": behaviour.message, "param": None}
        return
    response = _response(behaviour, body, output)
    yield {"type": f"response.{response['status']}", "response": response}


def _opening(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it is announced: with nothing in it yet."""
    empty = {"message": {"content": []}, "function_call": {"arguments": ""}, "custom_tool_call": {"input": ""}}
    status = {} if item["type"] == "reasoning" else {"status": "in_progress"}
    return {**item, **empty.get(item["type"], {}), **status}


def _text_events(item: dict[str, Any], at: dict[str, Any]) -> Iterator[dict[str, Any]]:
    part = item["content"][0]
    yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
    for index, word in enumerate(part["text"].split(" ")):
        delta = word if index == 0 else f" {word}"
        yield {"type": "response.output_text.delta", **at, "delta": delta, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part}


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + 5] for start in range(0, len(text), 5))
