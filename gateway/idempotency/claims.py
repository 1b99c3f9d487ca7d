"""Who makes a call that carries a key, and what becomes of the key when it has ended."""

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import ParamSpec

from django.db.models import QuerySet
from django.utils import timezone

from accounts.database import run_in_database_thread, submit_to_database_thread
from billing.models import Hold
from gateway.errors import (
    DatabaseUnavailable,
    IdempotencyAnswerLost,
    IdempotencyInProgress,
    IdempotencyKeyReused,
)
from gateway.idempotency.answers import Answer, body_of, columns_of
from gateway.models import IdempotentCall
from gateway.tasks.files import discard

logger = logging.getLogger(__name__)
P = ParamSpec("P")

KEPT_FOR = timedelta(hours=24)
# Moves on while the process lives, as holds' leases do (`renew_leases`).
LEASE = timedelta(seconds=120)
# A call whose lease was renewed so many seconds ago may still hold: a hold is durable long before the lease ends.
HOLDS_WITHIN = LEASE.total_seconds() / 2
# When to ask again for the answer of a call that is under way; where its process seems to have died, at most. Seconds.
RETRY_AFTER = 1
RETRY_AFTER_DEATH = 10
HELD_UP = "The call with this `Idempotency-Key` was held up. Nothing was charged; try again."
# Rows that one statement deletes: others must not wait for it.
AT_ONCE = 500

_open: "dict[int, Claim]" = {}
os.register_at_fork(after_in_child=_open.clear)


class Claim:
    """The right to make the call of one key. It ends with `keep` or `let_go`.

    `task_id` is of the video that a call before this one has begun, whose process died before it answered.
    """

    def __init__(self, row_id: int, request_id: str, task_id: str = "") -> None:
        self.row_id = row_id
        self.request_id = request_id
        self.task_id = task_id
        self.renewed_at = monotonic()

    def check_lease(self) -> None:
        """Raises `DatabaseUnavailable` where another process may have taken the key over. To be asked before a hold."""
        if monotonic() - self.renewed_at > HOLDS_WITHIN:
            raise DatabaseUnavailable(HELD_UP)

    def bind(self, task_id: str) -> None:
        """Notes the video that the call begins, in the transaction that makes it. Raises `DatabaseUnavailable`."""
        mine = self._row().filter(leased_until__gt=timezone.now(), task_id="")
        if not mine.update(task_id=task_id):
            raise DatabaseUnavailable(HELD_UP)

    async def keep(self, answer: Answer) -> None:
        """From now on the key answers with this.

        Does not raise: the call has succeeded, whether or not its answer can be given again.
        """
        _open.pop(self.row_id, None)
        try:
            await _finish(self._keep, answer)
        except Exception:
            logger.exception("%s: its answer could not be kept", self.request_id)

    async def let_go(self) -> None:
        """There is no answer to keep. The next call with the key is decided by what became of this one's hold.

        Does not raise: past its lease the key is let go of anyway.
        """
        _open.pop(self.row_id, None)
        try:
            await _finish(self._release)
        except Exception:
            logger.exception("%s: its key stays taken until its lease ends", self.request_id)

    def _keep(self, answer: Answer) -> None:
        columns = columns_of(answer)
        if not self._row().update(**columns) and columns["file"]:
            discard([columns["file"]])

    def _release(self) -> None:
        self._row().update(leased_until=timezone.now())

    def _row(self) -> "QuerySet[IdempotentCall]":
        return IdempotentCall.objects.filter(pk=self.row_id, request_id=self.request_id, status=None)


async def _finish(function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Runs it in a database thread, also if the caller is cancelled while it waits for that."""
    await asyncio.shield(asyncio.wrap_future(submit_to_database_thread(function, *args, **kwargs)))


async def claim(account_id: int, key: str, digest: str, request_id: str) -> Claim | Answer:
    """The right to make the call `request_id`, or the answer that was given to its like.

    Raises `IdempotencyInProgress`, `IdempotencyKeyReused` where the key came with another `digest`, and
    `IdempotencyAnswerLost`.
    """
    claimed = await run_in_database_thread(_claim, account_id, key, digest, request_id)
    if isinstance(claimed, Claim):
        _open[claimed.row_id] = claimed
    return claimed


def _claim(account_id: int, key: str, digest: str, request_id: str) -> Claim | Answer:
    now = timezone.now()
    row, is_new = IdempotentCall.objects.get_or_create(
        account_id=account_id,
        key=key,
        defaults={"digest": digest, "request_id": request_id, "leased_until": now + LEASE, "created_at": now},
    )
    if is_new:
        return Claim(row.pk, request_id)
    is_leased = row.status is None and row.leased_until > now
    if row.created_at <= now - KEPT_FOR and not is_leased:
        return _take_over(row, digest, request_id, now)
    if row.status is None and not is_leased and not row.task_id and _is_free(row):
        return _take_over(row, digest, request_id, now)
    if row.digest != digest:
        raise IdempotencyKeyReused(
            "This `Idempotency-Key` came with another request before. Send a new one.", param="Idempotency-Key"
        )
    if is_leased:
        raise _in_progress()
    if row.status is None:  # with a task
        return _take_over(row, digest, row.request_id, now, task_id=row.task_id)
    try:
        return Answer(row.request_id, row.status, row.headers, body_of(row))
    except OSError:
        logger.exception("%s: its answer is not in the storage any more", row.request_id)
        raise _lost(row) from None


def _is_free(row: IdempotentCall) -> bool:
    """Whether nothing was charged, nor will be, for a call that nobody makes any more. Raises where it was, or may be.

    Its hold is the witness: no call reaches a provider without one.
    """
    hold = Hold.objects.filter(pk=row.request_id).first()
    if hold is None or hold.state == Hold.State.RELEASED:
        return True
    if hold.is_open:
        raise _in_progress(min(RETRY_AFTER_DEATH, (hold.deadline - timezone.now()).total_seconds()))
    raise _lost(row)


def _take_over(row: IdempotentCall, digest: str, request_id: str, now: datetime, *, task_id: str = "") -> Claim:
    """The claim to a row that is as it was read; else somebody was quicker."""
    as_read = IdempotentCall.objects.filter(
        pk=row.pk, request_id=row.request_id, leased_until=row.leased_until, status=row.status
    )
    taken = as_read.update(
        digest=digest,
        request_id=request_id,
        leased_until=now + LEASE,
        task_id=task_id,
        status=None,
        headers={},
        body=b"",
        file="",
        created_at=row.created_at if task_id else now,
    )
    if not taken:
        raise _in_progress()
    if row.file:
        discard([row.file])
    return Claim(row.pk, request_id, task_id)


def _in_progress(seconds: float = RETRY_AFTER) -> IdempotencyInProgress:
    return IdempotencyInProgress(
        "A request with this `Idempotency-Key` is under way. Ask again when it has ended.",
        param="Idempotency-Key",
        retry_after=max(RETRY_AFTER, seconds),
    )


def _lost(row: IdempotentCall) -> IdempotencyAnswerLost:
    return IdempotencyAnswerLost(
        "The request with this `Idempotency-Key` was charged, but its whole answer could not be kept. GET "
        f"/v1/receipts/{row.request_id} tells what it cost; to make it anew, send another key.",
        param="Idempotency-Key",
    )


async def renew_leases() -> None:
    """Moves on the leases of the calls that this process is still working on. Called by the runtime, every 30 s."""
    claims = {row_id: one for row_id, one in _open.items() if monotonic() - one.renewed_at > HOLDS_WITHIN / 3}
    if not claims:
        return
    began = monotonic()
    requests = [one.request_id for one in claims.values()]
    rows = IdempotentCall.objects.filter(pk__in=list(claims), request_id__in=requests, status=None)
    kept = await run_in_database_thread(_renew, rows)
    for row_id in kept & claims.keys():
        claims[row_id].renewed_at = began


def _renew(rows: "QuerySet[IdempotentCall]") -> set[int]:
    now = timezone.now()
    held = rows.filter(leased_until__gt=now)
    held.update(leased_until=now + LEASE)
    return set(held.values_list("pk", flat=True))


def forget_answers(account_id: int) -> int:
    """Deletes what is kept of the account's calls. Returns how many they were."""
    return _delete(IdempotentCall.objects.filter(account_id=account_id))


def forget_expired_answers() -> int:
    """Deletes what is older than KEPT_FOR, but for calls under way. Returns how many."""
    now = timezone.now()
    return _delete(IdempotentCall.objects.filter(created_at__lt=now - KEPT_FOR).exclude(leased_until__gt=now))


def _delete(rows: "QuerySet[IdempotentCall]") -> int:
    deleted = 0
    while found := list(rows.values_list("pk", "file")[:AT_ONCE]):
        deleted += rows.filter(pk__in=[pk for pk, _ in found]).delete()[0]
        discard(file for _, file in found if file)
    return deleted
