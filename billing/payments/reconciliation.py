"""Everything of a time at Stripe against our books: what was missed is booked, what differs is told.

Safe to run twice at once, and as often as one likes: it does what the webhooks do, and those are forgiving.
"""

from datetime import datetime

from django.db.models import Sum
from msgspec import Struct, field

from accounts.database import run_in_database_thread
from billing.models import LedgerEntry, Purchase
from billing.payments import stripe_gateway
from billing.payments.booking import apply_checkout, apply_payment
from billing.payments.settlement import settle, settle_reversals
from billing.payments.shapes import SUCCEEDED, Checkout, Payment

State = Purchase.State


class Report(Struct):
    """`booked` was missing and is there now, `differences` need a person. Each line names its object."""

    looked_at: int = 0
    booked: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


async def reconcile(since: datetime) -> Report:
    """Compares all that Stripe has since then. Raises `PaymentError` where Stripe cannot be asked."""
    report = Report()
    begin = int(since.timestamp())
    seen: set[str] = set()
    async for checkout in stripe_gateway.all_checkouts(begin):
        seen.add(checkout.id)
        await _compare_checkout(report, checkout)
    async for payment in stripe_gateway.all_payments(begin):
        seen.add(payment.id)
        await _compare_payment(report, payment)
    await _compare_reversals(report, begin)
    for purchase in await run_in_database_thread(_list_unseen, since, seen):
        await _compare_unseen(report, purchase)
    report.differences += await run_in_database_thread(_compare_with_ledger, since)
    return report


async def _compare_checkout(report: Report, checkout: Checkout) -> None:
    report.looked_at += 1
    before = await run_in_database_thread(_state_of, {"checkout_id": checkout.id})
    purchase = await run_in_database_thread(apply_checkout, checkout)
    if checkout.payment_status == "paid":
        _tell(report, f"checkout {checkout.id}", before, purchase)


async def _compare_payment(report: Report, payment: Payment) -> None:
    report.looked_at += 1
    before = await run_in_database_thread(_state_of, {"payment_id": payment.id})
    purchase = await run_in_database_thread(apply_payment, payment)
    if payment.status == SUCCEEDED and not (purchase and purchase.origin == Purchase.Origin.CHECKOUT):
        _tell(report, f"payment {payment.id}", before, purchase)


def _tell(report: Report, what: str, before: str, purchase: Purchase | None) -> None:
    if purchase is None:
        report.differences.append(f"{what} is paid at Stripe, and no purchase here is its own")
    elif purchase.state != State.PAID:
        report.differences.append(f"{what} is paid at Stripe, and purchase {purchase.pk} is not: {purchase.problem}")
    elif before != State.PAID:
        report.booked.append(f"{what}: purchase {purchase.pk} of account {purchase.account_id}")


async def _compare_reversals(report: Report, begin: int) -> None:
    payments: dict[str, None] = {}
    async for refund in stripe_gateway.all_refunds(begin):
        report.looked_at += 1
        if refund.payment_intent:
            payments[refund.payment_intent] = None
    async for dispute in stripe_gateway.all_disputes(begin):
        report.looked_at += 1
        if dispute.payment_intent:
            payments[dispute.payment_intent] = None
    for payment_id in payments:
        before = await run_in_database_thread(_reversed_of, payment_id)
        purchase = await settle_reversals(payment_id)
        if purchase is not None and purchase.reversed != before:
            report.booked.append(f"payment {payment_id}: refunds and disputes of purchase {purchase.pk}")


async def _compare_unseen(report: Report, purchase: Purchase) -> None:
    """A purchase that Stripe did not list: made before, or by nobody."""
    report.looked_at += 1
    after = await settle(purchase)
    if after.state == State.PAID and purchase.state != State.PAID:
        report.booked.append(f"purchase {purchase.pk} of account {purchase.account_id}")


def _state_of(which: dict[str, str]) -> str:
    return Purchase.objects.filter(**which).values_list("state", flat=True).first() or ""


def _reversed_of(payment_id: str) -> int:
    return Purchase.objects.filter(payment_id=payment_id).values_list("reversed", flat=True).first() or 0


def _list_unseen(since: datetime, seen: set[str]) -> list[Purchase]:
    unsettled = Purchase.objects.filter(
        state__in=(State.OPEN, State.PENDING), livemode=stripe_gateway.is_live(), created_at__gte=since
    )
    return [one for one in unsettled if one.checkout_id not in seen and one.payment_id not in seen]


def _compare_with_ledger(since: datetime) -> list[str]:
    """Purchases that say they were paid, and whose entries say something else."""
    differences = []
    paid = Purchase.objects.filter(state=State.PAID, settled_at__gte=since).prefetch_related("reversals")
    for purchase in paid.iterator(chunk_size=500):
        entries = LedgerEntry.objects.filter(account=purchase.account_id)
        bought = entries.filter(cause=purchase.cause, kind=LedgerEntry.Kind.PURCHASE)
        entered = bought.aggregate(sum=Sum("amount"))["sum"] or 0
        if entered != purchase.credits:
            differences.append(f"purchase {purchase.pk} is of {purchase.credits} millicredits, entered were {entered}")
        taken = sum(reversal.credits for reversal in purchase.reversals.all())
        if taken != purchase.reversed:
            differences.append(f"purchase {purchase.pk} has {purchase.reversed} reversed, its reversals took {taken}")
    return differences
