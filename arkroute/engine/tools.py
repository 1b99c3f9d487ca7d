"""Function calls by force: what a request that demands one becomes for a model whose template knows no tools.

The arguments are the model's answer, held to the function's JSON schema while they are generated; where there are
several functions, a request before it has the model say one of their names. Which function to call, or whether to call
one at all, cannot be left to such a model.

OpenAI's form of it: https://platform.openai.com/docs/guides/function-calling
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from arkroute.engine.exchange import Refusal

# Fields that speak of tools, or would hold the answer to another form.
_ABOUT_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
_ABOUT_FORM = frozenset({"response_format", "json_schema", "grammar"})
# Fields that are about the answer that the client gets, not about the choice of a name.
_ABOUT_ANSWER = frozenset({"stream", "stream_options", "max_tokens", "max_completion_tokens", "n_predict", "n", "stop"})
_ABOUT_ANSWER |= {"logprobs", "top_logprobs", "logit_bias", "ignore_eos"}


class Function(NamedTuple):
    """`parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


def functions_to_call(body: dict[str, Any]) -> list[Function]:
    """Those of which one has to be called; none where no call is wanted. Raises `Refusal`."""
    choice = body.get("tool_choice")
    if choice == "none" or not body.get("tools"):
        if isinstance(choice, dict) or choice == "required":
            raise Refusal(400, "`tool_choice` demands a call, but there are no `tools`.", param="tool_choice")
        return []
    functions = {function.name: function for function in _read_functions(body["tools"])}
    if choice == "required":
        return list(functions.values())
    if choice in (None, "auto"):
        raise Refusal(
            400,
            "This model cannot choose by itself whether to call a tool. Demand a call with `tool_choice`: `required`, "
            "or the name of a function; or leave `tools` out.",
            param="tools",
        )
    match choice:
        case {"type": "function", "function": {"name": str(name)}}:
            if name not in functions:
                raise Refusal(400, f"`tool_choice` names `{name}`, which is not in `tools`.", param="tool_choice")
            return [functions[name]]
    raise Refusal(400, "`tool_choice` must be `none`, `required`, or name a function of `tools`.", param="tool_choice")


def without_tools(body: dict[str, Any]) -> dict[str, Any]:
    """The request for an answer in words. Earlier calls and their results are told in words, too."""
    plain = {name: value for name, value in body.items() if name not in _ABOUT_TOOLS}
    return plain | {"messages": _in_words(body.get("messages"))}


def name_request(body: dict[str, Any], functions: Sequence[Function]) -> dict[str, Any]:
    """The request for the name of one of the functions, as a JSON string."""
    request = _asking(body, functions, "Which function is to be called now? Answer with its name.")
    request = {name: value for name, value in request.items() if name not in _ABOUT_ANSWER}
    return request | _held_to({"enum": [function.name for function in functions]}) | {"temperature": 0}


def arguments_request(body: dict[str, Any], functions: Sequence[Function], function: Function) -> dict[str, Any]:
    """The request for the arguments of `function`, as a JSON object. `functions` are all that the model is told of."""
    request = _asking(body, functions, f"Call the function {function.name}. Answer with its arguments as JSON.")
    return request | _held_to(function.parameters)


def _read_functions(tools: Any) -> Iterable[Function]:
    for index, tool in enumerate(tools if isinstance(tools, list) else [tools]):
        match tool:
            case {"type": "function", "function": {"name": str(name), **fields}}:
                parameters = fields.get("parameters")
                if parameters is None:
                    parameters = {"type": "object", "properties": {}}
                if not isinstance(parameters, dict):
                    where = f"tools[{index}].function.parameters"
                    raise Refusal(400, f"`{where}` must be a JSON schema.", param=where)
                yield Function(name, str(fields.get("description") or ""), parameters)
            case _:
                raise Refusal(400, f"`tools[{index}]` must be a function with a name.", param=f"tools[{index}]")


def _held_to(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}


def _asking(body: dict[str, Any], functions: Sequence[Function], question: str) -> dict[str, Any]:
    # The question stands last: what is before it is the same for both requests, and llama.cpp keeps it.
    request = {name: value for name, value in without_tools(body).items() if name not in _ABOUT_FORM}
    told = "\n".join(f"- {one.name}: {one.description}\n  Arguments: {_json(one.parameters)}" for one in functions)
    offer = f"These functions can be called:\n{told}"
    messages = request["messages"]
    if messages and messages[0].get("role") in {"system", "developer"}:
        first = f"{_text(messages[0].get('content'))}\n\n{offer}"
        messages = [{**messages[0], "content": first}, *messages[1:]]
    else:
        messages = [{"role": "system", "content": offer}, *messages]
    return request | {"messages": [*messages, {"role": "system", "content": question}]}


def _in_words(messages: Any) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "`messages` must be an array of messages.", param="messages")
    names: dict[Any, str] = {}
    told = []
    for message in messages:
        if calls := message.get("tool_calls"):
            lines = [_text(message["content"])] if message.get("content") else []
            for call in calls:
                match call:
                    case {"function": {"name": str(name), **fields}}:
                        names[call.get("id")] = name
                        lines.append(f"{name}({fields.get('arguments', '')})")
                    case _:
                        raise Refusal(400, "`tool_calls` must hold calls of functions.", param="messages")
            told.append({"role": "assistant", "content": "\n".join(lines)})
        elif message.get("role") == "tool":
            name = names.get(message.get("tool_call_id"), "The function")
            told.append({"role": "user", "content": f"{name} returned: {_text(message.get('content'))}"})
        else:
            told.append(message)
    return told


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
