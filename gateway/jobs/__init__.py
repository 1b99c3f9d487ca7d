"""Brings tasks to their end: hands them to providers (`handing`), looks how they are and stores what was made
(`looking`).

Runs in every process that has jobs (`arkroute.runtime`), over the table of tasks: any number of them at once. A step
begins with the row as it was claimed and ends in one transition; a crash anywhere leaves the row to be claimed again.
"""

import asyncio
from weakref import WeakKeyDictionary

from django.db import models
from django.utils import timezone

from gateway.jobs.handing import find_lost, hand_over
from gateway.jobs.looking import give_up, look
from gateway.models import VideoTask
from gateway.queue.claims import Share
from gateway.queue.worker import Worker

State = VideoTask.State

# Submissions at a time in one process, which have their pictures in memory; and looks, which mostly wait for an answer.
# One does not wait for the other.
MOST_HANDED_OVER = 64
MOST_LOOKED_AT = 768
# A provider that hangs holds what it is asked for as long as it may, and must not hold all.
OF_ONE_MODEL = Share("model_id", MOST_HANDED_OVER // 2)
OF_ONE_PLACE = Share("served_by", MOST_LOOKED_AT // 2)

_workers: "WeakKeyDictionary[asyncio.AbstractEventLoop, list[Worker[VideoTask]]]" = WeakKeyDictionary()


async def run() -> None:
    """Works until it is cancelled."""
    workers = [
        Worker(_without_provider, step, MOST_HANDED_OVER, OF_ONE_MODEL),
        Worker(_at_provider, step, MOST_LOOKED_AT, OF_ONE_PLACE),
    ]
    _workers[asyncio.get_running_loop()] = workers
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker.run())


def wake() -> None:
    """A task is due: this process's own workers, if it has any, need not find out."""
    for worker in _workers.get(asyncio.get_running_loop(), ()):
        worker.wake()


def _without_provider() -> "models.QuerySet[VideoTask]":
    return VideoTask.objects.filter(ended_at__isnull=True, state__in=(State.QUEUED, State.SUBMITTING))


def _at_provider() -> "models.QuerySet[VideoTask]":
    return VideoTask.objects.filter(ended_at__isnull=True, state=State.RUNNING)


async def step(task: VideoTask) -> None:
    """Takes a claimed task as far as it goes now."""
    if task.is_overdue(timezone.now()):
        await give_up(task)
    elif task.state == State.QUEUED:
        await hand_over(task)
    elif task.state == State.SUBMITTING:
        await find_lost(task)
    else:
        await look(task)
