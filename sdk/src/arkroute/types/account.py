from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from arkroute.types.record import Answer, Record


class Balance(Record):
    """Credits: `available` is `balance` without what is `held` for calls and videos under way."""

    __slots__ = ()

    balance: float
    held: float
    available: float


class AccountKey(Record):
    """The key that asked: its limits, and what it did in the last days."""

    __slots__ = ()

    name: str
    prefix: str
    limits: Record
    usage: Record
    credit_limit: Record | None
    allowed_models: list[str]
    expires_at: int | None


class Account(Answer):
    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"credits": Balance, "key": AccountKey}

    object: str
    email: str
    credits: Balance
    key: AccountKey
