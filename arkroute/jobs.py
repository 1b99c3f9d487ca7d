"""A process that answers nobody and does the jobs, ending in order."""

import asyncio
import os
import signal
from collections.abc import Callable

import uvloop

from arkroute.runtime import Part, runtime


def do_jobs(on_ready: Callable[[], None]) -> int:
    """Does the jobs until a signal ends it. Returns the exit status: 0.

    What is under way at SIGTERM or SIGINT is brought as far as it goes in 20 seconds; another process goes on with
    the rest. A second signal ends it at once, with status 1.
    """
    uvloop.run(_until_told_to_end(on_ready))
    return 0


async def _until_told_to_end(on_ready: Callable[[], None]) -> None:
    told_to_end = asyncio.Event()

    def end() -> None:
        if told_to_end.is_set():
            # As a crash would, which leaves nothing that others cannot go on with.
            os._exit(1)
        told_to_end.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    runtime().parts = Part.JOBS
    runtime().start()
    on_ready()
    await told_to_end.wait()
    await runtime().drain()
