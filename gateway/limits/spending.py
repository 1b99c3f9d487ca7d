"""What a key may spend in a day, a week or a month. Nothing here is called for keys without such a limit.

    reservation = await reserve(call, at_least, at_most)
    ...
    reservation.settle(spent)

Each process counts by itself: what the receipts say, read every `READ_AGAIN_SECONDS`, the tasks that are under way, and
what it has reserved for calls of its own since. So one process is exact: a call gets what is left, or is refused. Of
several, each learns with its next reading of what the others have charged, and never sees what they hold for calls
under way: together they may exceed the limit by that much. It is a brake for a key that got out of hand, while the
balance, of which the ledger is sure, is never exceeded.

Amounts are millicredits. A call counts in the period in which it ends. The keys of one line (`Caller.line_id`) count
together, so that rolling a key does not double what it may spend.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db.models import F, Q, QuerySet, Sum

from accounts.callers import Caller
from accounts.database import run_in_database_thread
from accounts.models import ApiKey
from billing.amounts import credits_text
from gateway.call import Call
from gateway.errors import KeyCreditsSpent
from gateway.limits.periods import beginning, end
from gateway.models import Receipt, VideoTask

READ_AGAIN_SECONDS = 2.0
# All of a period's receipts are added up so often; in between only those of the last minutes are read.
ADD_UP_SECONDS = 600.0
# A receipt is committed a little later than it is dated.
LATE = timedelta(seconds=60)
SWEEP_FROM = 1000  # counters; below it nothing needs to be dropped

# Callers who were refused and whose keys' owners are yet to be told: by the key's line and period.
_refused: dict[tuple[int, str], Caller] = {}


async def reserve(call: Call, at_least: int, at_most: int, *, afresh: bool = False) -> "Reservation":
    """`at_most` of what the call's key has left in its period, or less, if that is `at_least`. To be settled once.

    `afresh` reads anew what others have spent. Raises `KeyCreditsSpent`.
    """
    counter = await _current_counter(call.caller, afresh=afresh)
    return counter.reserve(call.request_id, _left(call.caller, counter, at_least), at_most)


async def check_left(call: Call, least: int) -> None:
    """Raises `KeyCreditsSpent` where the call's key has not `least` left in its period. Nothing is reserved."""
    _left(call.caller, await _current_counter(call.caller), least)


async def spent_by(caller: Caller) -> int:
    """What the caller's key has spent in its period, with what is reserved for calls under way."""
    return (await _current_counter(caller)).spent


def take_refused() -> list[Caller]:
    """Callers whose calls were refused here for their keys' limits since this was last asked: one for each limit."""
    callers = list(_refused.values())
    _refused.clear()
    return callers


def spent_by_key(account_id: int, since: datetime) -> dict[int, int]:
    """What each key of an account was charged for calls that ended after `since`. One query."""
    receipts = Receipt.objects.filter(account_id=account_id, created_at__gte=since).order_by()
    return dict(receipts.values_list("api_key_id").annotate(spent=Sum(F("captured") + F("overrun"))))


def reserved_by_key(account_id: int) -> dict[int, int]:
    """What is held for tasks of each key of an account that are under way. One query."""
    tasks = VideoTask.objects.filter(account_id=account_id, ended_at__isnull=True).order_by()
    return dict(tasks.values_list("api_key_id").annotate(cost=Sum("cost")))


class Reservation:
    """Credits of a key that its call may spend. `amount` is what it spent, once it is settled."""

    __slots__ = ("_counter", "amount", "is_settled")

    def __init__(self, counter: "Counter", amount: int) -> None:
        self._counter = counter
        self.amount = amount
        self.is_settled = False

    def settle(self, spent: int) -> None:
        """The call has ended, and this is what it cost: it is in the receipts, or in the task, by now."""
        if not self.is_settled:
            self.is_settled = True
            self._counter.own += spent - self.amount
            self.amount = spent


class Counter:
    """What a line of keys has spent in the current period, as one event loop knows it.

    A sum is of receipts but those of our own calls under way, which stand in `_calls` until a reading that began after
    their settlement has seen them.
    """

    def __init__(self) -> None:
        self.own = 0  # of `_calls`
        self._calls: dict[str, Reservation] = {}  # request id -> what it reserved, or spent since the last reading
        self._since = datetime.min.replace(tzinfo=UTC)
        self._until = self._since  # receipts before it are added up in `_added_up`, those after it in `_recent`
        self._added_up = self._recent = 0
        self._added_up_at = self._read_at = -inf
        self._reading: asyncio.Task[None] | None = None

    @property
    def spent(self) -> int:
        return self._added_up + self._recent + self.own

    @property
    def is_idle(self) -> bool:
        return not self._calls and monotonic() - self._read_at > ADD_UP_SECONDS

    def reserve(self, request_id: str, left: int, at_most: int) -> Reservation:
        reservation = self._calls[request_id] = Reservation(self, min(left, at_most))
        self.own += reservation.amount
        return reservation

    async def be_current(self, caller: Caller, *, afresh: bool) -> None:
        """Reads what has changed, unless that was just done. Who comes meanwhile waits for the same reading."""
        since = beginning(caller.credit_period, datetime.now(UTC))
        is_current = self._since == since and monotonic() - self._read_at < READ_AGAIN_SECONDS
        if is_current and not afresh:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(caller, since))
        await asyncio.shield(self._reading)

    async def _read(self, caller: Caller, since: datetime) -> None:
        began, now = monotonic(), datetime.now(UTC)
        adds_up = self._since != since or began - self._added_up_at > ADD_UP_SECONDS
        until = max(since, now - LATE) if adds_up else self._until
        settled = [request_id for request_id, call in self._calls.items() if call.is_settled]
        under_way = [request_id for request_id, call in self._calls.items() if not call.is_settled]
        added_up, recent = await run_in_database_thread(
            _sum, caller, since if adds_up else None, until, exclude=under_way
        )
        if adds_up:
            self._since, self._until, self._added_up, self._added_up_at = since, until, added_up, began
        self._recent, self._read_at = recent, began
        for request_id in settled:
            self.own -= self._calls.pop(request_id).amount


# A process has one event loop that serves; each counts for itself.
_counters: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[int, str], Counter]] = WeakKeyDictionary()


async def _current_counter(caller: Caller, *, afresh: bool = False) -> Counter:
    loop = asyncio.get_running_loop()
    counters = _counters.setdefault(loop, {})
    key = (caller.line_id, caller.credit_period)
    counter = counters.get(key)
    if counter is None:
        if len(counters) >= SWEEP_FROM:
            counters = _counters[loop] = {key: one for key, one in counters.items() if not one.is_idle}
        counter = counters[key] = Counter()
    await counter.be_current(caller, afresh=afresh)
    return counter


def _sum(caller: Caller, since: datetime | None, until: datetime, *, exclude: list[str]) -> tuple[int, int]:
    """What was charged from `since` (None: not asked) to `until`; what after it, with the tasks that are under way."""
    keys = list(
        ApiKey.objects.filter(Q(pk=caller.line_id) | Q(origin=caller.line_id)).order_by().values_list("pk", flat=True)
    )
    receipts = Receipt.objects.filter(account_id=caller.user_id, api_key_id__in=keys).exclude(pk__in=exclude)
    added_up = _charged(receipts.filter(created_at__gte=since, created_at__lt=until)) if since else 0
    tasks = VideoTask.objects.filter(api_key_id__in=keys, ended_at__isnull=True).exclude(request_id__in=exclude)
    under_way: int = tasks.aggregate(cost=Sum("cost"))["cost"] or 0
    return added_up, _charged(receipts.filter(created_at__gte=until)) + under_way


def _charged(receipts: "QuerySet[Receipt]") -> int:
    spent: int = receipts.aggregate(spent=Sum(F("captured") + F("overrun")))["spent"] or 0
    return spent


def _left(caller: Caller, counter: Counter, at_least: int) -> int:
    left = caller.credit_limit - counter.spent
    if left < at_least:
        _refused[caller.line_id, caller.credit_period] = caller
        raise KeyCreditsSpent(
            f"The key `{caller.key_prefix}…` may spend {credits_text(caller.credit_limit)} credits a "
            f"{caller.credit_period} and has {credits_text(max(0, left))} left; this call costs "
            f"{credits_text(at_least)}. The limit starts anew at "
            f"{end(caller.credit_period, datetime.now(UTC)):%Y-%m-%d %H:%M} UTC; change it at "
            f"{settings.PUBLIC_URL}/keys/."
        )
    return left
