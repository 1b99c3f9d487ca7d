from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from arkroute.types.record import Answer, Record


class Price(Record):
    """`credits` is the price of a `unit` with every field at its default; besides there is what it depends on."""

    __slots__ = ()

    unit: str
    credits: float


class ModelFields(Record):
    """A model. `parameters` is the JSON Schema of what it takes in a request's body."""

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"pricing": Price}

    id: str
    object: str
    created: int
    owned_by: str
    shutdown_date: str | None
    provider: str
    vendor: str
    type: str
    description: str
    pricing: Price
    aliases: list[str]
    parameters: Record


class Model(ModelFields, Answer):
    """A model that was asked for alone."""

    __slots__ = ()


class ModelList(Answer):
    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"data": ModelFields}

    object: str
    data: list[ModelFields]
