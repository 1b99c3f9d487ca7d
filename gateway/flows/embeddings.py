"""Embeddings: hold, ask, settle, answer."""

import asyncio
from typing import Any

from gateway.call import Call
from gateway.catalog.schema import EmbeddingSpec
from gateway.charge import charging
from gateway.errors import InvalidValue, ProviderError, ProviderFault
from gateway.inputs import note_inputs
from gateway.limits.allowed import find_model
from gateway.prices import honoured
from gateway.pricing import quote
from gateway.providers.base import EmbeddingProvider
from gateway.providers.registry import get_provider
from gateway.requests.support import ignored_params
from gateway.routing.deployments import find_deployments
from gateway.routing.execute import execute, explain, note_failure
from gateway.types import EmbeddingRequest
from gateway.vectors import resize, shorten, to_base64

# Vectors that are made ready between two turns of the event loop: about two milliseconds.
BATCH = 64


async def embed(call: Call, request: EmbeddingRequest) -> dict[str, Any]:
    """OpenAI's list of embeddings, as floats or as base64 of little-endian float32."""
    model = find_model(call, request.model)
    spec = model.embedding
    if spec is None:
        raise InvalidValue(
            f"`{request.model}` is no embedding model. Choose a model of type `embedding` from GET /v1/models.",
            param="model",
        )
    deployments = await find_deployments(model, request)
    call.model, call.ignored_params = request.model, ignored_params(deployments[0].model, request)
    note_inputs(call, request.body)
    async with charging(call, honoured(model, lambda one: quote(one, request))) as charge:
        answer = await execute(
            call,
            deployments,
            lambda deployment: _provider(deployment.provider).embed(deployment, request),
        )
        try:
            vectors = await _made_to_fit(answer.vectors, spec, request.dimensions, stand_in=call.stand_in)
        except ProviderError as error:
            note_failure(call, error)
            raise explain(error) from error
        await charge.capture(answer.usage)
    return {
        "object": "list",
        "data": await _rows(vectors, as_base64=request.base64),
        "model": request.model,
        "usage": {"prompt_tokens": answer.usage.input_tokens, "total_tokens": answer.usage.input_tokens},
    }


async def _made_to_fit(
    vectors: list[list[float]], spec: EmbeddingSpec, asked: int | None, *, stand_in: bool
) -> list[list[float]]:
    """The vectors in the dimensions that the client counts on.

    A stand-in has others than the model in whose place it answers. Its vectors get that one's size, so that a table or
    an index made for the model itself takes them.
    """
    size = asked or (spec.dimensions if stand_in else None)
    fitting = []
    for index, vector in enumerate(vectors):
        if index % BATCH == BATCH - 1:
            await asyncio.sleep(0)
        if size is None or len(vector) == size:
            fitting.append(vector)
        elif stand_in:
            fitting.append(resize(vector, size))
        elif spec.shortens and len(vector) > size:
            fitting.append(shorten(vector, size))
        else:
            raise ProviderError(ProviderFault.BROKEN, f"{len(vector)} dimensions where {size} were asked for")
    return fitting


async def _rows(vectors: list[list[float]], *, as_base64: bool) -> list[dict[str, Any]]:
    rows = []
    for index, vector in enumerate(vectors):
        if index % BATCH == BATCH - 1:
            await asyncio.sleep(0)
        rows.append({"object": "embedding", "index": index, "embedding": to_base64(vector) if as_base64 else vector})
    return rows


def _provider(name: str) -> EmbeddingProvider:
    return get_provider(name)
