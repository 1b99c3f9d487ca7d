"""Embeddings."""

import sys
from array import array
from base64 import b64decode
from typing import Any

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.openai_compatible.wire import JSON, OUR_FIELDS, Upstream
from gateway.tokens import read_usage
from gateway.types import EmbeddingAnswer, EmbeddingRequest, Usage


async def embed(upstream: Upstream, request: EmbeddingRequest) -> EmbeddingAnswer:
    deployment = upstream.deployment
    spec = deployment.model.embedding
    assert spec is not None, "texts are sent to embedding models only"
    # Floats are what every server can do; the few that answer in base64 all the same are understood.
    body = {name: value for name, value in request.body.items() if name not in OUR_FIELDS and name not in spec.ignores}
    if deployment.replica is not None:
        # Servers of one's own refuse them or do without; the flow shortens.
        body.pop("dimensions", None)
    body |= {"model": deployment.upstream, "input": request.inputs, "encoding_format": "float"}
    content = await upstream.fetch("/embeddings", JSON, msgspec.json.encode(body))
    try:
        answer = _decode_embeddings(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        upstream.decode(content)  # says more where it is an error or no JSON
        raise ProviderError(ProviderFault.BROKEN, "an answer without embeddings") from None
    rows = answer.data
    if len(rows) != len(request.inputs):
        raise ProviderError(ProviderFault.BROKEN, f"{len(rows)} embeddings for {len(request.inputs)} inputs")
    if sorted(row.index for row in rows) == list(range(len(rows))):
        rows = sorted(rows, key=lambda row: row.index)
    usage = read_usage(answer.usage) or Usage(request.input_tokens, reported=False)
    return EmbeddingAnswer([_vector(row.embedding) for row in rows], usage)


class _Row(msgspec.Struct):
    embedding: list[float] | str
    index: int = 0


class _Embeddings(msgspec.Struct):
    data: list[_Row]
    usage: Any = None


_decode_embeddings = msgspec.json.Decoder(_Embeddings).decode


def _vector(embedding: list[float] | str) -> list[float]:
    """Base64 is of little-endian 32-bit floats."""
    if isinstance(embedding, str):
        try:
            numbers = array("f", b64decode(embedding, validate=True))
        except ValueError:
            raise ProviderError(ProviderFault.BROKEN, "an embedding that is no base64") from None
        if sys.byteorder == "big":
            numbers.byteswap()
        embedding = numbers.tolist()
    if not embedding:
        raise ProviderError(ProviderFault.BROKEN, "an empty embedding")
    return embedding
