from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from arkroute.types.record import Answer, Record


class QuoteLine(Record):
    """What is paid for, in words, and how often."""

    __slots__ = ()

    item: str
    quantity: int
    credits: float


class Quote(Answer):
    """What a call costs: `credits`, or at most `ceiling`, of which `breakdown` tells how it adds up.

    The prices are honoured until `expires_at`, in Unix seconds.
    """

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"breakdown": QuoteLine}

    object: str
    endpoint: str
    model: str
    credits: float
    breakdown: list[QuoteLine]
    ceiling: float
    expires_at: int


class ReceiptAttempt(Record):
    """Who was asked; `error` says why it failed."""

    __slots__ = ()

    served_by: str
    milliseconds: int
    error: str | None


class ReceiptTimings(Record):
    __slots__ = ()

    total_ms: int
    overhead_ms: float


class ReceiptFields(Record):
    """What a call cost and why. `id` is its request's; `credits` are `captured` and `overrun` together.

    `status` is `succeeded`, `partial` (what had come is charged), `failed` or `late` (nothing is).
    """

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"attempts": ReceiptAttempt, "timings": ReceiptTimings}

    id: str
    object: str
    created_at: int
    endpoint: str
    model: str
    served_by: str | None
    stand_in: bool
    status: str
    error_code: str | None
    credits: float
    quote: float
    captured: float
    released: float
    overrun: float
    usage: Record
    attempts: list[ReceiptAttempt]
    timings: ReceiptTimings


class Receipt(ReceiptFields, Answer):
    """A receipt that was asked for alone."""

    __slots__ = ()


class ReceiptList(Answer):
    """A page: the next one comes `after` its `last_id`."""

    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"data": ReceiptFields}

    object: str
    data: list[ReceiptFields]
    first_id: str | None
    last_id: str | None
    has_more: bool
