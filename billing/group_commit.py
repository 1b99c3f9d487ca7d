"""Many callers' verbs in one transaction: the only writer of money.

`apply` is the core: it locks the accounts that the verbs touch, applies the verbs in the order of their arrival, and
writes what has changed. It also runs inside a caller's own transaction (`ledger.apply_now`), where a second
connection would lock itself out on SQLite.

`writer()` is the process's thread that feeds it. Callers queue their verbs; whatever is queued when a transaction
ends makes the next one, and each caller is woken after the COMMIT. It never lingers to collect more: the disk's own
sync is the time in which others arrive, and the turn of the event loop that the woken callers take.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from billing import rows
from billing.books import Books
from billing.errors import LedgerError, LedgerUnavailable
from billing.models import Hold, LedgerEntry
from billing.verbs import Expire, Post, Verb

logger = logging.getLogger(__name__)

MAX_BATCH = 512
# Seconds at most in which an event loop takes its turn with those who were just woken. On a busy core both want the
# interpreter: a writer that goes on at once commits what little has come meanwhile, at a transaction's full price.
# Measured at 64 connections: 10 % less CPU per request, 13 % more requests a second.
LONGEST_TURN = 0.005
# More than this means that the database has stood still for long: better refused now than answered much too late.
MAX_QUEUED = 20_000

# What a verb came to: its result, or the error that its caller gets.
Outcome = Any
Waiting = tuple[Verb, "asyncio.Future[Any] | None"]


def apply(verbs: Sequence[Verb], connection: BaseDatabaseWrapper) -> list[Outcome]:
    """The outcome of each verb, in their order; a refused one's is its `LedgerError`.

    Needs an open transaction, and leaves it to be committed. Any other error means that nothing may be committed.
    """
    with rows.unlogged(connection):
        return Batch(verbs).write(connection)


class Batch:
    """The verbs of one transaction. Written again after a COMMIT that nobody knows the end of, it looks first."""

    def __init__(self, verbs: Sequence[Verb]) -> None:
        self.verbs = verbs
        self._written: tuple[Books, list[rows.Unsaved], list[Outcome]] | None = None

    def write(self, connection: BaseDatabaseWrapper) -> list[Outcome]:
        books = Books(connection)
        books.load(
            self.verbs,
            causes=[verb.cause for verb in self.verbs if type(verb) is Post],
            deadlines=[verb.hold_id for verb in self.verbs if type(verb) is Expire],
        )
        # Only now, with the accounts locked, is it certain that a lost COMMIT is not still on its way.
        if self._written is not None and self._is_committed():
            return self._written[2]

        outcomes: list[Outcome] = []
        also: list[rows.Unsaved] = []
        for verb in self.verbs:
            try:
                outcomes.append(verb.apply(books))
            except LedgerError as refusal:
                outcomes.append(refusal)
            else:
                also += verb.also
        books.write()
        if also:
            rows.insert_unsaved(connection, also)
        self._written = (books, also, outcomes)
        return outcomes

    def _is_committed(self) -> bool:
        """Whether the rows written last time are there. One shows it for all; its time tells it from another's."""
        assert self._written is not None
        books, also, _ = self._written
        if books.entries:
            account_id, _amount, kind, cause, *_ = books.entries[0]
            entry = LedgerEntry.objects.filter(cause=cause, kind=kind, account=account_id, created_at=books.now)
            return entry.exists()
        for hold_id, hold in books.holds.items():
            if hold.is_new:
                return Hold.objects.filter(pk=hold_id, created_at=books.now).exists()
        if books.resolved:
            return Hold.objects.filter(pk=books.resolved[0], resolved_at=books.now).exists()
        keyed = next((row for row in also if row.pk is not None), None)
        return keyed is not None and rows.model_of(keyed)._base_manager.filter(pk=keyed.pk).exists()


class Writer:
    """The thread that writes this process's verbs on a connection of its own. Get it through `writer()`."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._closing = False
        self._ended = False
        self._turn_taken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        return not (self._closing or self._ended)

    def submit(self, verb: Verb, future: "asyncio.Future[Any] | None" = None) -> None:
        """Queues a verb. Its outcome reaches the future after the COMMIT; without one, nobody waits for it.

        What is queued is applied, also if its caller leaves.
        """
        if self._queue.qsize() >= MAX_QUEUED:
            raise LedgerUnavailable("too many calls wait for the database; try again in a moment")
        self._queue.put((verb, future))
        if self._ended:
            self._refuse_the_rest()

    def close(self) -> None:
        """Ends the thread once everything queued so far is committed, and waits for that."""
        self._closing = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while batch := self._take():
                self._settle(batch)
        finally:
            connections[DEFAULT_DB_ALIAS].close()
            self._ended = True
            self._refuse_the_rest()

    def _take(self) -> list[Waiting]:
        """All that is queued, up to `MAX_BATCH`; waits for the first. Empty once the writer is closed."""
        batch: list[Waiting] = []
        waiting = self._queue.get()
        try:
            while waiting is not None:
                batch.append(waiting)
                if len(batch) == MAX_BATCH:
                    return batch
                waiting = self._queue.get_nowait()
            if batch:
                self._queue.put(None)  # after these
        except Empty:
            pass
        return batch

    def _settle(self, batch: list[Waiting]) -> None:
        try:
            outcomes = _commit([verb for verb, _ in batch])
        except (OperationalError, InterfaceError) as error:
            logger.error("The ledger could not be written: %s", error)
            outcomes = [LedgerUnavailable(str(error)) for _ in batch]
        except Exception as error:
            # One of them cannot be written. It must not fail the others: halve until it is alone.
            if len(batch) > 1:
                self._settle(batch[: len(batch) // 2])
                self._settle(batch[len(batch) // 2 :])
                return
            if batch[0][1] is None:
                logger.exception("A verb that nobody waits for could not be written")
            outcomes = [error]
        woken = [(future, outcome) for (_, future), outcome in zip(batch, outcomes, strict=True) if future is not None]
        if woken:
            self._turn_taken.clear()
            _wake(woken, then=self._turn_taken.set)
            self._turn_taken.wait(LONGEST_TURN)

    def _refuse_the_rest(self) -> None:
        refused = []
        try:
            while True:
                waiting = self._queue.get_nowait()
                if waiting is not None and waiting[1] is not None:
                    refused.append((waiting[1], LedgerUnavailable("this process is shutting down")))
        except Empty:
            _wake(refused, then=None)


def _commit(verbs: list[Verb]) -> list[Outcome]:
    connection = connections[DEFAULT_DB_ALIAS]
    # As `rows.unlogged`, for good.
    connection.make_debug_cursor = connection.make_cursor  # type: ignore[method-assign, assignment]
    batch = Batch(verbs)
    try:
        return _write(batch, connection)
    except (OperationalError, InterfaceError):
        connection.close()
        if connection.vendor == "sqlite":  # which has waited for its lock already, and cannot lose a connection
            raise
    # The server restarted, or ended our session for a deadlock: once more, on a new connection.
    try:
        return _write(batch, connection)
    except (OperationalError, InterfaceError):
        connection.close()
        raise


def _write(batch: Batch, connection: BaseDatabaseWrapper) -> list[Outcome]:
    """One transaction: two round trips to Postgres, one that reads and locks, one that writes and commits."""
    with rows.together(connection), transaction.atomic():
        return batch.write(connection)


def _wake(outcomes: list[tuple["asyncio.Future[Any]", Outcome]], then: Callable[[], object] | None) -> None:
    """Resolves the futures on their event loops; `then` is called there once those who waited have had their turn."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for future, outcome in outcomes:
        by_loop.setdefault(future.get_loop(), []).append((future, outcome))
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, loop, theirs, then)
        except RuntimeError:
            logger.info("An event loop ended before its ledger verbs did")


def _resolve(
    loop: asyncio.AbstractEventLoop,
    outcomes: list[tuple["asyncio.Future[Any]", Outcome]],
    then: Callable[[], object] | None,
) -> None:
    for future, outcome in outcomes:
        if future.done():  # its caller has left
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    if then is not None:
        loop.call_soon(then)


class _Process:
    """What belongs to this process alone."""

    writer: ClassVar[Writer | None] = None
    lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def forget(cls) -> None:
        """A forked child has no thread of ours; it starts its own when it needs one."""
        cls.writer = None
        cls.lock = threading.Lock()


os.register_at_fork(after_in_child=_Process.forget)


def writer() -> Writer:
    """This process's writer, started at the first call and after a `close`."""
    current = _Process.writer
    if current is not None and current.is_open:
        return current
    with _Process.lock:
        if _Process.writer is None or not _Process.writer.is_open:
            _Process.writer = Writer()
        return _Process.writer


def close() -> None:
    """Commits what is queued and ends the writer; the last thing that a process does with money."""
    if _Process.writer is not None:
        _Process.writer.close()


async def commit(verb: Verb) -> Any:
    """The verb's result, once it is committed. Raises its `LedgerError`, or what its own rows were refused for."""
    future = asyncio.get_running_loop().create_future()
    writer().submit(verb, future)
    return await future
