"""A chat's answer as a response: the object, its items, and the events that tell of it piece by piece.

    output = Output(request)
    output.begin()                     # `response.created`, `response.in_progress`
    output.add(choice)                 # of a chunk, or a whole completion's one choice
    output.end(usage)                  # the items' ends, `response.completed`

Each returns events, as objects. `output.response` is the object as it is then.
"""

from time import time
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.requests.responses import ResponseRequest
from gateway.responses.tools import Tool, unwrap_input
from gateway.types import Usage

Event = dict[str, Any]

# What the object repeats of the request, and what it says where the request did not.
_REPEATED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
# Our words for what the object's `error.code` has one for; clients act on these.
_ERROR_CODES = {
    "content_policy_violation": "invalid_prompt",
    "context_length_exceeded": "context_length_exceeded",
    "overloaded": "server_is_overloaded",
}


class Function(Struct):
    name: str | None = None
    arguments: Any = None  # JSON, as text; of some servers an object


class Fragment(Struct):
    """A tool call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class LogProbs(Struct):
    content: list[dict[str, Any]] | None = None


class Words(Struct):
    """A message, or what a chunk adds to one."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None  # the same by a younger name; of some servers an object
    refusal: str | None = None
    tool_calls: list[Fragment] | None = None


class Choice(Struct):
    index: int = 0
    message: Words | None = None
    delta: Words | None = None
    finish_reason: str | None = None
    logprobs: LogProbs | None = None


class Spoken(Struct):
    """An item of text that is being written. `kind` is the type of its one part."""

    place: int
    id: str
    kind: str
    pieces: list[str]
    logprobs: list[dict[str, Any]]

    @property
    def part(self) -> dict[str, Any]:
        text = "".join(self.pieces)
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        if self.kind == "reasoning_text":
            return {"type": "reasoning_text", "text": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": [*self.logprobs]}

    def item(self, status: str) -> dict[str, Any]:
        content = [] if status == "in_progress" else [self.part]
        if self.kind == "reasoning_text":
            return {"id": self.id, "type": "reasoning", "status": status, "summary": [], "content": content}
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}


class Called(Struct):
    """An item of a tool's call whose arguments are being written."""

    place: int
    id: str
    call_id: str
    tool: Tool
    pieces: list[str]

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def item(self, status: str) -> dict[str, Any]:
        tool = self.tool
        item: dict[str, Any] = {
            "id": self.id,
            "type": "custom_tool_call" if tool.is_custom else "function_call",
            "status": status,
            "call_id": self.call_id,
            "name": tool.name,
        }
        if tool.namespace is not None:
            item["namespace"] = tool.namespace
        if tool.is_custom:
            return {**item, "input": unwrap_input(self.arguments) if self.pieces else ""}
        return {**item, "arguments": self.arguments}


class Output:
    def __init__(self, request: ResponseRequest) -> None:
        self._toolbox = request.toolbox
        self._number = -1
        self._items: list[dict[str, Any]] = []  # as far as they have ended
        self._spoken: Spoken | None = None
        self._called: dict[int, Called] = {}
        self._finish_reason: str | None = None
        self.response: dict[str, Any] = {
            "id": _new_id("resp"),
            "object": "response",
            "created_at": int(time()),
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": request.chat.model,
            "output": [],
            "previous_response_id": None,
            "store": False,
            **{name: _value(request.body.get(name), default) for name, default in _REPEATED.items()},
            "usage": None,
        }

    def begin(self) -> list[Event]:
        return [self._event(kind, response=dict(self.response)) for kind in ("created", "in_progress")]

    def add(self, choice: Choice) -> list[Event]:
        events: list[Event] = []
        if words := choice.message or choice.delta:
            logprobs = choice.logprobs.content or [] if choice.logprobs else []
            thought = words.reasoning if isinstance(words.reasoning, str) else None
            events += self._say("reasoning_text", words.reasoning_content or thought)
            events += self._say("output_text", words.content, logprobs)
            events += self._say("refusal", words.refusal)
            for position, fragment in enumerate(words.tool_calls or ()):
                events += self._call(position if fragment.index is None else fragment.index, fragment)
        self._finish_reason = choice.finish_reason or self._finish_reason
        return events

    def end(self, usage: dict[str, Any]) -> list[Event]:
        reason = _INCOMPLETE.get(self._finish_reason or "")
        status = "incomplete" if reason else "completed"
        events = self._end_items(status)
        details = {"reason": reason} if reason else None
        self.response |= {"status": status, "incomplete_details": details, "output": self._items, "usage": usage}
        return [*events, self._event(status, response=self.response)]

    def fail(self, error: GatewayError) -> list[Event]:
        """The stream broke off: what there is of the items, and why there is no more."""
        number = self._number
        self._end_items("incomplete")
        self._number = number  # the ends of the items are not told
        self.response |= {"status": "failed", "error": describe_error(error), "output": self._items}
        return [self._event("failed", response=self.response)]

    def _say(self, kind: str, text: str | None, logprobs: list[dict[str, Any]] | None = None) -> list[Event]:
        if not text:
            return []
        events: list[Event] = []
        spoken = self._spoken
        if spoken is None or spoken.kind != kind:
            events = self._end_spoken("completed")
            item_id = _new_id("rs" if kind == "reasoning_text" else "msg")
            spoken = self._spoken = Spoken(self._new_place(), item_id, kind, [], [])
            events += [
                self._event("output_item.added", output_index=spoken.place, item=spoken.item("in_progress")),
                self._about(spoken, "content_part.added", content_index=0, part=spoken.part),
            ]
        spoken.pieces.append(text)
        spoken.logprobs += logprobs or []
        said = {"delta": text, "logprobs": logprobs or []} if kind == "output_text" else {"delta": text}
        return [*events, self._about(spoken, f"{kind}.delta", content_index=0, **said)]

    def _call(self, index: int, fragment: Fragment) -> list[Event]:
        function = fragment.function or Function()
        called = self._called.get(index)
        events: list[Event] = []
        # Some servers count every call as the first: another id is another call.
        if called is None or (fragment.id and function.name and fragment.id != called.call_id):
            if called is not None:
                self._called[-1 - called.place] = called
            events = self._end_spoken("completed")
            tool = self._toolbox.find(function.name or "")
            prefix = "ctc" if tool.is_custom else "fc"
            called = Called(self._new_place(), _new_id(prefix), fragment.id or _new_id("call"), tool, [])
            self._called[index] = called
            events.append(self._event("output_item.added", output_index=called.place, item=called.item("in_progress")))
        if arguments := function.arguments:
            piece = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
            called.pieces.append(piece)
            if not called.tool.is_custom:  # whose text is known when its JSON has come to its end
                events.append(self._about(called, "function_call_arguments.delta", delta=piece))
        return events

    def _end_items(self, status: str) -> list[Event]:
        events = self._end_spoken(status)
        for called in sorted(self._called.values(), key=lambda one: one.place):
            item = called.item(status)
            if called.tool.is_custom:
                text = item["input"]
                events += [
                    self._about(called, "custom_tool_call_input.delta", delta=text),
                    self._about(called, "custom_tool_call_input.done", input=text),
                ]
            else:
                done = {"arguments": called.arguments, "name": called.tool.name}
                events.append(self._about(called, "function_call_arguments.done", **done))
            events.append(self._end_item(called.place, item))
        self._called.clear()
        return events

    def _end_spoken(self, status: str) -> list[Event]:
        spoken, self._spoken = self._spoken, None
        if spoken is None:
            return []
        part = spoken.part
        said = {name: value for name, value in part.items() if name in ("text", "refusal", "logprobs")}
        return [
            self._about(spoken, f"{spoken.kind}.done", content_index=0, **said),
            self._about(spoken, "content_part.done", content_index=0, part=part),
            self._end_item(spoken.place, spoken.item(status)),
        ]

    def _end_item(self, place: int, item: dict[str, Any]) -> Event:
        self._items[place] = item
        return self._event("output_item.done", output_index=place, item=item)

    def _new_place(self) -> int:
        self._items.append({})
        return len(self._items) - 1

    def _about(self, item: Spoken | Called, kind: str, **fields: Any) -> Event:
        return self._event(kind, item_id=item.id, output_index=item.place, **fields)

    def _event(self, kind: str, **fields: Any) -> Event:
        self._number += 1
        return {"type": f"response.{kind}", "sequence_number": self._number, **fields}


def describe_usage(usage: Usage) -> dict[str, Any]:
    """The object's `usage`."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def describe_error(error: GatewayError) -> dict[str, Any]:
    """The object's `error`."""
    return {"code": _ERROR_CODES.get(error.code, "server_error"), "message": error.message, "type": error.code}


def encode(events: list[Event]) -> list[bytes]:
    return [msgspec.json.encode(event) for event in events]


def _value(value: Any, default: Any) -> Any:
    return default if value is None else value


def _new_id(prefix: str) -> str:
    return f"{prefix}_{uuid4().hex}"
