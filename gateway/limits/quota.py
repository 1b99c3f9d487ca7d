"""How much a key may do, what it is told about it, and the words in which it is refused.

The rate is a GCRA (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm): a bucket of `burst` requests, filled
with one request every `interval`. All that is kept of a bucket is how long it takes until it is full, its `backlog`.
Times are whole microseconds, so that memory and Redis come to the same result.
"""

from collections.abc import Callable
from functools import lru_cache
from math import ceil

from msgspec import Struct

from accounts.keys import Caller
from gateway.errors import ConcurrencyExceeded, RateLimitExceeded

MINUTE = 60_000_000
SECOND = 1_000_000

READS = 5  # reads cost little: their bucket is so many times as large
SMALLEST_BURST = 10


class Quota(Struct, frozen=True):
    """A bucket's size. `limit` is requests a minute, `slots` requests at the same time, `interval` microseconds."""

    limit: int
    burst: int
    slots: int
    interval: int
    read: bool

    def share(self, part: int) -> "Quota":
        """A `part`-th of it, and at least one request of each."""
        return new_quota(
            limit=max(1, self.limit // part),
            burst=max(1, self.burst // part),
            slots=max(1, self.slots // part),
            read=self.read,
        )


def new_quota(limit: int, burst: int, slots: int, read: bool) -> Quota:
    return Quota(limit=limit, burst=burst, slots=slots, interval=-(-MINUTE // limit), read=read)


@lru_cache(4096)
def quota_of(requests_per_minute: int, concurrent_requests: int, read: bool) -> Quota:
    """The quota of a key with these limits."""
    times = READS if read else 1
    return new_quota(
        limit=requests_per_minute * times,
        burst=max(SMALLEST_BURST, requests_per_minute // 10) * times,
        slots=concurrent_requests * times,
        read=read,
    )


class Admission:
    """Permission for one request. `limit` is the rate a minute, `remaining` how many more could start this moment,
    `reset` the seconds until the bucket is full again."""

    __slots__ = ("_give_back", "limit", "remaining", "reset")

    def __init__(self, quota: Quota, backlog: int, give_back: Callable[[], None] | None = None) -> None:
        self.limit = quota.limit
        self.remaining = max(0, quota.burst - ceil(backlog / quota.interval))
        self.reset = backlog / SECOND
        self._give_back = give_back

    def release(self) -> None:
        """Lets another request of the key in. Doing it again does nothing."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


def rate_exceeded(caller: Caller, quota: Quota, backlog: int) -> RateLimitExceeded:
    """The refusal of a request that came too early."""
    seconds = max(1, ceil((backlog + quota.interval * (1 - quota.burst)) / SECOND))
    what = "reads" if quota.read else "requests"
    error = RateLimitExceeded(
        f"The key `{caller.key_prefix}…` is limited to {quota.limit} {what} a minute, {quota.burst} of them at once. "
        f"Wait {seconds} s before the next, and spread them out; ask the operator if the key needs more.",
        retry_after=seconds,
    )
    error.allowance = Admission(quota, backlog)
    return error


def concurrency_exceeded(caller: Caller, quota: Quota, backlog: int) -> ConcurrencyExceeded:
    """The refusal of a request while others are still being worked on."""
    what = "reads" if quota.read else "requests"
    error = ConcurrencyExceeded(
        f"The key `{caller.key_prefix}…` is limited to {quota.slots} {what} at the same time. Send the next when one "
        "of them has ended; ask the operator if the key needs more.",
        retry_after=1,
    )
    error.allowance = Admission(quota, backlog)
    return error


def format_duration(seconds: float) -> str:
    """A duration as `x-ratelimit-reset-requests` writes it, rounded up: `12ms`, `1.5s`, `1m30s`, `2h0m5s`."""
    milliseconds = ceil(round(seconds * 1000, 6))
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:g}s"
    minutes, rest = divmod(ceil(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
