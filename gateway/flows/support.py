"""What the staff may do about a video that does not go on."""

from collections.abc import Iterable

from gateway import jobs
from gateway.jobs.looking import try_to_cancel
from gateway.tasks import life
from gateway.tasks.callbacks import look_now
from gateway.tasks.writer import change

ENDED_BY_STAFF = "Our staff ended this video, since it did not go on. Nothing was charged; ask for it again."


async def have_looked_at(task_ids: Iterable[str]) -> list[str]:
    """The ids of those that are due now, as if their providers had called: running ones that nobody looks at."""
    due = [task_id for task_id in task_ids if (await change(task_id, look_now())).changed]
    if due:
        jobs.wake()
    return due


async def fail_and_release(task_ids: Iterable[str]) -> list[str]:
    """The ids of those that have failed by this: their holds are released, and their owners told as of any failure.

    Providers that stop their tasks are asked to. Others go on in vain, and may be paid for it. Raises
    `VideoTask.DoesNotExist`.
    """
    failed = []
    for task_id in task_ids:
        outcome = await change(task_id, life.fail("internal_error", ENDED_BY_STAFF))
        if not outcome.changed:
            continue
        failed.append(task_id)
        if outcome.task.provider_task_id:
            await try_to_cancel(outcome.task)
    return failed
