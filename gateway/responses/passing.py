"""A stream of OpenAI's own: what of its events passes through to the client, and what they amount to."""

from typing import Any

import msgspec
from msgspec import Struct

from billing.amounts import credits_number
from gateway.errors import GatewayError, ProviderError, ProviderFault
from gateway.pricing import estimate_tokens
from gateway.responses.output import describe_error, describe_usage
from gateway.tokens import read_usage
from gateway.types import ChatRequest, Usage

# What comes before the model's work. It waits for the first of that: a response that fails before is still another
# deployment's chance.
OPENINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
# The last event of a stream that came to its end.
ENDS = frozenset({"response.completed", "response.incomplete"})
# What the model wrote, of an item: words, thoughts, arguments.
_WRITTEN = ("text", "refusal", "arguments", "input")


class _Event(Struct):
    type: str
    sequence_number: int = 0
    delta: Any = None
    response: msgspec.Raw = msgspec.Raw()


_decode_event = msgspec.json.Decoder(_Event).decode


class PassedThrough:
    """Reads the events' usage, counts their text, renames the model. The last event waits for the bill."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._response: dict[str, Any] = {}
        self._ending = _Event("response.completed")
        self._opening: list[bytes] | None = []
        self._number = 0
        self._text_bytes = 0

    @property
    def anything(self) -> bool:
        return self._text_bytes > 0 or self.usage.reported

    @property
    def usage(self) -> Usage:
        """The provider's count; where it told none, ours."""
        reported = read_usage(self._response.get("usage"))
        counted = Usage(self._request.input_tokens, estimate_tokens(self._text_bytes), reported=False)
        return reported or counted

    def take(self, payloads: list[bytes]) -> list[bytes]:
        visible = []
        for payload in payloads:
            try:
                event = _decode_event(payload)
                if isinstance(event.delta, str):
                    self._text_bytes += len(event.delta.encode(errors="replace"))
                if event.response:
                    self._response = msgspec.json.decode(event.response, type=dict)
            except msgspec.DecodeError as error:
                raise ProviderError(ProviderFault.BROKEN, f"an event that is none: {error}") from None
            self._number = event.sequence_number
            if event.type in ENDS:
                self._ending = event
            else:
                visible.append(self._told(event) if event.response else payload)
            if self._opening is not None and event.type in OPENINGS:
                self._opening.append(visible.pop())
            elif self._opening is not None:
                visible, self._opening = [*self._opening, *visible], None
        return visible

    def end(self, usage: Usage, charged: int) -> list[bytes]:
        told = self._response.get("usage") or describe_usage(usage)
        self._response["usage"] = {**told, "credits": credits_number(charged)}
        return [self._told(self._ending)]

    def fail(self, error: GatewayError) -> list[bytes]:
        self._response |= {"status": "failed", "error": describe_error(error)}
        return [self._told(_Event("response.failed", self._number + 1))]

    def _told(self, event: _Event) -> bytes:
        self._response["model"] = self._request.model
        told = {"type": event.type, "sequence_number": event.sequence_number, "response": self._response}
        return msgspec.json.encode(told)


def count_output(response: dict[str, Any]) -> int:
    """Our own count of what the model wrote."""
    size = 0
    for item in response.get("output") or ():
        for part in (item, *(item.get("content") or ())):
            texts = [part.get(name) for name in _WRITTEN]
            size += sum(len(text.encode(errors="replace")) for text in texts if isinstance(text, str))
    return estimate_tokens(size)
