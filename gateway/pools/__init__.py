"""Servers of one's own: which there are, how each is, and which to try first.

Belongs here: the replicas of `SELFHOSTED_POOLS` and of the engine, their health and load, draining. Does not: the wire
format (gateway.providers), whose session is where (gateway.sessions).
"""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from gateway.pools.pool import Pool
from gateway.pools.replica import Health, Replica

__all__ = ["Health", "Pool", "Replica", "find_pool", "list_pools"]

ENGINE = "engine"


def list_pools() -> list[Pool]:
    """The engine's pool of one, then those of `SELFHOSTED_POOLS`. The same objects while the settings are the same."""
    return list(_pools().values())


def find_pool(name: str) -> Pool | None:
    return _pools().get(name)


@cache
def _pools() -> dict[str, Pool]:
    replica = Replica(ENGINE, f"{settings.ENGINE_URL}/v1")
    engine = Pool(ENGINE, (replica,), implied=settings.ENGINE_IS_IMPLIED, strict=True)
    pools = {ENGINE: engine}
    for name, pool in settings.SELFHOSTED_POOLS.items():
        urls = dict.fromkeys(url.rstrip("/") for url in pool["replicas"])
        pools[name] = Pool(name, tuple(Replica(name, url, pool.get("api_key", "")) for url in urls))
    return pools


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in ("SELFHOSTED_POOLS", "ENGINE_URL", "ENGINE_IS_IMPLIED"):
        _pools.cache_clear()


# Settings change under test alone; looking each time whether they did would cost every call.
setting_changed.connect(_forget)
