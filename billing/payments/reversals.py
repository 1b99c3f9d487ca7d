"""Refunds and disputes: they take back credits in proportion to the money, at most what was bought, each once.

A dispute that is won, and a refund that fails, give them back. What is taken may lead below zero.
"""

import logging
from collections.abc import Sequence

from django.db import transaction
from msgspec import Struct

from billing import ledger
from billing.models import LedgerEntry, Purchase, Reversal
from billing.payments.shapes import Dispute, Refund
from billing.verbs import Post

logger = logging.getLogger(__name__)

Kind = Reversal.Kind

# A dispute with one of these has not (yet, or any more) moved money: an inquiry, or one that was won.
# https://docs.stripe.com/api/disputes/object#dispute_object-status
WITHOUT_MONEY = frozenset({"won", "prevented", "warning_needs_response", "warning_under_review", "warning_closed"})


class Claim(Struct, frozen=True):
    """A refund or dispute as Stripe has it: `amount` is the money that it takes now, 0 where it takes none."""

    id: str
    kind: str
    status: str
    amount: int


def claims_of(refunds: Sequence[Refund], disputes: Sequence[Dispute]) -> list[Claim]:
    """In the order in which they were made."""
    found = [
        (one.created, Claim(one.id, Kind.REFUND, one.status or "", one.amount if one.status == "succeeded" else 0))
        for one in refunds
    ] + [
        (one.created, Claim(one.id, Kind.DISPUTE, one.status, 0 if one.status in WITHOUT_MONEY else one.amount))
        for one in disputes
    ]
    return [claim for _, claim in sorted(found, key=lambda pair: (pair[0], pair[1].id))]


def apply_reversals(payment_id: str, claims: Sequence[Claim]) -> Purchase | None:
    """What the claims on a payment, as Stripe has them, do to its purchase."""
    with transaction.atomic():
        purchase = Purchase.objects.select_for_update().filter(payment_id=payment_id).first()
        if purchase is None or purchase.state != Purchase.State.PAID:
            # One that is refunded before it was booked is looked at again when it is.
            return purchase
        known = {one.pk: one for one in purchase.reversals.all()}
        taken, money = 0, 0
        for claim in claims:
            money += claim.amount
            # By the sum of all so far, so that thirds add up to the whole.
            due = _credits_for(purchase, money) - taken
            taken += due
            reversal = known.get(claim.id) or Reversal(id=claim.id, purchase=purchase, kind=claim.kind)
            _take(purchase, reversal, due)
            reversal.status, reversal.amount = claim.status, claim.amount
            reversal.save()
        purchase.reversed = taken
        purchase.save()
    return purchase


def _credits_for(purchase: Purchase, money: int) -> int:
    """The millicredits that so much of what was paid has bought; all of them at most."""
    if not purchase.paid or money >= purchase.paid:
        return purchase.credits if money else 0
    return purchase.credits * money // purchase.paid


def _take(purchase: Purchase, reversal: Reversal, due: int) -> None:
    """Has `reversal` take `due` millicredits, whatever it has taken before."""
    difference = due - reversal.credits
    if not difference:
        return
    reversal.turns += 1
    reversal.credits = due
    kind = LedgerEntry.Kind.REFUND if reversal.kind == Kind.REFUND else LedgerEntry.Kind.DISPUTE
    turn = f":{reversal.turns}" if reversal.turns > 1 else ""
    ledger.apply_now(
        [
            Post(
                account_id=purchase.account_id,
                amount=-difference,
                kind=kind.value,
                cause=f"{reversal.kind}:{reversal.pk}{turn}",
            )
        ]
    )
