"""A process that forks workers, and prints how each ended: the number of the signal, or 0.

It reads lines: `before|in|after TRANSITION TASK_ID` is a worker that takes a task step by step and is killed with
SIGKILL when it gets there: before the transition is written, in its transaction before the COMMIT, or after that.
`race COUNT` are so many workers at once, until no task is left.
"""

import asyncio
import os
import signal
import sys
import traceback
from typing import Any

import django

django.setup()

from billing import rows  # noqa: E402
from gateway import jobs  # noqa: E402
from gateway.jobs import asking, handing, looking  # noqa: E402
from gateway.models import VideoTask  # noqa: E402
from gateway.queue import worker  # noqa: E402
from gateway.tasks import life, writer  # noqa: E402
from tests.gateway import workers  # noqa: E402


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_when(moment: str, name: str) -> None:
    change, update_saved = writer.change, rows.update_saved
    here = False

    async def change_and_die(task_id: str, transition: life.Transition, **named: Any) -> writer.Outcome:
        nonlocal here
        here = transition.__qualname__.partition(".")[0] == name
        if here and moment == "before":
            die()
        outcome = await change(task_id, transition, **named)
        if here and moment == "after":
            die()
        return outcome

    def update_and_die(*arguments: Any) -> None:
        update_saved(*arguments)
        if here and moment == "in":
            die()

    asking.change = change_and_die
    writer.rows.update_saved = update_and_die


async def work(task_id: str) -> None:
    while True:
        await workers.step(task_id)


async def race() -> None:
    async def at_once(*_: object) -> float:
        return 0.0

    worker.PAUSE = 0.01
    looking.look_after = handing.look_after = at_once
    working = asyncio.create_task(jobs.run())
    while await VideoTask.objects.filter(ended_at=None).aexists():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def fork(*parts: str) -> int:
    if child := os.fork():
        return child
    try:
        if parts[0] == "race":
            asyncio.run(race())
        else:
            moment, transition, task_id = parts
            die_when(moment, transition)
            asyncio.run(work(task_id))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    for line in sys.stdin:
        asked = line.split()
        children = [fork(*asked) for _ in range(int(asked[1]) if asked[0] == "race" else 1)]
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(-min(ended) if min(ended) < 0 else max(ended), flush=True)
