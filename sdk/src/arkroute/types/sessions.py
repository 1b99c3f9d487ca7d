from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from arkroute.types.record import Answer, Record


class Session(Record):
    """Times are Unix seconds; `messages` is how many the gateway keeps for `ark_stateful`."""

    __slots__ = ()

    id: str
    object: str
    created_at: int
    last_used_at: int
    expires_at: int
    model: str
    messages: int


class SessionList(Answer):
    __slots__ = ()

    NESTED: ClassVar[Mapping[str, type[Record]]] = {"data": Session}

    object: str
    data: list[Session]
    has_more: bool


class SessionDeleted(Answer):
    __slots__ = ()

    id: str
    object: str
    deleted: bool
