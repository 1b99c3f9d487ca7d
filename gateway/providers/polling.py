"""Waiting for a task that runs at a provider."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from gateway.errors import ProviderError, ProviderFault

Task = TypeVar("Task")

# Seconds between two looks. A picture takes 5 to 30 seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 4.0
GROWTH = 1.5
# What keeps us from seeing a task for a moment says nothing of the task, which is paid for once it was accepted.
_PASSING = frozenset(
    {
        ProviderFault.RATE_LIMITED,
        ProviderFault.OVERLOADED,
        ProviderFault.TIMEOUT,
        ProviderFault.UNREACHABLE,
        ProviderFault.BROKEN,
    }
)


async def poll(look: Callable[[], Awaitable[Task | None]], *, seconds: float) -> Task:
    """What `look` finds once there is something: it is None while the task goes on.

    Raises `ProviderError`: TIMEOUT after `seconds`, and whatever `look` raises that will not pass by itself.
    """
    try:
        async with asyncio.timeout(seconds):
            for pause in _pauses():
                await asyncio.sleep(pause)
                try:
                    found = await look()
                except ProviderError as error:
                    if error.kind not in _PASSING:
                        error.accepted = True
                        raise
                    found = None
                if found is not None:
                    return found
    except TimeoutError:
        raise ProviderError(ProviderFault.TIMEOUT, "the task did not end in time", accepted=True) from None
    raise AssertionError("the pauses do not end")


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(LONGEST_PAUSE, pause * GROWTH)
