"""What is told of tasks while they go on: one log of events for each, followed from any point on.

The log is the truth and lies in the database. `gateway.hints` says that there may be something new in it.
"""

from collections.abc import AsyncGenerator
from typing import NamedTuple

from accounts.database import run_in_database_thread
from gateway.errors import TaskNotFound
from gateway.hints import Interrupted, close, interrupt, waiting_for
from gateway.hints import tell as publish
from gateway.models import TaskEvent, VideoTask

__all__ = ["ENDINGS", "Interrupted", "Log", "close", "find_log", "follow", "interrupt", "publish"]

# The types that end a log.
ENDINGS = frozenset({"video.completed", "video.failed", "video.cancelled"})
MOST_AT_ONCE = 200
# Seconds of silence after which a follower gets a moment to look after itself.
SILENCE = 3.0


class Log(NamedTuple):
    """How far a task's log is: the number of its last event so far, and whether any may follow."""

    last: int
    is_ended: bool


async def find_log(owner_id: int, task_id: str) -> Log:
    """The log of a task of this owner. Raises `TaskNotFound`, in the same words for an unknown id and another's."""
    # Postgres fails at some of what an address may hold.
    log = await run_in_database_thread(_find_log, owner_id, task_id) if task_id.isprintable() else None
    if log is None:
        raise TaskNotFound
    return log


async def follow(task_id: str, after: int = 0) -> AsyncGenerator[list[TaskEvent], None]:
    """The events after number `after`: those that are there, then others as they happen; ends after the last one.

    None is left out, and none comes twice. While nothing happens an empty list comes now and then, so that the follower
    can see whether it still may, and should. Raises `Interrupted` where the process is about to end, and what the
    database raises.
    """
    with waiting_for(task_id, after) as news:
        while True:
            news.forget()
            events, ended = await run_in_database_thread(_read, task_id, news.seen)
            if events:
                news.seen = events[-1].number
                yield events
            if ended:
                return
            if len(events) < MOST_AT_ONCE:
                while not await news.come_within(SILENCE):
                    yield []


def _find_log(owner_id: int, task_id: str) -> Log | None:
    found = VideoTask.objects.filter(pk=task_id, account_id=owner_id, forgotten=False)
    row = found.values_list("last_event", "ended_at").first()
    return Log(last=row[0], is_ended=row[1] is not None) if row else None


def _read(task_id: str, after: int) -> tuple[list[TaskEvent], bool]:
    """The next events, and whether they are the last."""
    events = _events_after(task_id, after)
    if not events:
        if VideoTask.objects.filter(pk=task_id, ended_at=None).exists():
            return [], False
        # If it ended just now, its last event was written along: since the first look.
        events = _events_after(task_id, after)
    return events, not events or events[-1].type in ENDINGS


def _events_after(task_id: str, number: int) -> list[TaskEvent]:
    return list(TaskEvent.objects.filter(task_id=task_id, number__gt=number).order_by("number")[:MOST_AT_ONCE])
