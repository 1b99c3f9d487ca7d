"""A chat completion's body, checked against OpenAI's documented types and ranges.

Source: the OpenAI API reference, `POST /chat/completions`.
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.errors import InvalidValue, MissingParameter
from gateway.pricing import estimate_tokens
from gateway.requests.decoding import convert
from gateway.requests.pictures import check_picture
from gateway.types import ChatRequest

# What a picture, a file or a piece of sound in a prompt counts as in our estimate; the provider decides in the end.
TOKENS_PER_ATTACHMENT = 1100
# What a model reads besides the messages.
READ_BESIDES = ("tools", "tool_choice", "functions", "function_call", "response_format", "prediction")

# As `uuid.UUID` writes it, in either case.
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

Penalty = Annotated[float, Meta(ge=-2, le=2)]
PositiveInt = Annotated[int, Meta(ge=1)]


class ImageURL(Struct):
    url: str


class Part(Struct):
    """A piece of a message's content."""

    type: Literal["text", "image_url", "input_audio", "file", "refusal"]
    text: str | None = None
    image_url: ImageURL | None = None
    input_audio: dict[str, Any] | None = None
    file: dict[str, Any] | None = None
    refusal: str | None = None


class Message(Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class StreamOptions(Struct):
    include_usage: bool | None = None


class ResponseFormat(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class Tool(Struct):
    type: Literal["function", "custom"]
    function: dict[str, Any] | None = None
    custom: dict[str, Any] | None = None


class ChatBody(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: PositiveInt | None = None
    max_completion_tokens: PositiveInt | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    user: str | None = None
    ark_stateful: bool | str | None = None


def parse_chat(body: dict[str, Any]) -> ChatRequest:
    """The request in `body`. Raises a `RequestError` naming the field at fault."""
    chat = convert(body, ChatBody)
    text_bytes, attachments = _check_messages(chat.messages)
    text_bytes += sum(len(msgspec.json.encode(value)) for name in READ_BESIDES if (value := body.get(name)))
    if chat.tools:
        for index, tool in enumerate(chat.tools):
            if tool.type == "function" and not (tool.function and isinstance(tool.function.get("name"), str)):
                raise MissingParameter(
                    f"`tools[{index}].function.name` is required.", param=f"tools[{index}].function.name"
                )
    if chat.stream_options is not None and not chat.stream:
        raise InvalidValue("`stream_options` needs `stream: true`.", param="stream_options")
    if chat.top_logprobs is not None and not chat.logprobs:
        raise InvalidValue("`top_logprobs` needs `logprobs: true`.", param="top_logprobs")
    stateful = _read_stateful(chat.ark_stateful)
    if stateful and chat.n is not None and chat.n > 1:
        raise InvalidValue("`n` is 1 with `ark_stateful`: a conversation goes on from one answer.", param="n")
    return ChatRequest(
        model=chat.model,
        messages=body["messages"],
        body=body,
        stream=bool(chat.stream),
        include_usage=bool(chat.stream_options and chat.stream_options.include_usage),
        max_tokens=chat.max_completion_tokens or chat.max_tokens,
        n=chat.n or 1,
        input_tokens=estimate_tokens(text_bytes) + attachments * TOKENS_PER_ATTACHMENT,
        stateful=stateful,
    )


def estimate_messages(messages: list[dict[str, Any]]) -> int:
    """The tokens of messages that a model was sent before, as `parse_chat` estimates them."""
    text_bytes, attachments = _check_messages(msgspec.convert(messages, list[Message]))
    return estimate_tokens(text_bytes) + attachments * TOKENS_PER_ATTACHMENT


def _check_messages(messages: list[Message]) -> tuple[int, int]:
    """The bytes of text in `messages`, and the attachments, once each is what its role says."""
    text_bytes = 0
    attachments = 0
    for index, message in enumerate(messages):
        content = message.content
        if isinstance(content, str):
            text_bytes += len(content) if content.isascii() else len(content.encode())
        elif content is not None:
            for position, part in enumerate(content):
                where = f"messages[{index}].content[{position}]"
                text_bytes += _check_part(part, where)
                attachments += part.type in ("image_url", "input_audio", "file")
        elif message.role in ("system", "developer", "user", "tool"):
            raise MissingParameter(
                f"`messages[{index}].content` is required for the role `{message.role}`.",
                param=f"messages[{index}].content",
            )
        if message.name:
            text_bytes += len(message.name.encode())
        if message.tool_calls:
            text_bytes += len(msgspec.json.encode(message.tool_calls))
    return text_bytes, attachments


def _read_stateful(value: bool | str | None) -> bool | str:
    """What `ark_stateful` asks for: nothing, the session of the client's cookie, or the id of a client's own."""
    if not isinstance(value, str):
        return bool(value)
    if _UUID.fullmatch(value) is None:
        raise InvalidValue(
            "`ark_stateful` must be true, or a UUID such as `3f2b8a52-0c1e-4d6b-9a77-5d0f6f1c2e34`.",
            param="ark_stateful",
        )
    return value.lower()


def _check_part(part: Part, where: str) -> int:
    """The bytes of text in `part`, once it is what its type says."""
    if part.type == "text":
        if part.text is None:
            raise MissingParameter(f"`{where}.text` is required for a part of type `text`.", param=f"{where}.text")
        return len(part.text.encode())
    if part.type == "image_url":
        if part.image_url is None:
            raise MissingParameter(f"`{where}.image_url` is required.", param=f"{where}.image_url")
        check_picture(part.image_url.url, param=f"{where}.image_url.url")
    elif part.type == "refusal":
        return len((part.refusal or "").encode())
    elif getattr(part, part.type) is None:
        raise MissingParameter(f"`{where}.{part.type}` is required.", param=f"{where}.{part.type}")
    elif part.file is not None and part.file.get("file_id"):
        # Those at a vendor's belong to the operator's account.
        where = f"{where}.file.file_id"
        raise InvalidValue(f"`{where}`: no files are kept here. Send the data instead.", param=where)
    return 0
