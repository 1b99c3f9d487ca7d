"""The engine: llama.cpp's own OpenAI-compatible server, in this process, on loopback.

To the gateway it is one more self-hosted replica: what vLLM, SGLang, llama.cpp or Ollama servers are in production.
"""

import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import xllamacpp

# The name that the catalogue knows it by.
MODEL_NAME = "smollm2-135m-instruct"
# Four answers at once, each with a context of 4,096 tokens (llama.cpp divides the whole among the slots): a chat of a
# few turns fits, and the process stays near 500 MB. The model itself was trained on 8,192.
SLOTS = 4
CONTEXT_TOKENS = SLOTS * 4096
# Prompts that lost their slot are kept in memory up to here. llama.cpp's own default is 8 GiB.
PROMPT_CACHE_MIB = 256
# Errors alone: warnings come with ordinary requests, and 3 tells of every one.
VERBOSITY = 1


def load(model: Path, port: int) -> xllamacpp.Server:
    """A server that answers on `http://127.0.0.1:<port>`: `/v1/chat/completions`, `/v1/models`, `/health`.

    Raises `RuntimeError` where the port is taken or the file is no model; llama.cpp has written the reason to stderr.
    The number of threads is llama.cpp's default, one for each physical core.
    """
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {MODEL_NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = SLOTS
    params.n_ctx = CONTEXT_TOKENS
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.ui = False
    params.cors_origins = ""  # a page in the user's browser has no business here
    params.verbosity = VERBOSITY
    return xllamacpp.Server(params)


def serve(model: Path, port: int) -> NoReturn:
    """Loads the model and answers until SIGTERM or SIGINT, which end the process at once with exit status 0."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    server = load(model, port)
    print(f"The engine is ready on {server.listening_address} ({model.name})", flush=True)
    while True:
        # Not signal.pause: a signal that one of llama.cpp's threads took would wait for another to wake this one.
        time.sleep(0.5)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    # Not sys.exit: the server's destructor would wait for the answers in progress.
    os._exit(0)
