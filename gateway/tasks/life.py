"""What can happen to a task. Each transition changes its row and says what is written along, and nothing else.

    queued ──> submitting ──> running ──> completed
      │  <───────┘ postponed     │
      └──────────┴───────────────┴──────> failed, cancelled

A transition is made under the row's lock, by `gateway.tasks.writer`. It looks at the row as it is by then: one that
does not fit any more changes nothing, and answers None.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

import msgspec
from msgspec import Struct, field

from billing.verbs import Verb
from gateway.models import TaskEvent, VideoTask, WebhookDelivery
from gateway.tasks import money
from gateway.tasks.shape import status_body

State = VideoTask.State

DEADLINE_EXCEEDED = "deadline_exceeded"
# The longest message of a failure that is kept.
MOST_CHARACTERS = 1000


class Change(Struct):
    """What is written with a task's row, and what may be deleted from the storage after that.

    `verb` ends its hold; if the ledger refuses it, the hold had ended before. `only`: the fields that changed, where
    they are few.
    """

    events: list[TaskEvent] = field(default_factory=list)
    deliveries: list[WebhookDelivery] = field(default_factory=list)
    verb: Verb | None = None
    discarded: list[str] = field(default_factory=list)
    only: tuple[str, ...] | None = None


# What a look that finds nothing new changes, as most do.
LOOKED_AT = ("progress", "next_at", "claim", "tries", "last_event")

Transition = Callable[[VideoTask, datetime], Change | None]
# Who was tried, as receipts have it.
Attempts = list[dict[str, Any]]


def begin(task: VideoTask, now: datetime) -> list[TaskEvent]:
    """The events of a task that is about to be written for the first time."""
    return [_event(task, "video.queued", now)]


class Place(Struct, frozen=True):
    """Where a task is handed to: the fields of its row that say so."""

    served_by: str = ""
    served_model_id: str = ""
    key_fingerprint: str = ""
    stand_in: bool = False

    def write(self, task: VideoTask) -> None:
        for name in self.__struct_fields__:
            setattr(task, name, getattr(self, name))


def hand_over(place: Place) -> Transition:
    """Somebody is about to ask a provider for it, the first one or the next: from here on nobody else does."""

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.state not in (State.QUEUED, State.SUBMITTING):
            return None
        task.state = State.SUBMITTING
        place.write(task)
        return Change()

    return apply


def postpone(seconds: float) -> Transition:
    """Nobody took it on: it is handed over again after so many seconds."""

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.state == State.SUBMITTING:
            task.state = State.QUEUED
            Place().write(task)
        return stay(seconds)(task, now)

    return apply


def stay(seconds: float, attempts: Attempts | None = None) -> Transition:
    """What was tried was in vain: it is tried again after so many seconds, in whichever state the task is.

    `attempts`: who was tried, where that is not written yet; as everywhere here.
    """

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.is_ended:
            return None
        task.tries += 1
        task.attempts = task.attempts if attempts is None else attempts
        _wait(task, now, seconds)
        return Change()

    return apply


def accept(provider_task_id: str, look_after: float, attempts: Attempts) -> Transition:
    """The provider that it was handed to took it on; it is looked at after so many seconds."""

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.state != State.SUBMITTING:
            return None
        task.provider_task_id, task.attempts = provider_task_id, attempts
        task.state = State.RUNNING
        task.tries = 0
        task.started_at = now
        _wait(task, now, look_after)
        return Change(events=[_event(task, "video.in_progress", now)])

    return apply


def look(progress: int, look_after: float) -> Transition:
    """It goes on. Progress does not go back, and is not 100 before the end."""

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.state != State.RUNNING:
            return None
        task.tries = 0
        _wait(task, now, look_after)
        if progress <= task.progress:
            return Change(only=LOOKED_AT)
        task.progress = min(progress, 99)
        return Change(events=[_event(task, "video.progress", now)], only=LOOKED_AT)

    return apply


def complete(media: str, duration: float | None) -> Transition:
    """Its clip lies in our storage as `media`. Past its deadline it has failed all the same."""

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.state != State.RUNNING:
            return None
        if task.is_overdue(now):
            return fail(DEADLINE_EXCEEDED, "The video was not done in time.")(task, now)
        task.state = State.COMPLETED
        task.progress = 100
        # What its owner has deleted meanwhile is paid for, and thrown away.
        task.media, task.duration = "" if task.forgotten else media, duration
        return _end(task, now, money.capture(task, now))

    return apply


def fail(code: str, message: str, attempts: Attempts | None = None) -> Transition:
    """It has failed: nothing is charged."""

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.is_ended:
            return None
        task.state = State.FAILED
        # A provider's own words may be in it, and Postgres keeps no NUL.
        task.error_code, task.error_message = code, message.replace("\0", "")[:MOST_CHARACTERS]
        task.attempts = task.attempts if attempts is None else attempts
        return _end(task, now, money.release(task, now))

    return apply


def cancel(*states: State) -> Transition:
    """It is cancelled, if it is in one of `states`: nothing is charged."""

    def apply(task: VideoTask, now: datetime) -> Change | None:
        if task.state not in states:
            return None
        task.state = State.CANCELLED
        task.error_code, task.error_message = "cancelled", "The video was cancelled."
        return _end(task, now, money.release(task, now))

    return apply


def forget(task: VideoTask, now: datetime) -> Change | None:
    """Its owner deleted it: it is not shown any more, and its clip goes. One that goes on ends unheard."""
    if task.forgotten:
        return None
    task.forgotten, task.webhook_url = True, ""
    media, task.media = task.media, ""
    return Change(discarded=[media] if media else [])


def lose_hold(task: VideoTask, now: datetime, change: Change) -> Change:
    """`change` of a task whose hold turns out to have been released before: nothing can be charged.

    What was to complete it has failed it, for then its deadline is past.
    """
    if task.state != State.COMPLETED:
        return Change(change.events, change.deliveries, money.record_late(task, now), change.discarded)
    media, task.media, task.progress = task.media, "", 99
    task.last_event -= len(change.events)
    task.state = State.FAILED
    task.error_code, task.error_message = DEADLINE_EXCEEDED, "The video was not done in time."
    ended = _end(task, now, money.record_late(task, now))
    ended.discarded = [*change.discarded, media]
    return ended


def _wait(task: VideoTask, now: datetime, seconds: float) -> None:
    # Not beyond the deadline, which somebody has to notice.
    task.next_at = max(now, min(now + timedelta(seconds=seconds), task.deadline))
    task.claim = ""


def _end(task: VideoTask, now: datetime, verb: Verb) -> Change:
    task.ended_at = now
    task.claim = ""
    # What was said to the model is the client's own affair, and not needed any more.
    discarded = [frame["name"] for frame in task.frames.values()]
    task.body, task.frames = {}, {}
    event = _event(task, f"video.{task.state}", now)
    deliveries = [_delivery(task, event, now)] if task.webhook_url else []
    return Change(events=[event], deliveries=deliveries, verb=verb, discarded=discarded)


def _event(task: VideoTask, kind: str, now: datetime) -> TaskEvent:
    task.last_event += 1
    body = {"id": task.last_event, "type": kind, "created_at": int(now.timestamp()), "task": status_body(task)}
    return TaskEvent(task_id=task.pk, number=task.last_event, type=kind, body=msgspec.json.encode(body).decode())


def _delivery(task: VideoTask, event: TaskEvent, now: datetime) -> WebhookDelivery:
    message_id = f"evt_{token_hex(16)}"
    shown = msgspec.json.decode(event.body)
    body = {
        "id": message_id,
        "object": "event",
        "type": event.type,
        "created_at": shown["created_at"],
        "data": shown["task"],
    }
    return WebhookDelivery(
        id=message_id,
        account_id=task.account_id,
        task_id=task.pk,
        type=event.type,
        url=task.webhook_url,
        body=msgspec.json.encode(body).decode(),
        next_at=now,
        created_at=now,
    )
