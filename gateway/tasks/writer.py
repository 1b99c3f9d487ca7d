"""The one writer of tasks that are there: many transitions in one transaction.

As the ledger's own writer does, it takes whatever is asked for while a transaction runs into the next one. The rows are
locked in the order of their ids, before the accounts whose holds they end; each transition sees its row as it is then,
and what it comes to is written with it: events, messages, the end of the hold, the receipt. Followers are told after
the COMMIT.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from msgspec import Struct

from accounts.database import run_in_database_thread
from billing import ledger, rows
from gateway import events
from gateway.models import VideoTask
from gateway.tasks import life
from gateway.tasks.files import discard
from gateway.tasks.life import Change, Transition
from gateway.webhooks import sending

logger = logging.getLogger(__name__)

MAX_BATCH = 256


class Outcome(Struct):
    """The task as it is now, and whether the transition changed it."""

    task: VideoTask
    changed: bool


async def change(task_id: str, transition: Transition, *, claim: str | None = None) -> Outcome:
    """Makes a transition. With a `claim`, only if that is still the task's: another worker may have taken it over.

    Is done even if the caller is cancelled meanwhile. Raises `VideoTask.DoesNotExist`, and `django.db.Error`.
    """
    loop = asyncio.get_running_loop()
    writer = _writers.get(loop)
    if writer is None:
        writer = _writers[loop] = _Writer()
    return await asyncio.shield(writer.ask(_Asked(task_id, transition, claim)))


class _Asked(Struct):
    task_id: str
    transition: Transition
    claim: str | None


class _Writer:
    """Of one event loop."""

    def __init__(self) -> None:
        self._queue: list[tuple[_Asked, asyncio.Future[Outcome]]] = []
        self._writing: asyncio.Task[None] | None = None

    def ask(self, asked: _Asked) -> "asyncio.Future[Outcome]":
        future = asyncio.get_running_loop().create_future()
        self._queue.append((asked, future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return future

    async def _write_all(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            await self._settle(batch)

    async def _settle(self, batch: "list[tuple[_Asked, asyncio.Future[Outcome]]]") -> None:
        try:
            written = await run_in_database_thread(_write, [asked for asked, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, OperationalError | InterfaceError):
                # One of them cannot be written. It must not fail the others.
                for one in batch:
                    await self._settle([one])
                return
            for _, future in batch:
                _resolve(future, error)
            return
        for (_, future), outcome in zip(batch, written.outcomes, strict=True):
            _resolve(future, outcome)
        await events.publish(written.told)
        if written.has_messages:
            sending.wake()
        if written.discarded:
            await asyncio.to_thread(discard, written.discarded)


_writers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Writer] = WeakKeyDictionary()


def _resolve(future: "asyncio.Future[Outcome]", outcome: Outcome | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


class _Written(Struct):
    """What a transaction came to. `told`: the tasks that have new events."""

    outcomes: list[Outcome | Exception]
    told: list[str]
    discarded: list[str]
    has_messages: bool


def _write(batch: Sequence[_Asked]) -> _Written:
    with transaction.atomic():
        locked = VideoTask.objects.select_for_update().filter(pk__in={asked.task_id for asked in batch})
        tasks = {task.pk: task for task in locked.order_by("pk")}
        now = timezone.now()
        outcomes: list[Outcome | Exception] = []
        changes: list[tuple[VideoTask, Change]] = []
        for asked in batch:
            task = tasks.get(asked.task_id)
            if task is None:
                outcomes.append(VideoTask.DoesNotExist(asked.task_id))
                continue
            made = asked.transition(task, now) if asked.claim in (None, task.claim) else None
            outcomes.append(Outcome(task, made is not None))
            if made is not None:
                changes.append((task, made))
        changes = _end_holds(changes, now)
        connection = connections[DEFAULT_DB_ALIAS]
        with rows.unlogged(connection):
            _update(changes, connection)
            rows.insert_unsaved(connection, [row for _, made in changes for row in (*made.events, *made.deliveries)])
    return _Written(
        outcomes,
        told=list({task.pk: None for task, made in changes if made.events}),
        discarded=[name for _, made in changes for name in made.discarded],
        has_messages=any(made.deliveries for _, made in changes),
    )


def _update(changes: list[tuple[VideoTask, Change]], connection: BaseDatabaseWrapper) -> None:
    """Of most tasks a few fields have changed, and the others would cost several times as much."""
    tasks = {task.pk: task for task, _ in changes}
    fields: dict[str, tuple[str, ...] | None] = {}
    for task, made in changes:
        fields[task.pk] = made.only if fields.get(task.pk, made.only) == made.only else None
    for only in set(fields.values()):
        rows.update_saved(connection, [tasks[key] for key, changed in fields.items() if changed == only], only)


def _end_holds(changes: list[tuple[VideoTask, Change]], now: datetime) -> list[tuple[VideoTask, Change]]:
    """The changes as they are once the ledger has had its say."""
    ending = [at for at, (_, made) in enumerate(changes) if made.verb is not None]
    verbs = [verb for at in ending if (verb := changes[at][1].verb) is not None]
    outcomes = ledger.try_now(verbs)
    late = []
    for at, outcome in zip(ending, outcomes, strict=True):
        if isinstance(outcome, ledger.LedgerError):
            task, made = changes[at]
            logger.error("%s: the hold of %s had ended before it did: %s", task.request_id, task.pk, outcome)
            changes[at] = task, life.lose_hold(task, now, made)
            late.append(at)
    ledger.try_now([verb for at in late if (verb := changes[at][1].verb) is not None])
    return changes
