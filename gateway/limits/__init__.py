"""What one key may ask for: so many requests a minute, so many at the same time.

Which models it may ask for is in `allowed`, how many credits it may spend in `spending`: these hold for priced calls
alone, and know which one. What follows is about every request.

One process keeps count in memory. With `REDIS_URL` there is one count for all processes; while Redis is away, each
process admits a small share by itself.

    admission = await limits.admit(caller)
    try:
        ...
    finally:
        admission.release()
"""

import asyncio
from weakref import WeakKeyDictionary

from django.conf import settings

from accounts.keys import Caller
from gateway.limits.memory import MemoryLimiter
from gateway.limits.quota import Admission, format_duration, quota_of
from gateway.limits.shared import SharedLimiter

__all__ = ["Admission", "admit", "close", "format_duration", "renew_leases"]

_memory = MemoryLimiter()
# A connection to Redis belongs to one event loop.
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, SharedLimiter] = WeakKeyDictionary()


async def admit(caller: Caller, *, read: bool = False) -> Admission:
    """Permission for one more request, to be released when it has ended. `read` asks the bucket for reads.

    Raises `RateLimitExceeded` or `ConcurrencyExceeded`; both carry the `allowance` for the headers, and have
    taken nothing.
    """
    quota = quota_of(caller.requests_per_minute, caller.concurrent_requests, read)
    if not settings.REDIS_URL:
        return _memory.admit(caller, quota)
    return await _shared_limiter().admit(caller, quota)


async def renew_leases() -> None:
    """Tells Redis that this process lives and still works on what it was admitted. To be called every half minute."""
    if limiter := _shared.get(asyncio.get_running_loop()):
        await limiter.renew()


async def close() -> None:
    """Gives back what was released and ends the connection to Redis, if there is one."""
    if limiter := _shared.pop(asyncio.get_running_loop(), None):
        await limiter.close()


def _shared_limiter() -> SharedLimiter:
    loop = asyncio.get_running_loop()
    limiter = _shared.get(loop)
    if limiter is None:
        limiter = _shared[loop] = SharedLimiter(settings.REDIS_URL)
    return limiter
