"""An embedding's body. Source: the OpenAI API reference, `POST /embeddings`."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.errors import InvalidType, InvalidValue
from gateway.pricing import estimate_tokens
from gateway.requests.decoding import convert
from gateway.types import EmbeddingRequest

MAX_INPUTS = 2048
MAX_TOKENS = 300_000


class EmbeddingBody(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    input: str | list[Any]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    user: str | None = None


def parse_embedding(body: dict[str, Any]) -> EmbeddingRequest:
    """The request in `body`. Raises a `RequestError` naming the field at fault."""
    embedding = convert(body, EmbeddingBody)
    inputs = _as_list(embedding.input)
    tokens = sum(estimate_tokens(len(one.encode())) if isinstance(one, str) else len(one) for one in inputs)
    if tokens > MAX_TOKENS:
        raise InvalidValue(f"`input` has about {tokens:,} tokens; a request takes {MAX_TOKENS:,}.", param="input")
    return EmbeddingRequest(
        model=embedding.model,
        inputs=inputs,
        body=body,
        base64=embedding.encoding_format == "base64",
        dimensions=embedding.dimensions,
        input_tokens=tokens,
    )


def _as_list(value: str | list[Any]) -> list[Any]:
    """One text, many texts, one array of token ids or many of them, as a list of inputs of one kind."""
    inputs: list[Any] = [value] if isinstance(value, str) or _are_tokens(value) else value
    if not inputs or len(inputs) > MAX_INPUTS:
        raise InvalidValue(f"`input` takes 1 to {MAX_INPUTS} texts or arrays of tokens.", param="input")
    if not (all(isinstance(one, str) for one in inputs) or all(_are_tokens(one) for one in inputs)):
        raise InvalidType("`input` must be a text, an array of texts, or arrays of token ids.", param="input")
    for index, one in enumerate(inputs):
        if not one:
            raise InvalidValue(f"`input[{index}]` must not be empty.", param=f"input[{index}]")
    return inputs


def _are_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is int and item >= 0 for item in value)
