"""What of a stream passes through to the client, and what it amounts to."""

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct

from billing.amounts import credits_number
from gateway.errors import ProviderError, ProviderFault
from gateway.pricing import estimate_tokens
from gateway.tokens import count_choices, read_usage
from gateway.types import ChatRequest, Usage


class _Delta(Struct):
    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class _Choice(Struct):
    delta: _Delta | None = None
    index: int = 0


class _Chunk(Struct):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class Delivery:
    """Reads the chunks' usage, counts their text, renames their model.

    Chunks are passed on as the bytes that came; only the model's name in them is replaced by the one asked for.
    `recounts`: the provider's count of several answers is not taken for granted.
    """

    def __init__(self, request: ChatRequest, *, recounts: bool = False) -> None:
        self._request = request
        self._recounts = recounts
        self._name = msgspec.json.encode(request.model)
        self._reported: Usage | None = None
        self._usage: dict[str, Any] = {}  # as the provider wrote it
        self._last = b"{}"
        self._text_bytes = 0
        self._begun: set[int] = set()  # the choices

    def take(self, chunks: list[bytes]) -> list[bytes]:
        """The chunks as the client sees them: usage is kept back."""
        visible = []
        for payload in chunks:
            try:
                chunk = _decode_chunk(payload)
            except msgspec.DecodeError as error:
                raise ProviderError(ProviderFault.BROKEN, f"a chunk that is none: {error}") from None
            roleless = self._count(chunk)
            has_usage = bool(chunk.usage) and chunk.usage != b"null"
            if has_usage:
                self._keep_usage(chunk.usage)
                self._last = payload
                if not chunk.choices:
                    continue
            if has_usage or roleless:
                visible.append(self._rewritten(payload, roleless))
            else:
                visible.append(self._renamed(payload, chunk.model))
        if visible and not self._usage:
            self._last = visible[-1]
        return visible

    @property
    def anything(self) -> bool:
        """Whether the client got some of the model's work; the opening chunk, which is empty, is none."""
        return self._text_bytes > 0 or (self._reported is not None and self._reported.output_tokens > 0)

    @property
    def usage(self) -> Usage:
        """The provider's count; where it told none, ours: UTF-8 bytes / 3, rounded up."""
        if self._reported is None:
            return Usage(self._request.input_tokens, estimate_tokens(self._text_bytes), reported=False)
        if not self._recounts:
            return self._reported
        return count_choices(self._reported, estimate_tokens(self._text_bytes))

    def end(self, usage: Usage, charged: int) -> list[bytes]:
        """For a client that asked for usage one more chunk: what the provider said, and the `credits` charged."""
        if not self._request.include_usage:
            return []
        last = msgspec.json.decode(self._last)
        counts = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
        chunk = {
            **last,
            "model": self._request.model,
            "choices": [],
            "usage": {**self._usage, **counts, "credits": credits_number(charged)},
        }
        return [msgspec.json.encode(chunk)]

    def _count(self, chunk: _Chunk) -> set[int]:
        """Counts the chunk's text. Returns the choices that begin with it and do not name their role."""
        roleless = set()
        for choice in chunk.choices or ():
            if choice.delta is not None:
                self._text_bytes += _text_bytes(choice.delta)
                if choice.index not in self._begun:
                    self._begun.add(choice.index)
                    if choice.delta.role is None:
                        roleless.add(choice.index)
        return roleless

    def _keep_usage(self, raw: bytes) -> None:
        """Keeps a count that makes sense; of another, ours takes the place."""
        usage = msgspec.json.decode(raw)
        if (reported := read_usage(usage)) is not None:
            self._reported, self._usage = reported, usage

    def _renamed(self, payload: bytes, model: str | None) -> bytes:
        if not model or model == self._request.model:
            return payload
        name = msgspec.json.encode(model)
        for key in (b'"model":', b'"model": '):
            if key + name in payload:
                return payload.replace(key + name, key + self._name, 1)
        return self._rewritten(payload)

    def _rewritten(self, payload: bytes, roleless: Collection[int] = ()) -> bytes:
        """Without usage, and with the role that clients expect where a choice begins: llama.cpp loses it at times."""
        chunk = msgspec.json.decode(payload)
        chunk.pop("usage", None)
        chunk["model"] = self._request.model
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) in roleless:
                choice["delta"] = {"role": "assistant", **choice["delta"]}
        return msgspec.json.encode(chunk)


def _text_bytes(delta: _Delta) -> int:
    size = 0 if delta.tool_calls == b"null" else len(delta.tool_calls)
    for text in (delta.content, delta.reasoning_content, delta.refusal):
        if text:
            size += len(text) if text.isascii() else len(text.encode())
    return size
