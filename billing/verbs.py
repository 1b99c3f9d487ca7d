"""The rules of the ledger: what each verb asks, when it is refused, and what it changes.

A verb works on `Books`, which hold the accounts and holds that a batch touches, locked. It refuses (`LedgerError`)
before it changes anything. Amounts are millicredits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from billing.books import Balance, Books, OpenHold
from billing.errors import DuplicateCause, HoldExceeded, InsufficientCredits
from billing.models import Hold as HoldRow
from billing.models import LedgerEntry, SystemAccount
from billing.rows import Unsaved

Kind = LedgerEntry.Kind

CAPTURE, OVERRUN = Kind.CAPTURE.value, Kind.OVERRUN.value
USAGE = SystemAccount.USAGE.value

# Where the other side of an entry is written.
COUNTERPARTS: dict[str, int] = {
    Kind.GRANT: SystemAccount.GRANTS.value,
    Kind.PURCHASE: SystemAccount.SALES.value,
    Kind.REFUND: SystemAccount.SALES.value,
    Kind.DISPUTE: SystemAccount.SALES.value,
    Kind.EXPIRY: SystemAccount.EXPIRY.value,
    Kind.ADJUSTMENT: SystemAccount.ADJUSTMENTS.value,
}
# These come from outside and are entered whatever is left; no other verb but an overrun takes a balance below zero.
MAY_OVERDRAW = frozenset({Kind.REFUND, Kind.DISPUTE})


class HeldCredits(msgspec.Struct, frozen=True, gc=False):
    """An open hold. `amount` is what it holds, which may be less than was asked for (see `Hold.at_least`)."""

    id: str
    account_id: int
    amount: int


class _Asked(msgspec.Struct, kw_only=True, gc=False):
    """One thing asked of the ledger. `also` are unsaved rows to be written if, and only if, it is not refused.

    A row that gets its key from the database is not told of it.
    """

    # Verbs that touch an account or a hold demand them.
    account_id: Any = None
    hold_id: Any = None
    also: Sequence[Unsaved] = ()


class Record(_Asked, kw_only=True, gc=False):
    """Moves nothing: writes its rows with everybody else's."""

    def apply(self, books: Books) -> None:
        return None


class Post(_Asked, kw_only=True, gc=False):
    """Credits that enter or leave an account other than through a call. `amount` is signed.

    A cause moves credits of one kind once: the second time is `DuplicateCause`.
    """

    account_id: int
    amount: int
    kind: str
    cause: str
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.amount, int) or self.amount == 0:
            raise ValueError(f"an entry moves a whole number of millicredits other than 0, not {self.amount!r}")
        if self.kind not in COUNTERPARTS:
            raise ValueError(f"entries of kind `{self.kind}` are not posted")

    def apply(self, books: Books) -> Balance:
        account = books.account(self.account_id)
        if (self.cause, self.kind, self.account_id) in books.causes:
            raise DuplicateCause(self.cause)
        if self.amount < 0 and self.kind not in MAY_OVERDRAW and account.available < -self.amount:
            raise InsufficientCredits(needed=-self.amount, available=account.available)
        account.posted += self.amount
        books.causes.add((self.cause, self.kind, self.account_id))
        counterpart = COUNTERPARTS[self.kind]
        books.enter(
            self.account_id, self.amount, counterpart, kind=self.kind, cause=self.cause, expires_at=self.expires_at
        )
        return account.balance()


class Hold(_Asked, kw_only=True, gc=False):
    """Sets credits aside: `amount`, or what is available if that is at least `at_least` (default: `amount`)."""

    account_id: int
    hold_id: str
    amount: int
    deadline: datetime
    at_least: int | None = None

    def __post_init__(self) -> None:
        if self.at_least is None:
            self.at_least = self.amount
        if not isinstance(self.amount, int) or not 0 < self.at_least <= self.amount:
            raise ValueError(f"a hold takes whole millicredits above 0, not {self.at_least!r} to {self.amount!r}")

    def apply(self, books: Books) -> HeldCredits:
        account = books.account(self.account_id)
        if self.hold_id in books.holds:
            raise DuplicateCause(self.hold_id)
        available = account.posted - account.held
        amount = self.amount if self.amount <= available else available
        at_least: int = self.at_least  # type: ignore[assignment]  # set by __post_init__
        if amount < at_least:
            raise InsufficientCredits(needed=at_least, available=available)
        account.held += amount
        books.holds[self.hold_id] = OpenHold(self.account_id, amount, HoldRow.State.OPEN.value, 0, self.deadline, True)
        return HeldCredits(self.hold_id, self.account_id, amount)


class Capture(_Asked, kw_only=True, gc=False):
    """Ends a hold by spending `amount` of it; the rest is released. `overrun` is spent beyond it, whatever is left."""

    account_id: int
    hold_id: str
    amount: int
    overrun: int = 0

    def __post_init__(self) -> None:
        for amount in (self.amount, self.overrun):
            if not isinstance(amount, int) or amount < 0:
                raise ValueError(f"a capture spends whole millicredits, not {amount!r}")

    def apply(self, books: Books) -> Balance:
        account = books.account(self.account_id)
        hold = books.open_hold(self.hold_id, self.account_id)
        if self.amount > hold.amount:
            raise HoldExceeded(self.hold_id, held=hold.amount, asked=self.amount)
        books.resolve(self.hold_id, HoldRow.State.CAPTURED.value, self.amount)
        account.held -= hold.amount
        account.posted -= self.amount + self.overrun
        for amount, kind in ((self.amount, CAPTURE), (self.overrun, OVERRUN)):
            if amount:
                books.enter(self.account_id, -amount, USAGE, kind=kind, cause=self.hold_id)
        return account.balance()


class Release(_Asked, kw_only=True, gc=False):
    """Ends a hold without spending anything."""

    account_id: int
    hold_id: str

    def apply(self, books: Books) -> Balance:
        account = books.account(self.account_id)
        hold = books.open_hold(self.hold_id, self.account_id)
        books.resolve(self.hold_id, HoldRow.State.RELEASED.value, 0)
        account.held -= hold.amount
        return account.balance()


class Expire(Release, kw_only=True, gc=False):
    """Releases a hold if its deadline is past, which is looked at again here: it may have been moved meanwhile.

    Answers whether it was.
    """

    now: datetime

    def apply(self, books: Books) -> Any:
        hold = books.open_hold(self.hold_id, self.account_id)
        if hold.deadline is None or hold.deadline > self.now:
            return False
        super().apply(books)
        return True


class Extend(_Asked, kw_only=True, gc=False):
    """Moves the deadline of an open hold: a long call renews its lease."""

    account_id: int
    hold_id: str
    deadline: datetime

    def apply(self, books: Books) -> None:
        books.account(self.account_id)
        hold = books.open_hold(self.hold_id, self.account_id)
        hold.deadline = self.deadline
        if not hold.is_new:
            books.extended[self.hold_id] = self.deadline


# Each has `apply(books)`: what the caller gets. It raises `LedgerError`, and then has changed nothing.
Verb = Record | Post | Hold | Capture | Release | Expire | Extend
