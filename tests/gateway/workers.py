"""The job loop a step at a time, and workers that are killed or race: for the tests of what becomes of a task."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.database import run_in_database_thread
from accounts.keys import Caller
from accounts.models import User
from billing import ledger
from billing.models import CreditAccount, Hold
from gateway import jobs
from gateway.call import Call
from gateway.flows import videos
from gateway.models import Receipt, TaskEvent, VideoTask
from gateway.queue import claims
from gateway.requests.videos import parse_video
from tests.billing.processes import database_under_test, read_to_the_end, run

# 5 seconds of them are 18 and 25 credits.
TURBO, SEEDANCE = "kling-v2-5-turbo", "seedance-1.0"
# More steps no task of a test takes.
MOST_STEPS = 20


def make_caller(*, credits: int = 500, concurrent_videos: int = 1000) -> Caller:
    """Alice with her key."""
    user = User.objects.create_user("alice@example.com")
    ledger.grant_signup_credits(user, credits=credits)
    return Caller(
        key_id=1,
        user_id=user.pk,
        email=user.email,
        key_name="",
        key_prefix="ark-abcd",
        requests_per_minute=600,
        concurrent_requests=50,
        concurrent_videos=concurrent_videos,
    )


def call_of(caller: Caller) -> Call:
    return Call(caller=caller, endpoint="/v1/video/generations")


async def ask_for(caller: Caller, model: str = TURBO, **wish: Any) -> VideoTask:
    """A new task, queued."""
    return await videos.create(call_of(caller), parse_video({"model": model, "prompt": "a lighthouse", **wish}))


async def claim(task_id: str) -> VideoTask:
    """The task in the hands of a worker, whether or not it was due, and whoever had it before."""
    return await run_in_database_thread(_claim, task_id)


async def step(task_id: str) -> VideoTask:
    """The task after a worker took it one step on."""
    await jobs.step(await claim(task_id))
    return await read(task_id)


async def bring_to_its_end(task_id: str) -> VideoTask:
    for _ in range(MOST_STEPS):
        if (task := await step(task_id)).is_ended:
            return task
    raise AssertionError(f"after {MOST_STEPS} steps it is {task.state}")


async def read(task_id: str) -> VideoTask:
    return await VideoTask.objects.aget(pk=task_id)


async def events_of(task_id: str) -> list[TaskEvent]:
    return [event async for event in TaskEvent.objects.filter(task_id=task_id).order_by("number")]


async def money_of(caller: Caller) -> tuple[int, int]:
    """Posted and held."""
    account = await CreditAccount.objects.aget(pk=caller.user_id)
    return account.posted, account.held


async def ending_of(task_id: str) -> "Ending":
    """How a task ended: its state and error, its hold's state, the millicredits charged, and its receipt's outcome."""
    task = await read(task_id)
    hold = await Hold.objects.aget(pk=task.request_id)
    receipt = await Receipt.objects.aget(pk=task.request_id)
    assert hold.captured == receipt.captured
    return task.state, task.error_code, hold.state, receipt.captured, receipt.outcome


# What they come to.
Ending = tuple[str, str, str, int, str]
CANCELLED: Ending = ("cancelled", "cancelled", "released", 0, "failed")


def completed(credits: int = 18) -> Ending:
    return "completed", "", "captured", credits * 1000, "succeeded"


def failed(code: str) -> Ending:
    return "failed", code, "released", 0, "failed"


async def pass_deadline(task_id: str, *, by: float = 1) -> None:
    """It is so many seconds past the task's deadline, and past its hold's where they are more than the grace."""
    past = timezone.now() - timedelta(seconds=by)
    await VideoTask.objects.filter(pk=task_id).aupdate(deadline=past)
    task = await read(task_id)
    await Hold.objects.filter(pk=task.request_id).aupdate(deadline=past + timedelta(minutes=10))


def _claim(task_id: str) -> VideoTask:
    waiting = VideoTask.objects.filter(pk=task_id, ended_at=None)
    waiting.update(next_at=timezone.now() - timedelta(seconds=1))
    [task] = claims.claim_due(waiting, 1)
    return task


# --- Processes that die ----------------------------------------------------------------------------------------------


class DyingWorkers:
    """A process that forks workers (`dying_worker.py`): to start one anew for each would take seconds."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def work(self, task_id: str, dies: str) -> int:
        """The signal that ended a worker which took the task as far as to a moment such as `before accept`."""
        return self._ask(f"{dies} {task_id}")

    def race(self, workers: int) -> None:
        """So many workers at once bring all tasks to their end."""
        assert self._ask(f"race {workers}") == 0

    def _ask(self, line: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def dying_workers() -> Iterator[DyingWorkers]:
    """On the database under test, with this process's environment."""
    process = run(Path(__file__).with_name("dying_worker.py"), database_url=database_under_test())
    try:
        yield DyingWorkers(process)
    finally:
        read_to_the_end(process)
