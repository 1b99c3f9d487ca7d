"""The limits of one process, in its memory: no lock and no `await`, since nothing else runs between two lines."""

from collections.abc import Callable
from time import monotonic_ns

from accounts.keys import Caller
from gateway.limits.quota import Admission, Quota, concurrency_exceeded, rate_exceeded

SWEEP_FROM = 1000  # buckets; below it nothing needs to be dropped


def microseconds() -> int:
    return monotonic_ns() // 1000


class Bucket:
    """`full_at` is the microsecond at which it will be full, `taken` the requests that are being worked on."""

    __slots__ = ("full_at", "taken")

    def __init__(self) -> None:
        self.full_at = 0
        self.taken = 0

    def give_back(self) -> None:
        self.taken -= 1


class MemoryLimiter:
    """Admits the requests of one event loop's thread."""

    def __init__(self, clock: Callable[[], int] = microseconds) -> None:
        self._clock = clock
        self._buckets: dict[tuple[int, bool], Bucket] = {}
        self._sweep_at = SWEEP_FROM

    def __len__(self) -> int:
        return len(self._buckets)

    def admit(self, caller: Caller, quota: Quota) -> Admission:
        """Permission for one more request. Raises `RateLimitExceeded` or `ConcurrencyExceeded`."""
        now = self._clock()
        key = (caller.key_id, quota.read)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._new_bucket(key, now)
        backlog = max(0, bucket.full_at - now)
        if bucket.taken >= quota.slots:
            raise concurrency_exceeded(caller, quota, backlog)
        interval = quota.interval
        if backlog + interval > interval * quota.burst:
            raise rate_exceeded(caller, quota, backlog)
        backlog += interval
        bucket.full_at = now + backlog
        bucket.taken += 1
        return Admission(quota, backlog, bucket.give_back)

    def _new_bucket(self, key: tuple[int, bool], now: int) -> Bucket:
        if len(self._buckets) >= self._sweep_at:
            # A bucket that is full and unused is as good as none.
            self._buckets = {k: b for k, b in self._buckets.items() if b.taken or b.full_at > now}
            self._sweep_at = max(SWEEP_FROM, 2 * len(self._buckets))
        bucket = self._buckets[key] = Bucket()
        return bucket
