"""`sandbox-embedding`: a vector made from the hash of the text. Equal texts are equal; nothing else is meant by it."""

import asyncio
import struct
from hashlib import shake_256
from math import sqrt

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.sandbox import tokens
from gateway.providers.sandbox.orders import obey
from gateway.types import EmbeddingAnswer, EmbeddingRequest, Usage

DIMENSIONS = 256
# Standing in for another model, it makes as many as that one may be asked for.
STAND_IN_DIMENSIONS = 8192
# Vectors made between two pauses of the event loop.
BATCH = 64


async def embed(deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
    """Vectors of length one. Raises `ProviderError` for dimensions outside 1 to 256, and what a text asks for."""
    await obey("\n".join(text for text in request.inputs if isinstance(text, str)), "input")
    dimensions = request.dimensions or DIMENSIONS
    most = STAND_IN_DIMENSIONS if deployment.stand_in else DIMENSIONS
    if not 1 <= dimensions <= most:
        message = f"`dimensions` must be 1 to {most} for `{request.model}`."
        raise ProviderError(ProviderFault.BAD_REQUEST, message, param="dimensions")
    vectors, counted = [], 0
    for index, item in enumerate(request.inputs):
        if index % BATCH == BATCH - 1:
            await asyncio.sleep(0)
        text = item if isinstance(item, str) else None
        counted += len(item) if text is None else tokens.count(text)
        vectors.append(_vector(f"tokens:{item}" if text is None else f"text:{text}", dimensions))
    return EmbeddingAnswer(vectors=vectors, usage=Usage(input_tokens=counted))


def _vector(seed: str, dimensions: int) -> list[float]:
    raw = struct.unpack(f"<{dimensions}i", shake_256(seed.encode()).digest(4 * dimensions))
    length = sqrt(sum(value * value for value in raw)) or 1.0
    return [value / length for value in raw]
