from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from arkroute.types.record import PaidAnswer, Record


class Function(Record):
    __slots__ = ()

    name: str | None
    arguments: str | None


class ToolCall(Record):
    """A call of one of the caller's functions, or in a stream a piece of one: pieces belong together by `index`."""

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"function": Function}

    id: str | None
    index: int | None
    type: str | None
    function: Function


class Message(Record):
    """What the model says. Goes back into `messages` as it is."""

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"tool_calls": ToolCall}

    role: str | None
    content: str | None
    refusal: str | None
    tool_calls: list[ToolCall] | None


class Choice(Record):
    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"message": Message}

    index: int
    message: Message
    finish_reason: str | None
    logprobs: Record | None


class ChunkChoice(Record):
    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"delta": Message}

    index: int
    delta: Message
    finish_reason: str | None
    logprobs: Record | None


class ChatUsage(Record):
    """Tokens. `credits` is there in a stream, where no header can tell it."""

    __slots__ = ()

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Record | None
    completion_tokens_details: Record | None
    credits: float | None


class ChatCompletion(PaidAnswer):
    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"choices": Choice, "usage": ChatUsage}

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage | None
    system_fingerprint: str | None

    @property
    def text(self) -> str:
        """What the first choice says; empty where it calls tools."""
        return (self.choices[0].message.content or "") if self.choices else ""


class ChatCompletionChunk(Record):
    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"choices": ChunkChoice, "usage": ChatUsage}

    id: str
    object: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | None
    system_fingerprint: str | None

    @property
    def text(self) -> str:
        """What this piece adds to the first choice; often empty."""
        return (self.choices[0].delta.content or "") if self.choices else ""
