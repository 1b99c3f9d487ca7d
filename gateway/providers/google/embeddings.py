"""Embeddings, by `batchEmbedContents`: https://ai.google.dev/api/embeddings#method:-models.batchembedcontents

Asked in Google's own language: there shorter vectors and the order of many inputs are documented.
"""

from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.providers.google.wire import native, path_of
from gateway.providers.openai_compatible.wire import JSON
from gateway.types import EmbeddingAnswer, EmbeddingRequest, Usage
from gateway.vectors import shorten

# Texts in one request.
BATCH = 100


async def embed(deployment: Deployment, request: EmbeddingRequest) -> EmbeddingAnswer:
    """Batches go one after another: many at once would run into Google's limits of requests a minute."""
    spec = deployment.model.embedding
    assert spec is not None, "texts are sent to embedding models only"
    vectors: list[list[float]] = []
    counts: list[int | None] = []
    for start in range(0, len(request.inputs), BATCH):
        answer = await _ask(deployment, request.inputs[start : start + BATCH], request.dimensions)
        vectors += [row.values for row in answer.embeddings]
        counts.append(answer.usageMetadata.promptTokenCount if answer.usageMetadata else None)
    if request.dimensions is not None and request.dimensions < spec.dimensions:
        # Of what is cut off the length is missing, which OpenAI's clients expect to be 1:
        # https://ai.google.dev/gemini-api/docs/embeddings#quality-for-smaller-dimensions
        vectors = [shorten(vector, request.dimensions) for vector in vectors]
    known = [count for count in counts if count is not None and count > 0]
    if len(known) < len(counts):
        return EmbeddingAnswer(vectors, Usage(request.input_tokens, reported=False))
    return EmbeddingAnswer(vectors, Usage(sum(known)))


class _Vector(Struct):
    values: list[float]


class _Tokens(Struct):
    promptTokenCount: int | None = None


class _Embeddings(Struct):
    embeddings: list[_Vector]
    # Told by some models only.
    usageMetadata: _Tokens | None = None


_decode_embeddings = msgspec.json.Decoder(_Embeddings).decode


async def _ask(deployment: Deployment, texts: list[Any], dimensions: int | None) -> _Embeddings:
    upstream = native(deployment)
    each: dict[str, Any] = {"model": f"models/{deployment.upstream}"}
    if dimensions is not None:
        each["outputDimensionality"] = dimensions
    body = {"requests": [{**each, "content": {"parts": [{"text": text}]}} for text in texts]}
    content = await upstream.fetch(path_of(deployment, "batchEmbedContents"), JSON, msgspec.json.encode(body))
    try:
        answer = _decode_embeddings(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        upstream.decode(content)  # says more where it is an error or no JSON
        raise ProviderError(ProviderFault.BROKEN, "an answer without embeddings", status=200) from None
    if len(answer.embeddings) != len(texts) or not all(row.values for row in answer.embeddings):
        raise ProviderError(ProviderFault.BROKEN, f"{len(answer.embeddings)} embeddings for {len(texts)} inputs")
    return answer
