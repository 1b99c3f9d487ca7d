"""The accounts and holds that a batch of verbs touches: loaded and locked, changed in Python, written back.

All amounts are millicredits. Each statement reads or writes many rows, and means the same to SQLite and Postgres.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from billing import rows
from billing.errors import AccountMissing, HoldClosed, HoldMissing
from billing.models import Hold

ACCOUNTS = "billing_creditaccount"
HOLDS = "billing_hold"
ENTRIES = "billing_ledgerentry"

HOLD_COLUMNS = ("id", "account_id", "amount", "state", "captured", "deadline", "created_at", "resolved_at")
ENTRY_COLUMNS = ("account_id", "amount", "kind", "cause", "expires_at", "created_at")
OPEN = Hold.State.OPEN.value


class Balance(msgspec.Struct, frozen=True, gc=False):
    """`posted` is the sum of an account's entries, `held` of its open holds; `available` may be below zero."""

    posted: int
    held: int

    @property
    def available(self) -> int:
        return self.posted - self.held


class OpenAccount(msgspec.Struct, gc=False):
    """An account whose row is locked."""

    posted: int
    held: int

    @property
    def available(self) -> int:
        return self.posted - self.held

    def balance(self) -> Balance:
        return Balance(self.posted, self.held)


class OpenHold(msgspec.Struct, gc=False):
    """A hold as the batch knows it: open or not by `state`. `deadline` is there if somebody asked for it or set it."""

    account_id: int
    amount: int
    state: str
    captured: int = 0
    deadline: datetime | None = None
    is_new: bool = False


class Touching(Protocol):
    """What the books need to know of a verb."""

    @property
    def account_id(self) -> int | None: ...
    @property
    def hold_id(self) -> str | None: ...


class Books:
    """Everything that a batch reads and changes. Made by `load`, within the transaction that `write` ends in."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.now = timezone.now()
        self.accounts: dict[int, OpenAccount] = {}
        self.holds: dict[str, OpenHold] = {}
        self.causes: set[tuple[str, str, int]] = set()
        self.resolved: list[str] = []
        self.extended: dict[str, datetime] = {}
        self.entries: list[tuple[Any, ...]] = []
        self._connection = connection
        self._loaded: list[tuple[int, int, int]] = []
        self._now = self._moment(self.now)

    # --- Reading ---------------------------------------------------------------------------------------------------

    def load(self, verbs: Sequence[Touching], causes: Sequence[str] = (), deadlines: Sequence[str] = ()) -> None:
        """Locks the accounts of these verbs, in the order of their ids, then reads what the verbs look at.

        That is their holds, what was entered before under `causes`, and the deadlines of the holds named last.
        """
        ids = sorted({verb.account_id for verb in verbs if verb.account_id is not None and verb.account_id > 0})
        hold_ids = [verb.hold_id for verb in verbs if verb.hold_id is not None]
        # A weaker lock than FOR UPDATE: rows that merely point to an account need not wait.
        lock = " FOR NO KEY UPDATE" if self._connection.features.has_select_for_update else ""
        accounts = self._select(("id", "posted", "held"), f"FROM {ACCOUNTS} WHERE id {{}} ORDER BY id{lock}", ids)
        # Whoever changes a hold has locked its account, so these rows stand still too.
        holds = self._select(("id", "account_id", "amount", "state"), f"FROM {HOLDS} WHERE id {{}}", hold_ids)
        entered = self._select(("cause", "kind", "account_id"), f"FROM {ENTRIES} WHERE cause {{}}", causes)
        self._loaded = [(id_, posted, held) for id_, posted, held in accounts()]
        self.accounts = {id_: OpenAccount(posted, held) for id_, posted, held in self._loaded}
        self.holds = {id_: OpenHold(account_id, amount, state) for id_, account_id, amount, state in holds()}
        self.causes = {(cause, kind, account_id) for cause, kind, account_id in entered()}
        if deadlines:
            open_holds = Hold.objects.using(self._connection.alias).filter(id__in=deadlines)
            for id_, deadline in open_holds.values_list("id", "deadline"):
                self.holds[id_].deadline = deadline

    def _select(self, columns: Sequence[str], sql: str, keys: Sequence[Any]) -> rows.Answer:
        return rows.select(self._connection, columns, sql, keys)

    def account(self, account_id: int) -> OpenAccount:
        try:
            return self.accounts[account_id]
        except KeyError:
            raise AccountMissing(account_id) from None

    def open_hold(self, hold_id: str, account_id: int) -> OpenHold:
        """The hold, if it is open. Raises `HoldMissing` (another account's included) and `HoldClosed`."""
        hold = self.holds.get(hold_id)
        if hold is None or hold.account_id != account_id:
            raise HoldMissing(hold_id)
        if hold.state != OPEN:
            raise HoldClosed(hold_id, hold.state)
        return hold

    # --- Changing --------------------------------------------------------------------------------------------------

    def enter(
        self,
        account_id: int,
        amount: int,
        counterpart: int,
        *,
        kind: str,
        cause: str,
        expires_at: datetime | None = None,
    ) -> None:
        """Both sides of a movement. `expires_at` belongs to the account's own side."""
        lapses = None if expires_at is None else self._moment(expires_at)
        self.entries.append((account_id, amount, kind, cause, lapses, self._now))
        self.entries.append((counterpart, -amount, kind, cause, None, self._now))

    def resolve(self, hold_id: str, state: str, captured: int) -> None:
        hold = self.holds[hold_id]
        hold.state = state
        hold.captured = captured
        if not hold.is_new:
            self.resolved.append(hold_id)

    def _moment(self, moment: datetime | None) -> Any:
        return rows.moment(moment, self._connection)

    # --- Writing ---------------------------------------------------------------------------------------------------

    def write(self) -> None:
        with self._connection.cursor() as cursor:
            new = [
                (
                    id_,
                    hold.account_id,
                    hold.amount,
                    hold.state,
                    hold.captured,
                    self._moment(hold.deadline),
                    self._now,
                    None if hold.state == OPEN else self._now,
                )
                for id_, hold in self.holds.items()
                if hold.is_new
            ]
            rows.insert(cursor, HOLDS, HOLD_COLUMNS, new)
            rows.insert(cursor, ENTRIES, ENTRY_COLUMNS, self.entries)
            resolved = [(id_, self.holds[id_].state, self.holds[id_].captured, self._now) for id_ in self.resolved]
            rows.update(cursor, HOLDS, ("id", "state", "captured", "resolved_at"), resolved)
            extended = [(id_, self._moment(deadline)) for id_, deadline in self.extended.items()]
            rows.update(cursor, HOLDS, ("id", "deadline"), extended)
            changed = []
            for id_, posted, held in self._loaded:
                account = self.accounts[id_]
                if account.posted != posted or account.held != held:
                    changed.append((id_, account.posted, account.held))
            rows.update(cursor, ACCOUNTS, ("id", "posted", "held"), changed)
