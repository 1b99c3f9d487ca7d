"""Chat completions."""

import re
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.pricing import estimate_tokens
from gateway.providers.base import Deployment
from gateway.providers.openai_compatible.wire import JSON, OUR_FIELDS, Upstream
from gateway.providers.sse import EventReader
from gateway.tokens import count_choices, read_usage
from gateway.types import ChatAnswer, ChatRequest, Usage

# A delta with words in it. Quotes in the model's own words are escaped.
_WRITES = re.compile(rb'"(?:content|reasoning_content|refusal|arguments)": ?"[^"]')


async def complete(upstream: Upstream, request: ChatRequest) -> ChatAnswer:
    body = _body(upstream.deployment, request)
    body.pop("stream", None)
    body.pop("stream_options", None)
    answer = upstream.decode(await upstream.fetch("/chat/completions", JSON, msgspec.json.encode(body)))
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise ProviderError(ProviderFault.BROKEN, "an answer without choices", of_this_request=True)
    if all(_is_filtered(choice) for choice in choices) and not _count_output(choices):
        raise _filtered()
    usage = read_usage(answer.get("usage"))
    if usage is None:
        usage = Usage(request.input_tokens, _count_output(choices), reported=False)
    elif upstream.deployment.replica is not None and len(choices) > 1:
        usage = count_choices(usage, _count_output(choices))
    return ChatAnswer(answer, usage)


async def stream(upstream: Upstream, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
    body = _body(upstream.deployment, request)
    options = body.get("stream_options")
    body["stream"] = True
    body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    response = await upstream.send("/chat/completions", JSON, msgspec.json.encode(body))
    try:
        await upstream.expect_stream(response)
        events = EventReader()
        finished = written = False
        async for piece in response:
            chunks = events.feed(piece)
            done = b"[DONE]" in chunks
            if done:
                del chunks[chunks.index(b"[DONE]") :]
                response.finish()
            if chunks:
                error = _find_error(upstream, chunks)
                finished = finished or _has_finish_reason(chunks)
                written = written or any(_WRITES.search(chunk) for chunk in chunks)
                if finished and not written and any(b'"content_filter' in chunk for chunk in chunks):
                    raise _filtered()
                if chunks:
                    yield chunks
                if error is not None:
                    raise error
            if done:
                return
        # No [DONE]. What matters is whether the model had come to its end.
        chunks = [chunk for chunk in events.end() if chunk != b"[DONE]"]
        error = _find_error(upstream, chunks)
        if chunks:
            yield chunks
        if error is not None:
            raise error
        if not finished and not _has_finish_reason(chunks):
            raise ProviderError(ProviderFault.BROKEN, "the stream ended before the completion did")
    finally:
        response.close()


def _body(deployment: Deployment, request: ChatRequest) -> dict[str, Any]:
    spec = deployment.model.chat
    assert spec is not None, "a chat is sent to chat models only"
    body = {name: value for name, value in request.body.items() if name not in OUR_FIELDS and name not in spec.ignores}
    body["model"] = deployment.upstream
    body["messages"] = request.messages
    if spec.system_prompt and not any(message.get("role") in {"system", "developer"} for message in request.messages):
        body["messages"] = [{"role": "system", "content": spec.system_prompt}, *request.messages]
    # Servers refuse both spellings together, and OpenAI's newer models the older one.
    body.pop("max_tokens", None)
    body.pop("max_completion_tokens", None)
    limit = request.max_tokens or spec.default_output
    if limit is not None:
        # A vendor says itself what is too much; a server of one's own would write until its context is full.
        body[spec.max_tokens_field] = limit if deployment.replica is None else min(limit, spec.max_output)
    if deployment.slot is not None:
        # Fields of llama.cpp's own: tools/server/README.md there.
        body["id_slot"] = deployment.slot
        body["cache_prompt"] = True
    if spec.reasoning_effort and body.get("reasoning_effort") is None:
        body["reasoning_effort"] = spec.reasoning_effort
    return body


def _count_output(choices: list[Any]) -> int:
    """Our own count of what the model wrote."""
    size = 0
    for choice in choices:
        message = choice.get("message") if isinstance(choice, dict) else None
        if isinstance(message, dict):
            written = [message.get(name) for name in ("content", "reasoning_content", "refusal")]
            size += sum(len(text.encode(errors="replace")) for text in written if isinstance(text, str))
            size += len(msgspec.json.encode(message["tool_calls"])) if message.get("tool_calls") else 0
    return estimate_tokens(size)


def _is_filtered(choice: Any) -> bool:
    # Some vendors say more: `content_filter: SAFETY`.
    return isinstance(choice, dict) and str(choice.get("finish_reason")).startswith("content_filter")


def _filtered() -> ProviderError:
    """A refusal that comes as an answer without words. One that was cut in the middle is an answer."""
    return ProviderError(ProviderFault.CONTENT_POLICY, "the answer was filtered")


def _find_error(upstream: Upstream, chunks: list[bytes]) -> ProviderError | None:
    """The error that one of the chunks is, or tells of; `chunks` then ends before it."""
    together = b"\n".join([b"", *chunks])
    # Quotes in the model's own words are escaped, so that these are names or whole values.
    if b'"error"' not in together and together.count(b"\n{") == len(chunks) <= together.count(b'"choices"'):
        return None
    for index, chunk in enumerate(chunks):
        if b'"error"' in chunk or b'"choices"' not in chunk or not chunk.startswith(b"{"):
            try:
                upstream.decode(chunk)
            except ProviderError as error:
                del chunks[index:]
                return error
    return None


def _has_finish_reason(chunks: list[bytes]) -> bool:
    return any(b'"finish_reason":"' in chunk or b'"finish_reason": "' in chunk for chunk in reversed(chunks))
