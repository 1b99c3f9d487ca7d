"""The ledger's verbs. Each answers after its COMMIT, and shares that with everybody else's (`billing.group_commit`).

Amounts are integer millicredits (1 credit = 1000). A cause names what moves the credits (a request's id, `signup:7`)
and moves them once. `also` are unsaved rows, of whatever model, that are written in the same transaction if the verb is
not refused. All verbs raise `LedgerUnavailable` when the database does not answer, and `AccountMissing`.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.utils import timezone

from accounts.database import run_in_database_thread
from accounts.models import User
from billing import group_commit
from billing.books import Balance
from billing.errors import (
    AccountMissing,
    DuplicateCause,
    HoldClosed,
    HoldExceeded,
    HoldMissing,
    InsufficientCredits,
    LedgerError,
    LedgerUnavailable,
)
from billing.models import CreditAccount, Hold, LedgerEntry
from billing.rows import NewRow, Unsaved
from billing.verbs import Capture, Expire, Extend, HeldCredits, Post, Record, Release, Verb
from billing.verbs import Hold as HoldVerb

__all__ = [
    "MILLICREDITS",
    "AccountMissing",
    "Balance",
    "DuplicateCause",
    "HeldCredits",
    "HoldClosed",
    "HoldExceeded",
    "HoldMissing",
    "InsufficientCredits",
    "LedgerError",
    "LedgerUnavailable",
    "NewRow",
    "Unsaved",
    "adjust",
    "apply_now",
    "balance",
    "capture",
    "dispute",
    "expire",
    "extend",
    "grant",
    "grant_signup_credits",
    "hold",
    "open_account",
    "purchase",
    "record",
    "refund",
    "release",
    "sweep",
    "try_now",
]

MILLICREDITS = 1000
SWEPT_AT_ONCE = 500

Kind = LedgerEntry.Kind


# --- A call: hold, then capture or release ---------------------------------------------------------------------------


async def hold(
    account_id: int,
    amount: int,
    cause: str,
    *,
    deadline: datetime,
    at_least: int | None = None,
    also: Sequence[Unsaved] = (),
) -> HeldCredits:
    """Sets `amount` aside, or what is available if that is at least `at_least`; the hold's id is its cause.

    A caller who is cancelled while it waits leaves no hold behind, unless rows went with it: then these are there, and
    whoever acts on them resolves the hold. Raises `InsufficientCredits` and `DuplicateCause`.
    """
    verb = HoldVerb(
        account_id=account_id, hold_id=cause, amount=amount, deadline=deadline, at_least=at_least, also=also
    )
    try:
        return await group_commit.commit(verb)
    except asyncio.CancelledError:
        if not also:
            group_commit.writer().submit(Release(account_id=account_id, hold_id=cause))
        raise


async def capture(
    hold_id: str, account_id: int, amount: int, *, overrun: int = 0, also: Sequence[Unsaved] = ()
) -> Balance:
    """Spends `amount` of a hold and releases the rest; `overrun` is spent beyond it, even below zero.

    Is done even if the caller is cancelled meanwhile. Raises `HoldClosed` for a second or late capture,
    `HoldExceeded` and `HoldMissing`.
    """
    return await group_commit.commit(
        Capture(account_id=account_id, hold_id=hold_id, amount=amount, overrun=overrun, also=also)
    )


async def release(hold_id: str, account_id: int, *, also: Sequence[Unsaved] = ()) -> Balance:
    """Ends a hold and spends nothing. Is done even if the caller is cancelled. Raises `HoldClosed`, `HoldMissing`."""
    return await group_commit.commit(Release(account_id=account_id, hold_id=hold_id, also=also))


async def extend(hold_id: str, account_id: int, deadline: datetime) -> None:
    """Moves the deadline of an open hold. Raises `HoldClosed` and `HoldMissing`."""
    await group_commit.commit(Extend(account_id=account_id, hold_id=hold_id, deadline=deadline))


async def record(also: Sequence[Unsaved]) -> None:
    """Writes rows with everybody else's, when no credits move. Raises what the database refuses them for."""
    await group_commit.commit(Record(also=also))


async def sweep(now: datetime | None = None) -> int:
    """How many open holds were past their deadline and are now released. May run many times at once."""
    now = now or timezone.now()
    swept = 0
    while True:
        found = await run_in_database_thread(_find_overdue, now)
        verbs = (Expire(account_id=account_id, hold_id=hold_id, now=now) for hold_id, account_id in found)
        outcomes = await asyncio.gather(*map(group_commit.commit, verbs), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, HoldClosed):
                raise outcome
        released = sum(outcome is True for outcome in outcomes)
        swept += released
        # Those found twice were closed or extended by others.
        if len(found) < SWEPT_AT_ONCE or not released:
            return swept


def _find_overdue(now: datetime) -> list[tuple[str, int]]:
    overdue = Hold.objects.filter(state=Hold.State.OPEN, deadline__lte=now)
    return list(overdue.order_by("deadline").values_list("id", "account_id")[:SWEPT_AT_ONCE])


# --- Credits that come and go otherwise ------------------------------------------------------------------------------


async def grant(
    account_id: int, amount: int, cause: str, *, expires_at: datetime | None = None, also: Sequence[Unsaved] = ()
) -> Balance:
    """Gives credits away. Raises `DuplicateCause`, as all of these do."""
    return await _post(account_id, _positive(amount), Kind.GRANT, cause, also=also, expires_at=expires_at)


async def purchase(account_id: int, amount: int, cause: str, *, also: Sequence[Unsaved] = ()) -> Balance:
    """Enters credits that were paid for."""
    return await _post(account_id, _positive(amount), Kind.PURCHASE, cause, also=also)


async def refund(account_id: int, amount: int, cause: str, *, also: Sequence[Unsaved] = ()) -> Balance:
    """Takes back `amount` of a purchase whose money was returned, even below zero."""
    return await _post(account_id, -_positive(amount), Kind.REFUND, cause, also=also)


async def dispute(account_id: int, amount: int, cause: str, *, also: Sequence[Unsaved] = ()) -> Balance:
    """Takes back `amount` of a purchase that a bank disputes, even below zero. A negative one gives it back (won)."""
    return await _post(account_id, -amount, Kind.DISPUTE, cause, also=also)


async def adjust(account_id: int, amount: int, cause: str, *, also: Sequence[Unsaved] = ()) -> Balance:
    """A correction by staff, signed. Raises `InsufficientCredits` if it would take the balance below zero."""
    return await _post(account_id, amount, Kind.ADJUSTMENT, cause, also=also)


async def expire(account_id: int, amount: int, cause: str, *, also: Sequence[Unsaved] = ()) -> Balance:
    """Takes back `amount` of granted credits that lapsed. Raises `InsufficientCredits` if fewer are available."""
    return await _post(account_id, -_positive(amount), Kind.EXPIRY, cause, also=also)


async def balance(account_id: int) -> Balance:
    """What an account has now."""
    account = await run_in_database_thread(CreditAccount.objects.filter(pk=account_id, pk__gt=0).first)
    if account is None:
        raise AccountMissing(account_id)
    return Balance(account.posted, account.held)


async def _post(
    account_id: int,
    amount: int,
    kind: str,
    cause: str,
    *,
    also: Sequence[Unsaved],
    expires_at: datetime | None = None,
) -> Balance:
    return await group_commit.commit(
        Post(account_id=account_id, amount=amount, kind=str(kind), cause=cause, expires_at=expires_at, also=also)
    )


def _positive(amount: int) -> int:
    if amount <= 0:
        raise ValueError(f"millicredits above 0 are expected, not {amount!r}")
    return amount


# --- In the caller's own transaction ---------------------------------------------------------------------------------


def apply_now(verbs: Sequence[Verb]) -> list[Any]:
    """The results of these verbs, written in the caller's transaction, or in one of their own.

    All or nothing: the first refusal is raised and none of them is written.
    """
    with transaction.atomic():
        outcomes = group_commit.apply(verbs, connections[DEFAULT_DB_ALIAS])
        for outcome in outcomes:
            if isinstance(outcome, LedgerError):
                raise outcome
    return outcomes


def try_now(verbs: Sequence[Verb]) -> list[Any]:
    """The outcome of each of these verbs in the caller's open transaction; a refused one's is its `LedgerError`."""
    return group_commit.apply(verbs, connections[DEFAULT_DB_ALIAS])


def open_account(user: User) -> CreditAccount:
    """The user's account, opened if there is none."""
    account, _ = CreditAccount.objects.get_or_create(id=user.pk, defaults={"owner": user})
    return account


def grant_signup_credits(user: User, credits: int | None = None) -> bool:
    """Whether the user was now granted the credits of a sign-up (default `SIGNUP_CREDITS`); it happens once.

    Opens the account. With `credits=0` it stays empty.
    """
    amount = (settings.SIGNUP_CREDITS if credits is None else credits) * MILLICREDITS
    with transaction.atomic():
        account = open_account(user)
        if amount == 0:
            return False
        try:
            apply_now([Post(account_id=account.pk, amount=amount, kind=Kind.GRANT.value, cause=f"signup:{user.pk}")])
        except DuplicateCause:
            return False
    return True
