"""The database for async code: a few threads of our own, each with a connection that it keeps.

Django looks after its connections when a request begins and ends. The express lane knows no such moments, so every
call here does it for itself: a connection that died, or is older than `CONN_MAX_AGE`, is replaced before use.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="database")


def submit_to_database_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    """A future of what `function` returns in one of the threads. It belongs to no event loop."""

    def call() -> R:
        close_old_connections()
        return function(*args, **kwargs)

    return _pool.submit(call)


async def run_in_database_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `function` returns, or raises, in one of the threads. There is no transaction around it."""
    return await asyncio.wrap_future(submit_to_database_thread(function, *args, **kwargs))


def close_database_threads() -> None:
    """Waits for what is running, then closes the threads and their connections. The next call starts new ones.

    For the end of a process, and for tests, whose database cannot be dropped while connections to it are open.
    """
    global _pool
    old, _pool = _pool, ThreadPoolExecutor(THREADS, thread_name_prefix="database")
    _close_connections_of(old)
    old.shutdown()


def _close_connections_of(pool: ThreadPoolExecutor) -> None:
    everyone_is_here = threading.Barrier(THREADS)

    def close() -> None:
        everyone_is_here.wait()
        connections.close_all()

    wait([pool.submit(close) for _ in range(THREADS)])


def _start_afresh() -> None:
    global _pool  # noqa: PLW0603 - the process's own pool, as above
    _pool = ThreadPoolExecutor(THREADS, thread_name_prefix="database")


# A fork copies the pool but not its threads.
os.register_at_fork(after_in_child=_start_afresh)
