"""The keys that this process has recognised lately: a request costs one look into a dictionary, and no query.

How a change in the database is noticed:

- A revoked key, or one whose limits were changed, within `POLL_SECONDS`: whoever comes first after that time asks for
  the keys changed since, and everybody waits for the answer. An idle process asks nothing.
- A closed account after `RECHECK_SECONDS`. An expiry at its very moment.
- While the database cannot be asked, recognised keys are served for `UNPOLLED_SECONDS` more; then its error travels up.
"""

import asyncio
import logging
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic, time
from typing import TypeVar

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, transaction
from django.utils import timezone
from msgspec import Struct

from accounts.callers import Caller, InvalidApiKey
from accounts.database import submit_to_database_thread
from accounts.models import ApiKey

logger = logging.getLogger(__name__)

R = TypeVar("R")

POLL_SECONDS = 0.4
UNPOLLED_SECONDS = 5.0
RECHECK_SECONDS = 30.0
REFUSED_SECONDS = 2.0  # a client that hammers with a dead key costs one query in this time
RECORD_USE_SECONDS = 60.0
# Changes are asked for from a little before the last poll: clocks of machines differ, and a change is committed later
# than it is dated.
OVERLAP = timedelta(seconds=5)
SIZE = 10_000


class KnownKey(Struct):
    """What one digest opens: a caller, or nothing and the reason. Moments are `time.monotonic` seconds."""

    caller: Caller | None
    refusal: str
    recheck_at: float
    expires_at: float = inf  # POSIX seconds
    record_use_at: float = inf


class KnownKeys:
    """A cache of digests. Belongs to no event loop; safe to use from several threads."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything: in a forked process, whose parent's threads will answer nothing here, and in tests."""
        self._keys: dict[str, KnownKey] = {}
        self._look_ups: dict[str, Future[KnownKey]] = {}
        self._used: dict[int, datetime] = {}
        self._poll: Future[None] | None = None
        self._poll_tried_at = self._polled_at = monotonic()
        self._polled_until = timezone.now()
        self._failure: Error | None = None

    def __contains__(self, digest: str) -> bool:
        return digest in self._keys

    async def find(self, digest: str) -> Caller:
        """Whose key it is. Raises `InvalidApiKey`, or `django.db.Error` where the database cannot be asked."""
        now = monotonic()
        key = self._keys.get(digest)
        if key is not None and now - self._polled_at > POLL_SECONDS:
            await self._notice_changes(now)
            key = self._keys.get(digest)
        if key is None or key.recheck_at <= now:
            key = await self._look_up_once(digest)
        if key.caller is None:
            raise InvalidApiKey(key.refusal)
        if key.expires_at <= time():
            raise InvalidApiKey(expired(key.expires_at))
        if key.record_use_at <= now:
            self._record_use(key, key.caller.key_id, now)
        return key.caller

    def forget(self, digest: str) -> None:
        self._keys.pop(digest, None)

    async def _notice_changes(self, now: float) -> None:
        if (self._poll is None or self._poll.done()) and now - self._poll_tried_at > POLL_SECONDS:
            self._poll_tried_at = now
            self._poll = submit_to_database_thread(self._forget_changed)
        if self._poll is not None and not self._poll.done():
            await _answer(self._poll)
        if monotonic() - self._polled_at > POLL_SECONDS + UNPOLLED_SECONDS:
            raise OperationalError("revoked keys cannot be looked for") from self._failure

    def _forget_changed(self) -> None:
        started, now = monotonic(), timezone.now()
        # The earlier of the two, so that a clock that was set back hides nothing.
        since = min(self._polled_until, now) - OVERLAP
        try:
            changed = list(ApiKey.objects.filter(updated_at__gte=since).order_by().values_list("digest", flat=True))
        except (OperationalError, InterfaceError) as error:
            logger.warning("Revoked keys cannot be looked for: %s", error)
            self._failure = error
            return
        for digest in changed:
            self.forget(digest)
        self._polled_at, self._polled_until = started, now

    async def _look_up_once(self, digest: str) -> KnownKey:
        look_up = self._look_ups.get(digest)
        if look_up is None:
            look_up = self._look_ups[digest] = submit_to_database_thread(self._look_up, digest)
            look_up.add_done_callback(lambda _: self._look_ups.pop(digest, None))
        return await _answer(look_up)

    def _look_up(self, digest: str) -> KnownKey:
        started = monotonic()
        row = ApiKey.objects.select_related("user").filter(digest=digest).first()
        key = _known(row, started)
        # A slow answer may be older than the last poll's overlap: it serves those who wait for it, and nobody else.
        if monotonic() - started < 1:
            self._keys.pop(digest, None)
            if len(self._keys) >= SIZE:
                self._keys.pop(next(iter(self._keys)), None)
            self._keys[digest] = key
        return key

    def _record_use(self, key: KnownKey, key_id: int, now: float) -> None:
        key.record_use_at = now + RECORD_USE_SECONDS
        self._used[key_id] = timezone.now()
        # Where there are more, the thread that was sent for the first will find ours, too.
        if len(self._used) == 1:
            submit_to_database_thread(self._write_uses)

    def _write_uses(self) -> None:
        uses = []
        while self._used:
            uses.append(self._used.popitem())
        try:
            with transaction.atomic():
                for key_id, moment in uses:
                    ApiKey.objects.filter(pk=key_id).update(last_used_at=moment)
        except Exception:
            # Nobody waits for this thread, and a key's last use is worth no refusal.
            logger.exception("The last use of %d keys could not be written", len(uses))


async def _answer(future: Future[R]) -> R:
    """The result of a future that several wait for: unlike `await`, a waiter who gives up does not cancel it."""
    await asyncio.wait([asyncio.wrap_future(future)], timeout=UNPOLLED_SECONDS)
    if not future.done():
        raise OperationalError("the database does not answer")
    return future.result()


def _known(row: ApiKey | None, now: float) -> KnownKey:
    refusal = _refusal(row)
    if row is None or refusal:
        return KnownKey(caller=None, refusal=refusal, recheck_at=now + REFUSED_SECONDS)
    since_last_use = (timezone.now() - row.last_used_at).total_seconds() if row.last_used_at else inf
    return KnownKey(
        caller=Caller(
            key_id=row.pk,
            user_id=row.user_id,
            email=row.user.email,
            key_name=row.name,
            key_prefix=row.prefix,
            requests_per_minute=row.requests_per_minute or settings.REQUESTS_PER_MINUTE,
            concurrent_requests=row.concurrent_requests or settings.CONCURRENT_REQUESTS,
            concurrent_videos=row.concurrent_videos or settings.CONCURRENT_VIDEOS,
            webhook_url=row.webhook_url,
            expires_at=row.expires_at,
            allowed_models=frozenset(row.allowed_models or ()),
            credit_limit=row.credit_limit or 0,
            credit_period=row.credit_period,
            line_id=row.line_id,
            keeps_inputs=row.user.keeps_inputs,
        ),
        refusal="",
        recheck_at=now + RECHECK_SECONDS,
        expires_at=row.expires_at.timestamp() if row.expires_at else inf,
        record_use_at=now + max(0.0, RECORD_USE_SECONDS - since_last_use),
    )


def _refusal(row: ApiKey | None) -> str:
    """Why a key opens nothing, or "". Only who holds the whole secret gets to read it."""
    if row is None:
        return f"This API key is unknown here. Check that it belongs to this site, or create one at {keys_page()}."
    if row.revoked_at:
        return f"This API key was revoked on {row.revoked_at:%Y-%m-%d}. Create another at {keys_page()}."
    if row.expires_at and row.expires_at <= timezone.now():
        return expired(row.expires_at.timestamp())
    if not row.user.is_active:
        return "The account of this API key is closed. Ask the operator of this site to open it again."
    return ""


def expired(moment: float) -> str:
    """The refusal of a key that expired at `moment`, in POSIX seconds."""
    return f"This API key expired on {datetime.fromtimestamp(moment, UTC):%Y-%m-%d}. Create another at {keys_page()}."


def keys_page() -> str:
    return f"{settings.PUBLIC_URL}/keys/"
