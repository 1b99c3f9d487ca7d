"""Responses that a client asked for itself: sent as it wrote them, answered as they come.

Nothing is stored at OpenAI's, where it would be kept under our account.
https://platform.openai.com/docs/api-reference/responses and …/responses-streaming
"""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.openai_compatible.wire import JSON, Upstream
from gateway.providers.sse import EventReader

PATH = "/responses"
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILURES = frozenset({"response.failed", "error"})
# Nothing is stored: without it the next turn could not hand the model its thoughts back. All models of the catalogue
# reason; one that did not would refuse it.
_THOUGHTS = "reasoning.encrypted_content"


class _Event(Struct):
    type: str


_decode_event = msgspec.json.Decoder(_Event).decode


async def respond(upstream: Upstream, body: dict[str, Any]) -> dict[str, Any]:
    response = upstream.decode(await upstream.fetch(PATH, JSON, _encode(upstream, body, stream=False)))
    if response.get("status") not in ("completed", "incomplete"):
        raise _failure(upstream, response)
    return response


async def stream(upstream: Upstream, body: dict[str, Any]) -> AsyncGenerator[list[bytes], None]:
    response = await upstream.send(PATH, JSON, _encode(upstream, body, stream=True))
    try:
        await upstream.expect_stream(response)
        reader = EventReader()
        async for piece in response:
            events, error, ended = _read(upstream, reader.feed(piece))
            if ended:
                response.finish()
            if events:
                yield events
            if error is not None:
                raise error
            if ended:
                return
        events, error, ended = _read(upstream, reader.end())
        if events:
            yield events
        if not ended:
            raise error or ProviderError(ProviderFault.BROKEN, "the stream ended before the response did")
    finally:
        response.close()


def _encode(upstream: Upstream, body: dict[str, Any], *, stream: bool) -> bytes:
    asked = {**body, "model": upstream.deployment.upstream, "store": False, "stream": stream}
    included = body.get("include") or []
    asked["include"] = included if _THOUGHTS in included else [*included, _THOUGHTS]
    spec = upstream.deployment.model.chat
    if spec is not None and spec.reasoning_effort:
        asked["reasoning"] = {"effort": spec.reasoning_effort, **(body.get("reasoning") or {})}
    if not stream:
        asked.pop("stream_options", None)
    return msgspec.json.encode(asked)


def _read(upstream: Upstream, payloads: list[bytes]) -> tuple[list[bytes], ProviderError | None, bool]:
    """The events to pass on, the error that comes after them, and whether the last of them is the response's end."""
    events: list[bytes] = []
    for payload in payloads:
        if payload == b"[DONE]":
            continue
        try:
            kind = _decode_event(payload).type
        except msgspec.DecodeError as error:
            return events, ProviderError(ProviderFault.BROKEN, f"an event that is none: {error}"), False
        if kind in _FAILURES:
            return events, _failure(upstream, msgspec.json.decode(payload)), False
        events.append(payload)
        if kind in _ENDS:
            return events, None, True
    return events, None, False


def _failure(upstream: Upstream, told: dict[str, Any]) -> ProviderError:
    """An event `error` has its fields at the top or in an `error`, a failed response in its `error`."""
    response = told.get("response")
    error = (response if isinstance(response, dict) else told).get("error") or told
    return upstream.find_error({"error": error}) or ProviderError(ProviderFault.BROKEN, "the response failed")
