"""/healthz and /readyz, for load balancers and supervisors. Plain ASGI: they answer whatever state the rest is in."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import redis.asyncio
from django.conf import settings
from django.db import DatabaseError, connection

from arkroute.runtime import runtime
from gateway.call import new_request_id
from gateway.pools import ENGINE, Health, Pool, list_pools
from gateway.pools.health import look_at

# Seconds that each dependency has to answer.
PATIENCE = 2.0


async def healthz(scope: Any, receive: Any, send: Any) -> None:
    """200 while the process can answer at all. Asks nothing else: a restart would not mend a dependency."""
    await _answer(send, 200, {"status": "ok"})


async def readyz(scope: Any, receive: Any, send: Any) -> None:
    """200 where requests should be sent here: `ready`, or `degraded` with the name of what is missing.

    503 where not: `draining` once the process was told to end, `unavailable` without a database.
    """
    report = await read_readiness()
    await _answer(send, 503 if report["status"] in ("draining", "unavailable") else 200, report)


async def read_readiness() -> dict[str, str]:
    """`status`, and of each dependency whether it is `ok` or `unreachable`."""
    if runtime().draining:
        return {"status": "draining"}
    checks = {"database": database_answers()}
    for pool in list_pools():
        if pool.is_expected:
            checks[ENGINE if pool.name == ENGINE else f"pool:{pool.name}"] = pool_answers(pool)
    if settings.REDIS_URL:
        checks["redis"] = redis_answers()
    answers = dict(zip(checks, await asyncio.gather(*checks.values()), strict=True))
    status = "ready" if all(answers.values()) else "degraded" if answers["database"] else "unavailable"
    return {"status": status} | {name: "ok" if well else "unreachable" for name, well in answers.items()}


async def database_answers() -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().run_in_executor(_thread(), _select_one)
    except (DatabaseError, TimeoutError):
        return False
    return True


async def pool_answers(pool: Pool) -> bool:
    """Whether some replica takes requests, as of a few seconds ago."""
    try:
        async with asyncio.timeout(PATIENCE):
            await look_at(pool)
    except TimeoutError:
        pass  # one that is slow takes nothing from what is known of the others
    return any(replica.health is Health.UP and not replica.draining for replica in pool.replicas)


async def redis_answers() -> bool:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    try:
        async with asyncio.timeout(PATIENCE):
            await client.ping()
    except (redis.RedisError, OSError, TimeoutError):
        return False
    finally:
        await client.aclose()
    return True


@functools.cache
def _thread() -> ThreadPoolExecutor:
    # Of its own: a database that hangs blocks this thread, and not those of the requests.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="readyz")


def _select_one() -> None:
    # A connection of its own each time: what is asked is whether one can be had.
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


async def _answer(send: Any, status: int, body: dict[str, str]) -> None:
    content = msgspec.json.encode(body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
        (b"cache-control", b"no-store"),
        (b"x-request-id", new_request_id().encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
