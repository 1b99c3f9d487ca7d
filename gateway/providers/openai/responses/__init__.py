"""Chats with models that OpenAI serves by its Responses API alone: what is asked and answered, in the words of both.

https://platform.openai.com/docs/guides/migrate-to-responses tells how the two correspond.
"""

from collections.abc import AsyncGenerator

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.pricing import estimate_tokens
from gateway.providers.openai.responses.answer import read_response
from gateway.providers.openai.responses.events import Chunks
from gateway.providers.openai.responses.request import write_request
from gateway.providers.openai_compatible.wire import JSON, Upstream
from gateway.providers.sse import EventReader
from gateway.tokens import read_usage
from gateway.types import ChatAnswer, ChatRequest, Usage

PATH = "/responses"
# Padding against those who watch the line would not survive the translation.
STREAMED = {"stream": True, "stream_options": {"include_obfuscation": False}}


async def complete(upstream: Upstream, request: ChatRequest) -> ChatAnswer:
    body = msgspec.json.encode(write_request(upstream.deployment, request))
    response = upstream.decode(await upstream.fetch(PATH, JSON, body))
    completion = read_response(response)
    usage = read_usage(response.get("usage"))
    if usage is None:
        written = msgspec.json.encode(completion["choices"][0]["message"])
        usage = Usage(request.input_tokens, estimate_tokens(len(written)), reported=False)
    return ChatAnswer(completion, usage)


async def stream(upstream: Upstream, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
    body = write_request(upstream.deployment, request) | STREAMED
    response = await upstream.send(PATH, JSON, msgspec.json.encode(body))
    try:
        await upstream.expect_stream(response)
        events, chunks = EventReader(), Chunks(upstream)
        async for piece in response:
            arrived = [chunk for event in events.feed(piece) for chunk in chunks.take(event)]
            if chunks.finished:
                response.finish()
            if arrived:
                yield arrived
            if chunks.error is not None:
                raise chunks.error
            if chunks.finished:
                return
        if arrived := [chunk for event in events.end() for chunk in chunks.take(event)]:
            yield arrived
        if chunks.error is not None:
            raise chunks.error
        if not chunks.finished:
            raise ProviderError(ProviderFault.BROKEN, "the stream ended before the response did")
    finally:
        response.close()
