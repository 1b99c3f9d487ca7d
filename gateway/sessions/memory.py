"""The sessions of one process, in its memory. They end with it."""

import threading
from collections import Counter, OrderedDict
from time import time

import msgspec
from django.conf import settings
from msgspec.structs import replace

from gateway.sessions.recency import Recency
from gateway.sessions.store import (
    LISTED,
    PINS_PER_REPLICA,
    REMEMBERED,
    SESSIONS,
    Holder,
    Messages,
    Pin,
    Session,
    Sessions,
)

# Bytes of all conversations together, as JSON: what a small machine can spare beside a model. One owner's share of
# them is bounded, so that nobody can end those of all others.
CONVERSATIONS_BYTES = 64 * 1024 * 1024
OWNERS_SHARE = 4

Key = tuple[int, str]  # owner, session's id
Place = tuple[str, str]  # pool, replica's URL


class MemoryStore:
    """For all event loops of the process: no method waits for anything but the lock, which is held for microseconds.

    Every call first ends what has become idle, from the one used least recently on: nothing is ever searched through.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._live: dict[Key, Session] = {}
        self._recency: Recency[Key] = Recency()
        self._ended: OrderedDict[Key, Session] = OrderedDict()
        self._ids: dict[int, set[str]] = {}  # by owner, of the live ones
        self._pins: dict[Place, Recency[Key]] = {}
        self._slots: dict[Place, dict[int, Key]] = {}
        self._conversations: OrderedDict[Key, bytes] = OrderedDict()
        self._conversations_bytes = 0
        self._owners_bytes: Counter[int] = Counter()
        self._turns: dict[Key, bool] = {}  # under way; whether their session was removed meanwhile

    async def find(self, owner: int, session_id: str) -> Session | None:
        with self._guard:
            self._end_idle()
            key = (owner, session_id)
            session = self._live.get(key) or self._ended.get(key)
            return _copy(session) if session else None

    async def save(self, session: Session) -> None:
        with self._guard:
            self._end_idle()
            key = (session.owner, session.id)
            if self._turns.get(key):
                return
            self._ended.pop(key, None)
            kept = self._live.get(key)
            if kept is None:
                kept = replace(session, pins={}, messages=0)
                self._begin(key, kept)
            kept.used, kept.model = session.used, session.model
            for pool, pin in session.pins.items():
                self._pin(key, kept, pool, pin)
            self._touch(key, kept)
            self._keep_bounds(kept)
            if kept.is_idle(time(), settings.SESSION_IDLE_SECONDS):
                self._end(key)  # it was used long ago: it is only to be remembered

    async def remove(self, owner: int, session_id: str) -> bool:
        with self._guard:
            self._end_idle()
            key = (owner, session_id)
            was_there = key in self._live or self._turns.get(key) is False
            if key in self._live:
                self._end(key)
            self._ended.pop(key, None)
            if key in self._turns:
                self._turns[key] = True
            return was_there

    async def list(self, owner: int) -> Sessions:
        with self._guard:
            self._end_idle()
            sessions = [_copy(self._live[owner, session_id]) for session_id in self._ids.get(owner, ())]
        return sorted(sessions, key=lambda session: session.used, reverse=True)[:LISTED]

    async def count_pins(self, pool: str, replica: str) -> int:
        with self._guard:
            self._end_idle()
            return len(self._pins.get((pool, replica), ()))

    async def slot_holders(self, pool: str, replica: str) -> dict[int, Holder]:
        with self._guard:
            self._end_idle()
            return {
                slot: Holder(owner=key[0], session=key[1], used=session.used, proven=session.is_proven)
                for slot, key in self._slots.get((pool, replica), {}).items()
                if (session := self._live[key])
            }

    async def lock(self, owner: int, session_id: str) -> bool:
        with self._guard:
            key = (owner, session_id)
            if key in self._turns:
                return False
            self._turns[key] = False
            return True

    async def unlock(self, owner: int, session_id: str) -> None:
        with self._guard:
            self._turns.pop((owner, session_id), None)

    async def read_conversation(self, owner: int, session_id: str) -> Messages:
        with self._guard:
            self._end_idle()
            kept = self._conversations.get((owner, session_id), b"[]")
        return msgspec.json.decode(kept, type=Messages)

    async def write_conversation(self, owner: int, session_id: str, messages: Messages) -> bool:
        """As everywhere. Beyond the bounds of bytes the session ends whose conversation was used least recently: its
        client shall be told, rather than wonder at an answer that remembers nothing."""
        encoded = msgspec.json.encode(messages)
        with self._guard:
            self._end_idle()
            key = (owner, session_id)
            if key in self._turns and key in self._ended:
                self._begin(key, self._ended.pop(key))  # the turn took longer than a session lives unused
            session = self._live.get(key)
            if session is None or self._turns.get(key):
                return False
            self._drop_conversation(key)
            self._conversations[key] = encoded
            self._conversations_bytes += len(encoded)
            self._owners_bytes[owner] += len(encoded)
            session.messages, session.used = len(messages), time()
            self._touch(key, session)
            while self._owners_bytes[owner] > CONVERSATIONS_BYTES // OWNERS_SHARE:
                self._end(next(key for key in self._conversations if key[0] == owner))
            while self._conversations_bytes > CONVERSATIONS_BYTES:
                self._end(next(iter(self._conversations)))
            return key in self._live

    async def tidy(self) -> None:
        with self._guard:
            for key in self._turns:
                if session := self._live.get(key):
                    session.used = time()
                    self._touch(key, session)
            self._end_idle()

    def _end_idle(self) -> None:
        now, idle_seconds = time(), settings.SESSION_IDLE_SECONDS
        while idle := [key for key in self._recency.oldest() if self._live[key].is_idle(now, idle_seconds)]:
            for key in idle:
                self._end(key)
        while self._ended and next(iter(self._ended.values())).is_idle(now, idle_seconds + REMEMBERED):
            self._ended.popitem(last=False)

    def _begin(self, key: Key, session: Session) -> None:
        self._live[key] = session
        self._ids.setdefault(session.owner, set()).add(session.id)

    def _end(self, key: Key) -> None:
        """What is left of it is that it was."""
        session = self._live.pop(key)
        self._recency.drop(key)
        self._drop_conversation(key)
        for pool, pin in session.pins.items():
            self._unpin(key, (pool, pin.replica))
        ids = self._ids[session.owner]
        ids.discard(session.id)
        if not ids:
            del self._ids[session.owner]
        session.pins, session.messages = {}, 0
        self._ended[key] = session

    def _pin(self, key: Key, session: Session, pool: str, pin: Pin) -> None:
        before = session.pins.get(pool)
        if before is not None and (before.replica, before.slot) != (pin.replica, pin.slot):
            self._unpin(key, (pool, before.replica))
        session.pins[pool] = pin
        if pin.slot is not None:
            self._slots.setdefault((pool, pin.replica), {})[pin.slot] = key

    def _unpin(self, key: Key, place: Place) -> None:
        pins = self._pins[place]
        pins.drop(key)
        if not pins:
            del self._pins[place]
        slots = self._slots.get(place, {})
        for slot in [slot for slot, holder in slots.items() if holder == key]:
            del slots[slot]
        if not slots:
            self._slots.pop(place, None)

    def _touch(self, key: Key, session: Session) -> None:
        self._recency.touch(key, proven=session.is_proven)
        for pool, pin in session.pins.items():
            self._pins.setdefault((pool, pin.replica), Recency()).touch(key, proven=session.is_proven)
        if key in self._conversations:
            self._conversations.move_to_end(key)

    def _keep_bounds(self, session: Session) -> None:
        for pool, pin in list(session.pins.items()):
            pins = self._pins[pool, pin.replica]
            while (key := pins.surplus(PINS_PER_REPLICA)) is not None:
                del self._live[key].pins[pool]
                self._unpin(key, (pool, pin.replica))
        while len(self._live) + len(self._ended) > SESSIONS:
            if self._ended:
                self._ended.popitem(last=False)
            elif (key := self._recency.surplus(SESSIONS)) is not None:
                self._end(key)
                del self._ended[key]

    def _drop_conversation(self, key: Key) -> None:
        size = len(self._conversations.pop(key, b""))
        self._conversations_bytes -= size
        self._owners_bytes[key[0]] -= size
        if not self._owners_bytes[key[0]]:
            del self._owners_bytes[key[0]]


def _copy(session: Session) -> Session:
    return replace(session, pins=dict(session.pins))
