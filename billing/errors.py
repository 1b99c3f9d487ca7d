"""What the ledger refuses, and why.

    LedgerError
    ├── InsufficientCredits    the account does not have what the call may cost
    ├── AccountMissing
    ├── DuplicateCause         this cause has moved credits before: nothing is to be done
    ├── HoldMissing            no such hold on this account
    ├── HoldClosed             captured or released before; a late capture ends here
    ├── HoldExceeded           a capture above what was held
    └── LedgerUnavailable      the database did not answer; whether the verb was applied may be unknown

Amounts are millicredits.
"""


class LedgerError(Exception):
    """Base of all. Nothing was moved by the verb that it answers."""


class InsufficientCredits(LedgerError):
    def __init__(self, needed: int, available: int) -> None:
        super().__init__(f"{needed} millicredits are needed, {available} are available")
        self.needed = needed
        self.available = available


class AccountMissing(LedgerError):
    def __init__(self, account_id: int) -> None:
        super().__init__(f"there is no credit account {account_id}")
        self.account_id = account_id


class DuplicateCause(LedgerError):
    def __init__(self, cause: str) -> None:
        super().__init__(f"`{cause}` has been entered before")
        self.cause = cause


class HoldMissing(LedgerError):
    def __init__(self, hold_id: str) -> None:
        super().__init__(f"there is no hold `{hold_id}` on this account")
        self.hold_id = hold_id


class HoldClosed(LedgerError):
    """`state` is `captured` or `released` (see `billing.models.Hold.State`)."""

    def __init__(self, hold_id: str, state: str) -> None:
        super().__init__(f"the hold `{hold_id}` is {state}")
        self.hold_id = hold_id
        self.state = state


class HoldExceeded(LedgerError):
    def __init__(self, hold_id: str, held: int, asked: int) -> None:
        super().__init__(f"the hold `{hold_id}` is of {held} millicredits, {asked} cannot be captured from it")
        self.hold_id = hold_id
        self.held = held
        self.asked = asked


class LedgerUnavailable(LedgerError):
    """The database is gone, locked or full, or too many callers wait for it. The next call tries afresh.

    If the connection broke during a COMMIT, the verb may have been applied: its cause, or the state of its hold, says.
    """
