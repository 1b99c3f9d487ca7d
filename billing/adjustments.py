"""Corrections of balances by the staff, each with its reason.

An adjustment never takes a balance below zero, and there is no way to insist. What was taken back from outside (a
refund, a dispute) has a verb of its own that may; calls under way have been promised what they hold; and a debt made by
hand is one that `audit_ledger` could not tell from a fault. Whoever is to lose more than there is loses what there is.
"""

from django.db import transaction

from accounts.models import User
from billing import ledger
from billing.books import Balance
from billing.models import Adjustment, CreditAccount, LedgerEntry
from billing.verbs import Post


def book_adjustment(account: CreditAccount, amount: int, reason: str, staff: User, cause: str) -> Balance:
    """The balance after `amount` millicredits, signed, were entered with their reason and who gave it.

    Raises `DuplicateCause` the second time, `InsufficientCredits`, and `ValueError` for one of our own accounts.
    """
    if account.owner_id is None:
        raise ValueError(f"{account} is one of our own: it is the other side of entries alone")
    adjustment = Adjustment(cause=cause, account=account, amount=amount, reason=reason, staff=staff)
    verb = Post(
        account_id=account.pk, amount=amount, kind=LedgerEntry.Kind.ADJUSTMENT.value, cause=cause, also=(adjustment,)
    )
    with transaction.atomic():
        (balance,) = ledger.apply_now([verb])
    return balance
