from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from arkroute.types.record import PaidAnswer, Record


class Embedding(Record):
    """A vector: numbers, or with `encoding_format="base64"` the text of little-endian float32."""

    __slots__ = ()

    object: str
    index: int
    embedding: Any


class EmbeddingList(PaidAnswer):
    """Vectors, in the order of the texts."""

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"data": Embedding}

    object: str
    data: list[Embedding]
    model: str
    usage: Record
