"""The body of a response to make, checked against OpenAI's documented types and ranges, and said as a chat.

Source: the OpenAI API reference, `POST /responses`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.errors import InvalidValue, MissingParameter, RequestError
from gateway.pricing import estimate_tokens
from gateway.requests.chat import TOKENS_PER_ATTACHMENT, PositiveInt, estimate_messages
from gateway.requests.decoding import convert
from gateway.responses.messages import Transcript
from gateway.responses.native import write_native
from gateway.responses.tools import Toolbox
from gateway.responses.words import rename_error
from gateway.types import ChatRequest

# Of the conversation, of templates and of files that OpenAI keeps for an account: here each request says all.
KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
# What only OpenAI's own servers act on. Without it an answer means the same.
HINTS = frozenset({"context_management", "include", "max_tool_calls", "moderation", "truncation"})
# As they are called in both APIs.
SAME_IN_CHAT = (
    "temperature",
    "top_p",
    "top_logprobs",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
)
LOGPROBS = "message.output_text.logprobs"


class Format(Struct):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: dict[str, Any] | None = None


class Text(Struct):
    format: Format | None = None
    verbosity: str | None = None


class Reasoning(Struct):
    effort: str | None = None


class ResponseBody(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    stream: bool | None = None
    background: bool | None = None
    max_output_tokens: PositiveInt | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    reasoning: Reasoning | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: str | None = None


class ResponseRequest(Struct):
    """A response to make. `body` is what the client sent; `native` that for servers with this API, without what is
    ours to decide; `chat` the same for all others.

    `obstacle` is the first thing that no chat can say. `left_out` names what no model is told, `left_out_of_chat` what
    is not said in chat besides. `message_paths` and `toolbox` remember how things are called in `body`.
    """

    body: dict[str, Any]
    native: dict[str, Any]
    chat: ChatRequest
    toolbox: Toolbox
    message_paths: list[str]
    obstacle: RequestError | None
    left_out: list[str]
    left_out_of_chat: list[str]


def parse_response(body: dict[str, Any]) -> ResponseRequest:
    """The request in `body`. Raises a `RequestError` naming the field at fault."""
    asked = convert(body, ResponseBody)
    _refuse_what_is_kept(body, asked)
    native, left_out = write_native(body)
    toolbox = Toolbox()
    toolbox.add(asked.tools or [], "tools")
    transcript = Transcript(asked.instructions, toolbox)
    items = [{"role": "user", "content": asked.input}] if isinstance(asked.input, str) else asked.input
    for index, item in enumerate(items):
        transcript.add(item, "input" if isinstance(asked.input, str) else f"input[{index}]")
    transcript.end()
    obstacle = toolbox.obstacle or transcript.obstacle
    try:
        chat_body = _chat_body(body, asked, toolbox)
    except InvalidValue as error:
        obstacle, chat_body = obstacle or error, {"model": asked.model}
    beside = ("tools", "response_format")
    beside_bytes = sum(len(msgspec.json.encode(value)) for name in beside if (value := chat_body.get(name)))
    try:
        message_tokens = estimate_messages(transcript.messages)
    except RequestError as error:
        raise rename_error(error, transcript.paths, toolbox.paths) from None
    chat = ChatRequest(
        model=asked.model,
        messages=transcript.messages,
        body={**chat_body, "messages": transcript.messages},
        stream=bool(asked.stream),
        include_usage=True,
        max_tokens=asked.max_output_tokens,
        input_tokens=message_tokens
        + estimate_tokens(beside_bytes + transcript.other_bytes)
        + transcript.other_pictures * TOKENS_PER_ATTACHMENT,
    )
    return ResponseRequest(
        body=body,
        native=native,
        chat=chat,
        toolbox=toolbox,
        message_paths=transcript.paths,
        obstacle=obstacle,
        left_out=left_out,
        left_out_of_chat=[path for path in toolbox.left_out if path not in left_out] + _hints(body),
    )


def _refuse_what_is_kept(body: dict[str, Any], asked: ResponseBody) -> None:
    """Nothing is kept here between requests, and what is kept at the vendor's belongs to our account."""
    for name in KEPT_ELSEWHERE:
        if body.get(name):
            raise InvalidValue(f"`{name}` is not kept here. Send the whole input instead.", param=name)
    if body.get("ark_stateful"):
        raise InvalidValue(
            "`ark_stateful` is for /v1/chat/completions. Send the whole input here.", param="ark_stateful"
        )
    if asked.background:
        raise InvalidValue("`background` is not offered. Leave it out, and stream the answer.", param="background")
    if not asked.input:
        raise MissingParameter("`input` is empty. Send a text, or at least one item.", param="input")
    for index, item in enumerate(asked.input if isinstance(asked.input, list) else ()):
        path = f"input[{index}]"
        if item.get("type") == "item_reference" or ("id" in item and len(item) == 1):
            raise InvalidValue(f"`{path}` refers to an item, and none are kept here. Send the item itself.", param=path)
        for field in ("content", "output"):
            said = item.get(field)
            # A screenshot comes alone.
            parts = {f"{path}.{field}": said, **{f"{path}.{field}[{n}]": part for n, part in enumerate(_list(said))}}
            for place, part in parts.items():
                if isinstance(part, dict) and part.get("file_id"):
                    where = f"{place}.file_id"
                    raise InvalidValue(f"`{where}`: no files are kept here. Send the data instead.", param=where)


def _chat_body(body: dict[str, Any], asked: ResponseBody, toolbox: Toolbox) -> dict[str, Any]:
    """What a chat is asked for besides the messages. Raises `InvalidValue` for a choice of tools that it lacks."""
    chat = {"model": asked.model, **{name: body[name] for name in SAME_IN_CHAT if body.get(name) is not None}}
    choice = toolbox.choose(asked.tool_choice)
    if toolbox.functions:
        chat["tools"] = toolbox.functions
        if asked.parallel_tool_calls is not None:
            chat["parallel_tool_calls"] = asked.parallel_tool_calls
    if choice is not None and (toolbox.functions or choice not in ("auto", "none")):
        chat["tool_choice"] = choice
    if asked.max_output_tokens is not None:
        chat["max_completion_tokens"] = asked.max_output_tokens
    if asked.reasoning is not None and asked.reasoning.effort is not None:
        chat["reasoning_effort"] = asked.reasoning.effort
    if asked.text is not None and asked.text.verbosity is not None:
        chat["verbosity"] = asked.text.verbosity
    if asked.text is not None and asked.text.format is not None and asked.text.format.type != "text":
        chat["response_format"] = _response_format(body["text"]["format"], asked.text.format)
    if asked.top_logprobs or LOGPROBS in (asked.include or ()):
        chat["logprobs"] = True
    if asked.stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return chat


def _response_format(sent: dict[str, Any], read: Format) -> dict[str, Any]:
    if read.type == "json_object":
        return {"type": "json_object"}
    for name in ("name", "schema"):
        if getattr(read, name) is None:
            raise MissingParameter(f"`text.format.{name}` is required.", param=f"text.format.{name}")
    return {"type": "json_schema", "json_schema": {name: value for name, value in sent.items() if name != "type"}}


def _hints(body: dict[str, Any]) -> list[str]:
    """The names of the hints that say something."""
    sent = [name for name in body if name in HINTS and body[name] not in (None, [], "disabled")]
    if set(body.get("include") or ()) <= {LOGPROBS}:
        sent = [name for name in sent if name != "include"]
    return sent


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
