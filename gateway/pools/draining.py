"""Taking a replica out of service: it gets no new requests, what it works on ends, its sessions move at their next
turn. All processes follow the database, so that one word to any of them does.
"""

from accounts.database import run_in_database_thread
from gateway.models import PoolReplica
from gateway.pools import list_pools


def drain(pool: str, url: str) -> None:
    """From a second or two on, no process sends new requests there."""
    PoolReplica.objects.update_or_create(pool=pool, url=url, defaults={"draining": True})


def undrain(pool: str, url: str) -> None:
    """Takes the replica back into service."""
    PoolReplica.objects.filter(pool=pool, url=url).update(draining=False)


async def follow_drains() -> None:
    """Reads which replicas are drained. To be called every second."""
    drained = await run_in_database_thread(_read_drained)
    for pool in list_pools():
        for replica in pool.replicas:
            replica.draining = (pool.name, replica.url) in drained


def _read_drained() -> set[tuple[str, str]]:
    return set(PoolReplica.objects.filter(draining=True).values_list("pool", "url"))
