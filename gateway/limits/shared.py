"""The limits of all processes together, kept in Redis.

A request that is being worked on has a lease there. A process renews its leases while it lives; those of a dead one
lapse after `LEASE_SECONDS`, so that no slot stays taken for ever. What many requests want at the same time travels in
one round trip. Redis' clock is the only one that counts.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterable
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic

from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from accounts.keys import Caller
from gateway.limits.memory import MemoryLimiter
from gateway.limits.quota import SECOND, Admission, Quota, concurrency_exceeded, rate_exceeded

logger = logging.getLogger(__name__)

LEASE_SECONDS = 90.0
TIMEOUT_SECONDS = 0.25
TRY_AGAIN_SECONDS = 1.0
# Without Redis nobody knows how many other processes there are; each admits so small a part of a quota.
SHARE = 4
LARGEST_BATCH = 500

SCRIPT = Path(__file__).with_name("shared.lua").read_text()
ADMITTED, TOO_MANY_A_MINUTE = 0, 1


class Wish(Struct):
    """One request that waits for Redis' verdict: None where Redis did not answer."""

    bucket: str
    lease: str
    quota: Quota
    verdict: asyncio.Future[tuple[int, int] | None]


class SharedLimiter:
    """Admits the requests of one event loop; made in it, used in it."""

    def __init__(self, url: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._loop = asyncio.get_running_loop()
        self._redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None)
        self._script = self._redis.register_script(SCRIPT)
        self._lease_seconds = lease_seconds
        self._lease_names = (f"{secrets.token_hex(8)}:{number}" for number in count())
        self._wishes: list[Wish] = []
        self._held: dict[str, str] = {}  # lease -> bucket
        self._released: dict[str, tuple[str, float]] = {}  # lease -> bucket, and when it lapses anyway
        self._renewal_is_due = False
        self._sender: asyncio.Task[None] | None = None
        self._without_redis = MemoryLimiter()
        self._try_again_at: float | None = None  # a moment, while Redis is away

    async def admit(self, caller: Caller, quota: Quota) -> Admission:
        """Permission for one more request. Raises `RateLimitExceeded` or `ConcurrencyExceeded`."""
        if self._try_again_at is not None:
            if monotonic() < self._try_again_at:
                return self._without_redis.admit(caller, quota.share(SHARE))
            # This request finds out whether Redis is back; the others need not wait for it.
            self._try_again_at = monotonic() + TRY_AGAIN_SECONDS
        wish = Wish(
            bucket=f"arkroute:limits:{caller.key_id}:{'reads' if quota.read else 'calls'}",
            lease=next(self._lease_names),
            quota=quota,
            verdict=self._loop.create_future(),
        )
        self._wishes.append(wish)
        self._wake_sender()
        try:
            answer = await wish.verdict
        except asyncio.CancelledError:
            self._release(wish.lease, wish.bucket)
            raise
        if answer is None:
            # Perhaps it was granted, and only the answer is missing.
            self._release(wish.lease, wish.bucket)
            return self._without_redis.admit(caller, quota.share(SHARE))
        verdict, backlog = answer
        if verdict == ADMITTED:
            self._held[wish.lease] = wish.bucket
            return Admission(quota, backlog, partial(self._release, wish.lease, wish.bucket))
        raise (rate_exceeded if verdict == TOO_MANY_A_MINUTE else concurrency_exceeded)(caller, quota, backlog)

    async def renew(self) -> None:
        """Prolongs the leases of what is being worked on, and gives back what could not be given back before."""
        self._renewal_is_due = True
        await self._send_what_is_left()

    async def close(self) -> None:
        """Gives back what was released, then ends the connection."""
        await self._send_what_is_left()
        await self._redis.aclose()

    def _release(self, lease: str, bucket: str) -> None:
        self._held.pop(lease, None)
        if self._loop.is_closed():
            return  # the lease lapses by itself
        self._released[lease] = (bucket, monotonic() + self._lease_seconds)
        if self._try_again_at is None:
            self._wake_sender()

    def _wake_sender(self) -> None:
        if self._sender is None or self._sender.done():
            self._sender = self._loop.create_task(self._send())

    async def _send_what_is_left(self) -> None:
        self._wake_sender()
        if self._sender is not None:
            await asyncio.wait([self._sender])

    async def _send(self) -> None:
        while self._wishes or self._released or self._renewal_is_due:
            wishes, self._wishes = self._wishes[:LARGEST_BATCH], self._wishes[LARGEST_BATCH:]
            wishes = [wish for wish in wishes if not wish.verdict.cancelled()]
            released, self._released = self._released, {}
            renewed, self._renewal_is_due = dict(self._held) if self._renewal_is_due else {}, False
            verdicts: list[tuple[int, int] | None] = [None] * len(wishes)
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    verdicts = list(await self._ask(wishes, released, renewed))
                self._redis_is_back()
            except (RedisError, OSError, TimeoutError) as error:
                self._redis_is_away(error)
                now = monotonic()
                self._released.update({lease: one for lease, one in released.items() if one[1] > now})
                return  # what is left waits for the next try
            finally:
                for wish, verdict in zip(wishes, verdicts, strict=True):
                    if not wish.verdict.done():
                        wish.verdict.set_result(verdict)

    async def _ask(
        self, wishes: list[Wish], released: dict[str, tuple[str, float]], renewed: dict[str, str]
    ) -> Iterable[tuple[int, int]]:
        keys: list[str] = []
        arguments: list[str | int] = [int(self._lease_seconds * SECOND)]

        def order(verb: str, bucket: str, lease: str, quota: Quota | None = None) -> None:
            keys.extend((f"{bucket}:rate", f"{bucket}:leases"))
            arguments.extend((verb, lease, *((quota.interval, quota.burst, quota.slots) if quota else (0, 0, 0))))

        # Releases come first, since they make room.
        for lease, (bucket, _) in released.items():
            order("release", bucket, lease)
        for lease, bucket in renewed.items():
            order("renew", bucket, lease)
        for wish in wishes:
            order("admit", wish.bucket, wish.lease, wish.quota)
        answers = await self._script(keys=keys, args=arguments)
        return zip(answers[::2], answers[1::2], strict=True)

    def _redis_is_away(self, error: Exception) -> None:
        if self._try_again_at is None:
            logger.warning("Redis is away; each process admits a share of the limits by itself: %r", error)
        self._try_again_at = monotonic() + TRY_AGAIN_SECONDS
        # Who came meanwhile need not wait as long as the others did.
        wishes, self._wishes = self._wishes, []
        for wish in wishes:
            if not wish.verdict.done():
                wish.verdict.set_result(None)

    def _redis_is_back(self) -> None:
        if self._try_again_at is not None:
            logger.warning("Redis is back; the limits are shared again")
        self._try_again_at = None
