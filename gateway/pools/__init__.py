"""Servers of one's own: which there are, how each is, and which to try first.

Belongs here: the replicas of `SELFHOSTED_POOLS` and of the engine, their health and load, draining. Does not: the wire
format (gateway.providers), whose session is where (gateway.sessions).
"""

from typing import Any

from django.conf import settings
from msgspec import Struct

from gateway.pools.pool import Pool
from gateway.pools.replica import Health, Replica

__all__ = ["Health", "Pool", "Replica", "find_pool", "list_pools"]

ENGINE = "engine"


class _Known(Struct):
    """The pools that were made of these settings."""

    pools: dict[str, Pool]
    made_of: tuple[Any, str, bool] | None = None


_known = _Known({})


def list_pools() -> list[Pool]:
    """The engine's pool of one, then those of `SELFHOSTED_POOLS`. The same objects while the settings are the same."""
    return list(_pools().values())


def find_pool(name: str) -> Pool | None:
    return _pools().get(name)


def _pools() -> dict[str, Pool]:
    made_of = _known.made_of
    if (
        made_of is None
        or made_of[0] is not settings.SELFHOSTED_POOLS
        or made_of[1] != settings.ENGINE_URL
        or made_of[2] != settings.ENGINE_IS_IMPLIED
    ):
        _known.pools = _make()
        _known.made_of = (settings.SELFHOSTED_POOLS, settings.ENGINE_URL, settings.ENGINE_IS_IMPLIED)
    return _known.pools


def _make() -> dict[str, Pool]:
    replica = Replica(ENGINE, f"{settings.ENGINE_URL}/v1")
    engine = Pool(ENGINE, (replica,), implied=settings.ENGINE_IS_IMPLIED, strict=True)
    pools = {ENGINE: engine}
    for name, pool in settings.SELFHOSTED_POOLS.items():
        urls = dict.fromkeys(url.rstrip("/") for url in pool["replicas"])
        pools[name] = Pool(name, tuple(Replica(name, url, pool.get("api_key", "")) for url in urls))
    return pools
