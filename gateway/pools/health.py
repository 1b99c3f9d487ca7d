"""Asks the servers of pools how they are and what they have. Never by a request that makes a model work.

`GET <origin>/health` is answered by vLLM, SGLang, llama.cpp (503 while it loads), TEI, speaches and our engine; Ollama
has `GET /` instead. `GET <url>/models` is OpenAI's list, which TEI lacks. `GET <origin>/props` is llama.cpp's own:
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

import asyncio
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from gateway.errors import ProviderError, ProviderFault
from gateway.pools import list_pools
from gateway.pools.pool import Pool
from gateway.pools.replica import Health, Replica
from gateway.providers.http import pool as http_pool

# Seconds between two looks at a replica that is up; at one that is not; at one that may never have been there.
UP_INTERVAL = 3.0
OTHER_INTERVAL = 1.0
IMPLIED_INTERVAL = 10.0
# Models come and go while a server runs (`ollama pull`). Seconds.
DESCRIBE_INTERVAL = 30.0
# Seconds that an answer may take; and all of them together where a caller waits.
PATIENCE = 2.0
FIRST_PATIENCE = 1.0
# A long list of models, or llama.cpp's chat template.
MAX_BYTES = 1024 * 1024

_first_looks: WeakKeyDictionary[Pool, asyncio.Task[None]] = WeakKeyDictionary()


async def look_first(pool: Pool) -> None:
    """Returns once every replica of `pool` was asked, or a second has passed. At once, wherever that was before."""
    if pool.is_known:
        return
    look = _first_looks.get(pool)
    if look is None or look.done() or look.get_loop() is not asyncio.get_running_loop():
        look = _first_looks[pool] = asyncio.create_task(_look_first(pool))
    # All callers wait for one look, so that none of them may end it.
    await asyncio.shield(look)


async def look_after() -> None:
    """Asks every replica whose time it is. To be called every second."""
    await asyncio.gather(*(look_at(pool) for pool in list_pools()))


async def look_at(pool: Pool) -> None:
    """Asks the replicas of `pool` that were not asked a few seconds ago."""
    now = monotonic()
    await _look_at(pool, [replica for replica in pool.replicas if _is_due(pool, replica, now)])


async def _look_first(pool: Pool) -> None:
    try:
        async with asyncio.timeout(FIRST_PATIENCE):
            await _look_at(pool, [replica for replica in pool.replicas if replica.checked_at is None])
    except TimeoutError:
        pass  # who is slow is tried like one in good health
    pool.is_known = True


async def _look_at(pool: Pool, replicas: list[Replica]) -> None:
    await asyncio.gather(*(_look(pool, replica) for replica in replicas))


def _is_due(pool: Pool, replica: Replica, now: float) -> bool:
    if replica.checked_at is None:
        return True
    if not pool.is_expected:
        interval = IMPLIED_INTERVAL
    else:
        interval = UP_INTERVAL if replica.health is Health.UP else OTHER_INTERVAL
    return now - replica.checked_at >= interval


async def _look(pool: Pool, replica: Replica) -> None:
    await _ask(pool, replica)
    replica.checked_at = monotonic()


async def _ask(pool: Pool, replica: Replica) -> None:
    """Notes on `replica` what it says of itself."""
    try:
        async with asyncio.timeout(PATIENCE):
            health = await _ask_health(replica)
    except (TimeoutError, ProviderError) as error:
        kind = error.kind if isinstance(error, ProviderError) else ProviderFault.TIMEOUT
        if pool.is_expected:
            replica.note_failure(kind)  # silence counts like an answer that did not come
        return
    if health is Health.UP or health is None:
        try:
            async with asyncio.timeout(PATIENCE):
                await _describe(replica)
        except (TimeoutError, ProviderError):
            pass  # it is well all the same; the next look asks for the rest again
    if health is None and replica.health is Health.UNKNOWN:
        health = Health.UP
    if health is not None and pool.is_expected:
        replica.note_health(health)


async def _ask_health(replica: Replica) -> Health | None:
    """None where a server is there and says nothing of itself: how its answers fare has to do."""
    status, _ = await _get(replica, f"{_origin(replica)}/health")
    if status == 503:
        return Health.LOADING
    if status >= 500:
        return Health.DOWN
    for url in (f"{replica.url}/models", f"{_origin(replica)}/"):
        if 200 <= status < 300:
            break
        status, _ = await _get(replica, url)
    return Health.UP if 200 <= status < 300 else None


async def _describe(replica: Replica) -> None:
    """Reads which models the server has, and how many slots: those once each time that it comes up."""
    described_at = replica.described_at
    if described_at is not None and monotonic() - described_at < DESCRIBE_INTERVAL:
        return
    status, body = await _get(replica, f"{replica.url}/models")
    replica.models = _listed_models(body) if status == 200 else None
    if described_at is None:
        status, body = await _get(replica, f"{_origin(replica)}/props")
        replica.slots = _total_slots(body) if status == 200 else 0
    replica.described_at = monotonic()


def _origin(replica: Replica) -> str:
    return replica.url.removesuffix("/v1")


async def _get(replica: Replica, url: str) -> tuple[int, bytes]:
    """Status and body. Raises `ProviderError` where there is no answer."""
    headers = ((b"authorization", b"Bearer " + replica.api_key.encode()),) if replica.api_key else ()
    try:
        response = await http_pool().request(
            "GET", url, headers=headers, first_byte_timeout=PATIENCE, idle_timeout=PATIENCE
        )
        return response.status, await response.read(MAX_BYTES)
    except ProviderError as error:
        if error.status is None:
            raise
        return error.status, b""  # a redirect, or more than we care to read


def _listed_models(body: bytes) -> frozenset[str] | None:
    """The names of OpenAI's list of models. None where it is none."""
    rows = _decode(body).get("data")
    if not isinstance(rows, list):
        return None
    return frozenset(row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str))


def _total_slots(body: bytes) -> int:
    slots = _decode(body).get("total_slots")
    return slots if isinstance(slots, int) and slots > 0 else 0


def _decode(body: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return answer if isinstance(answer, dict) else {}
