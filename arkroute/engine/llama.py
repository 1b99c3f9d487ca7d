"""llama.cpp's own HTTP servers, in this process, each on a loopback port that the system chooses.

While one loads, no other thread of Python runs. The number of threads is llama.cpp's default, one for each physical
core. The API that they speak: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

import secrets
from pathlib import Path

import xllamacpp

from gateway.providers.http import Response, pool

# Four answers at once, each with a context of 4,096 tokens (llama.cpp divides the whole among the slots): a chat of a
# few turns fits, and the process stays near 500 MB. The model itself was trained on 8,192.
CHAT_SLOTS = 4
CHAT_CONTEXT_TOKENS = CHAT_SLOTS * 4096
# Prompts that lost their slot are kept in memory up to here. llama.cpp's own default is 8 GiB.
PROMPT_CACHE_MIB = 256
# Texts at once, and the longest that MiniLM can read.
EMBEDDING_SLOTS = 8
EMBEDDING_TOKENS = 512
# A text is looked at as a whole, so that a physical batch has to hold it, and a logical batch must not be larger than a
# physical one: llama.cpp aborts.
EMBEDDING_BATCH = 2 * EMBEDDING_TOKENS
# Errors alone: warnings come with ordinary requests, and 3 tells of every one.
VERBOSITY = 1
# Seconds of silence after which an answer is given up. Whoever asks has a shorter patience, and hangs up.
PATIENCE = 3600.0


class Llama:
    """A running server, until the object is destroyed, which waits for the answers in progress.

    Raises `RuntimeError` where the file is no model; llama.cpp has written the reason to stderr.
    """

    def __init__(self, params: xllamacpp.CommonParams, model: Path, name: str) -> None:
        # Nobody but the front gets in, not even who guesses the port.
        key = secrets.token_urlsafe()
        params.model.path = str(model)
        params.model_alias = {name}
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [key]
        params.ui = False
        params.cors_origins = ""
        params.verbosity = VERBOSITY
        self._server = xllamacpp.Server(params)
        self._url = self._server.listening_address
        self._headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {key}".encode())]

    async def ask(self, method: str, path: str, body: bytes = b"") -> Response:
        """Its answer, as soon as the head is there. Raises `ProviderError`."""
        return await pool().request(
            method,
            self._url + path,
            headers=self._headers,
            body=body,
            first_byte_timeout=PATIENCE,
            idle_timeout=PATIENCE,
        )


def load_chat(model: Path, name: str, prompt_cache_mib: int) -> Llama:
    """A server of chat completions. With a `prompt_cache_mib` of 0, a prompt that lost its slot is forgotten."""
    params = xllamacpp.CommonParams()
    params.n_parallel = CHAT_SLOTS
    params.n_ctx = CHAT_CONTEXT_TOKENS
    params.cache_ram_mib = prompt_cache_mib
    return Llama(params, model, name)


def load_embedding(model: Path, name: str) -> Llama:
    """A server of embeddings: the mean of a text's tokens, with a length of 1."""
    params = xllamacpp.CommonParams()
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.n_parallel = EMBEDDING_SLOTS
    params.n_ctx = EMBEDDING_SLOTS * EMBEDDING_TOKENS
    params.n_batch = params.n_ubatch = EMBEDDING_BATCH
    params.cache_ram_mib = 0
    return Llama(params, model, name)
