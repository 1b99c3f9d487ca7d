"""Embeddings: hold, ask, settle, answer."""

import base64
import struct
from typing import Any

from gateway.call import Call
from gateway.catalog import get_model
from gateway.charge import charging
from gateway.errors import InvalidValue
from gateway.pricing import quote
from gateway.providers.base import EmbeddingProvider
from gateway.providers.registry import get_provider
from gateway.routing.deployments import find_deployments
from gateway.routing.execute import execute
from gateway.types import EmbeddingRequest


async def embed(call: Call, request: EmbeddingRequest) -> dict[str, Any]:
    """OpenAI's list of embeddings, as floats or as base64 of little-endian float32."""
    model = get_model(request.model)
    spec = model.embedding
    if spec is None:
        raise InvalidValue(
            f"`{request.model}` is no embedding model. Choose a model of type `embedding` from GET /v1/models.",
            param="model",
        )
    if request.dimensions is not None and not (request.dimensions == spec.dimensions or spec.shortens):
        raise InvalidValue(f"`{request.model}` has {spec.dimensions} dimensions and no others.", param="dimensions")
    if request.dimensions is not None and request.dimensions > spec.dimensions:
        raise InvalidValue(f"`dimensions` is at most {spec.dimensions} for `{request.model}`.", param="dimensions")
    if len(request.inputs) > spec.max_inputs:
        raise InvalidValue(f"`{request.model}` takes {spec.max_inputs} inputs at once.", param="input")
    if not spec.token_arrays and not isinstance(request.inputs[0], str):
        raise InvalidValue(f"`{request.model}` takes texts, not arrays of tokens.", param="input")
    deployments = find_deployments(model)
    async with charging(call, quote(model, request)) as charge:
        answer = await execute(
            call,
            deployments,
            lambda deployment: _provider(deployment.provider).embed(deployment, request),
        )
        await charge.capture(answer.usage)
    render = _as_base64 if request.base64 else list
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": render(vector)}
            for index, vector in enumerate(answer.vectors)
        ],
        "model": request.model,
        "usage": {"prompt_tokens": answer.usage.input_tokens, "total_tokens": answer.usage.input_tokens},
    }


def _as_base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _provider(name: str) -> EmbeddingProvider:
    return get_provider(name)
