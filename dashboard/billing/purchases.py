"""Purchases as their buyer sees them."""

from datetime import datetime

from msgspec import Struct

from billing.amounts import credits_text
from billing.ledger import MILLICREDITS
from billing.models import Purchase
from dashboard.billing.money import money

State = Purchase.State

# A word for each state, and the colours of a badge.
WORDS = {
    State.OPEN: ("Not paid", "outline"),
    State.PENDING: ("On its way", "secondary"),
    State.PAID: ("Paid", "secondary"),
    State.FAILED: ("Failed", "destructive"),
    State.EXPIRED: ("Not paid", "outline"),
}


class ShownPurchase(Struct, frozen=True):
    """A purchase as a line of a table. `taken_back` are credits that refunds and disputes took, empty for none."""

    id: str
    url: str
    created_at: datetime
    what: str
    price: str
    state: str
    variant: str
    taken_back: str
    receipt_url: str
    invoice_url: str


def show_purchase(purchase: Purchase, locale: str) -> ShownPurchase:
    word, variant = WORDS[State(purchase.state)]
    origin = {Purchase.Origin.TOP_UP: ", automatically", Purchase.Origin.TEST: ", test"}.get(
        Purchase.Origin(purchase.origin), ""
    )
    return ShownPurchase(
        id=purchase.pk,
        url=f"/billing/purchases/{purchase.pk}/",
        created_at=purchase.created_at,
        what=f"{purchase.credits // MILLICREDITS:,} credits{origin}",
        # What was paid, with its tax and discounts; until then what we ask.
        price=money(purchase.price if purchase.paid is None else purchase.paid, purchase.currency, locale),
        state=word,
        variant=variant,
        taken_back=credits_text(purchase.reversed) if purchase.reversed else "",
        receipt_url=purchase.receipt_url,
        invoice_url=purchase.invoice_url,
    )


def recent_purchases(account_id: int, most: int) -> list[Purchase]:
    """The last ones, without those that were begun and left."""
    begun = Purchase.objects.filter(account=account_id).exclude(state__in=(State.OPEN, State.EXPIRED), problem="")
    return list(begun.order_by("-created_at")[:most])
