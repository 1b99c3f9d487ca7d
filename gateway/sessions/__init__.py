"""A client's session: the replica and the slot that hold its state, and the conversation kept for it.

Belongs here: what `ark_session_id` and `ark_stateful` mean. Does not: cookies and headers (api), which replicas are
healthy (gateway.pools).
"""

import asyncio
from weakref import WeakKeyDictionary

from django.conf import settings

from gateway.sessions.memory import MemoryStore
from gateway.sessions.shared import SharedStore
from gateway.sessions.store import SessionStore

__all__ = ["close", "current_store", "tidy"]

_memory = MemoryStore()
# A connection to Redis belongs to one event loop.
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, SharedStore] = WeakKeyDictionary()


def current_store() -> SessionStore:
    """Memory for one process; Redis, with `REDIS_URL`, for any number of them, and for longer than they live."""
    if not settings.REDIS_URL:
        return _memory
    loop = asyncio.get_running_loop()
    store = _shared.get(loop)
    if store is None:
        store = _shared[loop] = SharedStore(settings.REDIS_URL)
    return store


async def tidy() -> None:
    """Forgets what has ended, and keeps the locks of turns that go on. To be called every half minute."""
    await current_store().tidy()


async def close() -> None:
    """Ends the connection to Redis, if there is one."""
    if store := _shared.pop(asyncio.get_running_loop(), None):
        await store.close()
