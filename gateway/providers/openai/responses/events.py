"""The events of a streamed response as the chunks of a chat.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import Any

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.openai.responses.answer import (
    BETWEEN_MESSAGES,
    chat_usage,
    completion_head,
    finish_reason,
    is_filtered,
    open_call,
)
from gateway.providers.openai_compatible.wire import Upstream


class Chunks:
    """Turns events into chunks. `finished` once the response is whole; `error` is what it failed by, to be raised
    after the chunks before it.

    The chunk that opens a choice comes with its first words: a response that fails before them is still another
    deployment's chance.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.finished = False
        self.error: ProviderError | None = None
        self._upstream = upstream
        self._head: dict[str, Any] = completion_head({})
        self._begun = False
        self._message: Any = None  # the place in the output of the message that was last written of
        self._calls: dict[Any, int] = {}  # places in the output, and in the list of calls

    def take(self, payload: bytes) -> list[bytes]:
        """The chunks that an event makes."""
        if payload == b"[DONE]" or self.error is not None:
            return []
        try:
            event = self._upstream.decode(payload)
            return [msgspec.json.encode(chunk) for chunk in self._read(event)]
        except ProviderError as error:
            self.error = error
            return []

    def _read(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        place, delta = event.get("output_index"), event.get("delta")
        match event.get("type"):
            case "response.created":
                self._head = completion_head(_response(event))
            case "response.output_text.delta" if isinstance(delta, str):
                if self._message is not None and place != self._message:
                    delta = BETWEEN_MESSAGES + delta
                self._message = place
                return [self._chunk({"content": delta}, logprobs=event.get("logprobs"))]
            case "response.refusal.delta":
                return [self._chunk({"refusal": delta})]
            case "response.output_item.added":
                return self._open_call(event.get("item"), place)
            case "response.function_call_arguments.delta" if place in self._calls:
                return [self._chunk(self._call(place, {"function": {"arguments": delta}}))]
            case "response.custom_tool_call_input.delta" if place in self._calls:
                return [self._chunk(self._call(place, {"custom": {"input": delta}}))]
            case "response.completed" | "response.incomplete":
                return self._finish(_response(event))
            case "response.failed" | "error":
                raise self._failure(event)
        return []

    def _open_call(self, item: Any, place: Any) -> list[dict[str, Any]]:
        if not isinstance(item, dict) or item.get("type") not in ("function_call", "custom_tool_call"):
            return []
        self._calls[place] = len(self._calls)
        return [self._chunk(self._call(place, open_call(item)))]

    def _call(self, place: Any, fields: dict[str, Any]) -> dict[str, Any]:
        return {"tool_calls": [{"index": self._calls[place], **fields}]}

    def _finish(self, response: dict[str, Any]) -> list[dict[str, Any]]:
        if is_filtered(response) and not self._begun:
            raise ProviderError(ProviderFault.CONTENT_POLICY, "the answer was filtered")
        self.finished = True
        last = self._chunk({}, finish_reason(response, calls=bool(self._calls)))
        usage = chat_usage(response)
        return [last, {**last, "choices": [], "usage": usage}] if usage else [last]

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> dict[str, Any]:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", "content": "" if "content" in delta else None, **delta}
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
            "finish_reason": finish,
        }
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    def _failure(self, event: dict[str, Any]) -> ProviderError:
        """An event `error` has its fields at the top, a failed response an `error` of its own, which may be null."""
        response = event.get("response")
        error = response.get("error") if isinstance(response, dict) else event
        found = self._upstream.find_error({"error": error}) if isinstance(error, dict) else None
        return found or ProviderError(ProviderFault.BROKEN, "the response failed")


def _response(event: dict[str, Any]) -> dict[str, Any]:
    response = event.get("response")
    return response if isinstance(response, dict) else {}
