"""`POST /v1/embeddings`: llama.cpp's answer; only what it says to a text that is far too long is said differently."""

import re

import msgspec

from arkroute.engine.exchange import Exchange
from arkroute.engine.llama import EMBEDDING_TOKENS, Llama
from arkroute.engine.relay import relay

PATH = "/v1/embeddings"
# Its words, with a 500, for a text that a batch cannot hold. A shorter one it refuses as it should.
_TOO_LARGE = re.compile(rb"input \((\d+) tokens\) is too large to process")


class Embeddings:
    def __init__(self, llama: Llama) -> None:
        self._llama = llama

    async def answer(self, exchange: Exchange, content: bytes) -> None:
        response = await self._llama.ask("POST", PATH, content)
        if response.status != 500:
            await relay(exchange, response)
            return
        error = await response.read()
        found = _TOO_LARGE.search(error)
        if found is None:
            await exchange.answer(500, error)
        else:
            await exchange.answer(400, _too_long(int(found[1])))


def _too_long(tokens: int) -> bytes:
    """As llama.cpp says it of a shorter one."""
    error = {
        "code": 400,
        "message": f"input ({tokens} tokens) is larger than the max context size ({EMBEDDING_TOKENS} tokens)",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": EMBEDDING_TOKENS,
    }
    return msgspec.json.encode({"error": error})
