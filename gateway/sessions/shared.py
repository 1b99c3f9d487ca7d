"""The sessions of all processes together, kept in Redis: they outlive the processes.

Each call is one round trip. Keys expire by themselves, so that nothing has to be swept. The bytes of conversations are
bounded by Redis' own `maxmemory`, which knows of everything else there.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic, time
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.sessions.store import (
    LISTED,
    PINS_PER_REPLICA,
    REMEMBERED,
    SESSIONS,
    SHARE_OF_ONCE,
    Holder,
    Messages,
    Pin,
    Session,
    Sessions,
    StoreUnavailable,
)

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

# Of a turn's lock; prolonged every half minute.
LEASE_SECONDS = 90
TIMEOUT_SECONDS = 0.25
TRY_AGAIN_SECONDS = 1.0
# Of each process. An exchange takes a fraction of a millisecond: more would only wait at Redis rather than here.
CONNECTIONS = 16
PREFIX = "arkroute:"
SCRIPT = Path(__file__).with_name("shared.lua").read_text()


class _NotAsked(StoreUnavailable):
    """Redis was away a moment ago."""


class SharedStore:
    """The sessions, for one event loop; made in it, used in it."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0), socket_timeout=None
        )
        self._redis = Redis.from_pool(pool)
        self._script = self._redis.register_script(SCRIPT)
        self._tokens: dict[str, str] = {}  # of the turns under way here, by member
        self._unlocked: dict[str, tuple[str, float]] = {}  # token -> member, and when it lapses anyway
        self._away_since = 0.0
        self._try_again_at: float | None = None  # a moment, while Redis is away

    async def find(self, owner: int, session_id: str) -> Session | None:
        name = f"{PREFIX}session:{_member(owner, session_id)}"
        fields: Any = await self._ask(lambda: self._redis.hgetall(name))
        return _session(owner, session_id, fields) if fields else None

    async def save(self, session: Session) -> None:
        await self._order(
            "save",
            member=_member(session.owner, session.id),
            created=repr(session.created),
            model=session.model,
            pins={pool: msgspec.json.encode(pin).decode() for pool, pin in session.pins.items()},
            **_bounds(session.used),
        )

    async def remove(self, owner: int, session_id: str) -> bool:
        return bool(await self._order("remove", member=_member(owner, session_id), ended=_ended(time())))

    async def list(self, owner: int) -> Sessions:
        found = await self._order("list", owner=str(owner), ended=_ended(time()), most=LISTED)
        return [
            _session(owner, session_id.decode(), dict(zip(fields[::2], fields[1::2], strict=True)))
            for session_id, fields in found
        ]

    async def count_pins(self, pool: str, replica: str) -> int:
        async def count() -> int:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for kind in ("once", "proven"):
                    pipeline.zcount(f"{PREFIX}pins:{pool}:{replica}:{kind}", _ended(time()), "+inf")
                return sum(await pipeline.execute())

        return await self._ask(count)

    async def slot_holders(self, pool: str, replica: str) -> dict[int, Holder]:
        holders: dict[int, Holder] = {}
        for slot, member, used, proven in await self._order(
            "slot_holders", pool=pool, replica=replica, ended=_ended(time())
        ):
            owner, _, session_id = member.decode().partition(":")
            holders[int(slot)] = Holder(int(owner), session_id, float(used), bool(proven))
        return holders

    async def lock(self, owner: int, session_id: str) -> bool:
        member, token = _member(owner, session_id), secrets.token_hex(8)
        if member in self._tokens:
            return False  # also where Redis has lost the lock of that turn
        name = f"{PREFIX}session-lock:{member}"
        try:
            taken = await self._ask(lambda: self._redis.set(name, token, nx=True, ex=LEASE_SECONDS))
        except _NotAsked:
            raise
        except BaseException:
            # Perhaps it was taken, and only the answer is missing.
            self._unlock_later(token, member)
            raise
        if taken:
            self._tokens[member] = token
        return bool(taken)

    async def unlock(self, owner: int, session_id: str) -> None:
        member = _member(owner, session_id)
        if token := self._tokens.pop(member, None):
            self._unlock_later(token, member)
            try:
                await self._give_back()
            except StoreUnavailable:
                return  # `tidy` gives it back

    async def read_conversation(self, owner: int, session_id: str) -> Messages:
        member = _member(owner, session_id)

        async def read() -> tuple[bytes | None, bytes | None]:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.hget(f"{PREFIX}session:{member}", "used")
                pipeline.get(f"{PREFIX}session-history:{member}")
                used, history = await pipeline.execute()
                return used, history

        used, history = await self._ask(read)
        if used is None or history is None or float(used) < float(_ended(time())):
            return []
        return msgspec.json.decode(history, type=Messages)

    async def write_conversation(self, owner: int, session_id: str, messages: Messages) -> bool:
        member = _member(owner, session_id)
        written = await self._order(
            "write_conversation",
            msgspec.json.encode(messages),
            member=member,
            token=self._tokens.get(member, ""),
            messages=len(messages),
            **_bounds(time()),
        )
        return bool(written)

    async def tidy(self) -> None:
        if self._tokens:
            await self._order("prolong", tokens=self._tokens, lease=LEASE_SECONDS, **_bounds(time()))
        await self._give_back()

    async def close(self) -> None:
        """Ends the connections. What is locked still lapses by itself."""
        await self._redis.aclose()

    def _unlock_later(self, token: str, member: str) -> None:
        self._unlocked[token] = (member, monotonic() + LEASE_SECONDS)

    async def _give_back(self) -> None:
        now = monotonic()
        self._unlocked = {token: one for token, one in self._unlocked.items() if one[1] > now}
        if members := {token: member for token, (member, _) in self._unlocked.items()}:
            await self._order("unlock", members=members)
            for token in members:
                self._unlocked.pop(token, None)

    async def _order(self, verb: str, *blobs: bytes, **given: Any) -> Any:
        arguments: list[str | bytes] = [verb, msgspec.json.encode(given), *blobs]
        return await self._ask(lambda: self._script(keys=[PREFIX], args=arguments))

    async def _ask(self, question: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of Redis. While it is away, one call in a second finds out whether it is back."""
        began = monotonic()
        if self._try_again_at is not None:
            if began < self._try_again_at:
                raise _NotAsked
            self._try_again_at = began + TRY_AGAIN_SECONDS
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await question()
        except (RedisError, OSError, TimeoutError) as error:
            self._redis_is_away(error)
            raise StoreUnavailable from error
        if self._try_again_at is not None and began > self._away_since:
            logger.warning("Redis is back; sessions are kept again")
            self._try_again_at = None
        return answer

    def _redis_is_away(self, error: Exception) -> None:
        if self._try_again_at is None:
            logger.warning("Redis is away; requests are served without their sessions: %r", error)
        self._away_since = monotonic()
        self._try_again_at = self._away_since + TRY_AGAIN_SECONDS


def _member(owner: int, session_id: str) -> str:
    return f"{owner}:{session_id}"


def _ended(now: float) -> str:
    """The moment before which a session was used last that has ended by `now`."""
    return repr(now - settings.SESSION_IDLE_SECONDS)


def _bounds(used: float) -> dict[str, Any]:
    idle_seconds = settings.SESSION_IDLE_SECONDS
    return {
        "used": repr(used),
        "ended": _ended(used),
        "forgotten": repr(used - idle_seconds - REMEMBERED),
        "idle_ms": max(1, int(idle_seconds * 1000)),
        "remembered_ms": int((idle_seconds + REMEMBERED) * 1000),
        "sessions": SESSIONS,
        "pins_per_replica": PINS_PER_REPLICA,
        "share_of_once": SHARE_OF_ONCE,
    }


def _session(owner: int, session_id: str, fields: dict[bytes, bytes]) -> Session:
    return Session(
        id=session_id,
        owner=owner,
        created=float(fields[b"created"]),
        used=float(fields[b"used"]),
        model=fields[b"model"].decode(),
        pins={
            name[4:].decode(): msgspec.json.decode(pin, type=Pin)
            for name, pin in fields.items()
            if name.startswith(b"pin:")
        },
        messages=int(fields.get(b"messages", 0)),
    )
