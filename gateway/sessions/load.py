"""How many sessions each replica carries: a part of its load, and for people to see."""

from gateway.pools import list_pools
from gateway.sessions import current_store
from gateway.sessions.store import StoreUnavailable


async def count_sessions() -> None:
    """Fills `Replica.sessions`, to be called every few seconds. Where the store is away, the numbers stay."""
    store = current_store()
    try:
        for pool in list_pools():
            for replica in pool.replicas:
                replica.sessions = await store.count_pins(pool.name, replica.url)
    except StoreUnavailable:
        return
