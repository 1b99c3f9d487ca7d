"""`client.embeddings`: texts as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Union

from arkroute.http.call import Call, paid
from arkroute.http.options import PaidOptions
from arkroute.resources.resource import AsyncResource, Resource
from arkroute.types import EmbeddingList

if TYPE_CHECKING:
    from typing_extensions import Unpack

# A text, texts, or token ids where the model takes them.
EmbeddingInput = Union[str, Sequence[str], Sequence[int], Sequence[Sequence[int]]]


class EmbeddingParameters(PaidOptions, total=False):
    # Shorter vectors, where the model can shorten them.
    dimensions: int
    # "float" (default), or "base64": little-endian float32.
    encoding_format: Literal["float", "base64"]
    user: str


class Embeddings(Resource):
    def create(self, *, model: str, input: EmbeddingInput, **parameters: Unpack[EmbeddingParameters]) -> EmbeddingList:
        """One vector for each text, in their order: at most 2,048 texts."""
        return self._ask(_call(model, input, parameters), EmbeddingList)


class AsyncEmbeddings(AsyncResource):
    async def create(
        self, *, model: str, input: EmbeddingInput, **parameters: Unpack[EmbeddingParameters]
    ) -> EmbeddingList:
        """As `Embeddings.create`."""
        return await self._ask(_call(model, input, parameters), EmbeddingList)


def _call(model: str, texts: EmbeddingInput, parameters: Any) -> Call:
    return paid("/embeddings", {"model": model, "input": texts, **parameters})
