"""Chat, by Google's endpoint in OpenAI's shape: https://ai.google.dev/gemini-api/docs/openai

It differs where Google withholds an answer. `finish_reason` then is `content_filter: PROHIBITED_CONTENT` (or another of
`generateContent`'s reasons), and the choice may lack its `message` or `delta`. Google documents neither; users report
both of blocked prompts. And thoughts are counted in the total of tokens alone.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.providers.base import Deployment
from gateway.providers.google.errors import ERRORS
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.types import ChatAnswer, ChatRequest

_openai = OpenAICompatible(ERRORS)
WITHHELD = "content_filter"


async def complete(deployment: Deployment, request: ChatRequest) -> ChatAnswer:
    answer = await _openai.chat(_compatible(deployment), request)
    for choice in answer.body["choices"]:
        _mend(choice, "message", {"role": "assistant", "content": None})
    usage = answer.body.get("usage")
    if isinstance(usage, dict) and answer.usage.reported:
        usage["completion_tokens"] = answer.usage.output_tokens
    return answer


async def stream(deployment: Deployment, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
    async with aclosing(_openai.stream_chat(_compatible(deployment), request)) as arriving:
        async for chunks in arriving:
            yield [_mended(chunk) for chunk in chunks]


def _compatible(deployment: Deployment) -> Deployment:
    return replace(deployment, base_url=f"{deployment.base_url}/openai")


def _mended(chunk: bytes) -> bytes:
    """The chunk as OpenAI would have it."""
    # Quotes in the model's own words are escaped, so that this is the value of a field.
    if b'"content_filter' not in chunk:
        return chunk
    read = msgspec.json.decode(chunk)
    choices = read.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        _mend(choice, "delta", {})
    return msgspec.json.encode(read)


def _mend(choice: Any, name: str, empty: dict[str, Any]) -> None:
    if isinstance(choice, dict) and str(choice.get("finish_reason")).startswith(WITHHELD):
        choice["finish_reason"] = WITHHELD
        choice.setdefault(name, empty)
