"""What a payment means for the ledger: credits, once, if it is the payment that we asked for.

Each function is given an object of Stripe's that was read just now, and may be called any number of times, in any
order, at the same time in several processes: the purchase's row is locked, and the ledger takes a payment as a cause
once.
"""

import logging

from django.db import transaction
from django.utils import timezone

from billing import ledger
from billing.grants import reward_referral
from billing.models import LedgerEntry, Purchase
from billing.payments.shapes import (
    CANCELED,
    PROCESSING,
    REQUIRES_PAYMENT_METHOD,
    SUCCEEDED,
    Checkout,
    Payment,
)
from billing.verbs import Post

logger = logging.getLogger(__name__)

State = Purchase.State


def apply_checkout(checkout: Checkout) -> Purchase | None:
    """What a session, as Stripe has it, does to its purchase."""
    with transaction.atomic():
        purchase = _locked(checkout_id=checkout.id) or _locked(pk=checkout.client_reference_id, checkout_id=None)
        if purchase is None or purchase.state == State.PAID:
            return purchase
        purchase.checkout_id = checkout.id
        if checkout.payment_intent is not None:
            purchase.payment_id = checkout.payment_intent.id
            _note_receipt(purchase, checkout.payment_intent)
        if checkout.invoice is not None:
            purchase.invoice_url = checkout.invoice.hosted_invoice_url or ""
        if checkout.payment_status in ("paid", "no_payment_required"):
            received = checkout.amount_total or 0
            _book(purchase, received, _objections_to_checkout(purchase, checkout))
        elif checkout.status == "expired":
            _end(purchase, State.EXPIRED)
        elif checkout.status == "complete":
            # A bank's transfer: days may pass before it arrives, or does not.
            _complete_without_payment(purchase, checkout.payment_intent)
        purchase.save()
    return purchase


def apply_payment(payment: Payment) -> Purchase | None:
    """What a PaymentIntent, as Stripe has it, does to its purchase.

    That of a checkout is looked at with its session, which alone tells tax and discounts.
    """
    with transaction.atomic():
        purchase = _locked(payment_id=payment.id)
        if purchase is None:
            # Its metadata is a hint: what it leads to must be a payment of ours that has none yet.
            hinted = payment.metadata.get("purchase")
            purchase = _locked(pk=hinted, origin=Purchase.Origin.TOP_UP, payment_id=None) if hinted else None
        if purchase is None or purchase.state == State.PAID or purchase.origin != Purchase.Origin.TOP_UP:
            return purchase
        purchase.payment_id = payment.id
        _note_receipt(purchase, payment)
        if payment.status == SUCCEEDED:
            _book(purchase, payment.amount_received, _objections_to_payment(purchase, payment))
        elif payment.status == PROCESSING:
            purchase.state = State.PENDING
        elif payment.status in (CANCELED, REQUIRES_PAYMENT_METHOD):
            _end(purchase, State.FAILED, _failure(payment))
        purchase.save()
    return purchase


def pay_in_test(purchase_id: str, account_id: int) -> Purchase | None:
    """Books a purchase of the test checkout, where no money moves; None where it is not the account's own."""
    with transaction.atomic():
        purchase = _locked(pk=purchase_id, account=account_id, origin=Purchase.Origin.TEST)
        if purchase is not None and purchase.state == State.OPEN:
            _book(purchase, purchase.price, [])
            purchase.save()
    return purchase


def _locked(**which: object) -> Purchase | None:
    return Purchase.objects.select_for_update().filter(**which).first()


def _complete_without_payment(purchase: Purchase, payment: Payment | None) -> None:
    if payment is not None and payment.status in (REQUIRES_PAYMENT_METHOD, CANCELED):
        _end(purchase, State.FAILED, _failure(payment))
    else:
        purchase.state = State.PENDING


def _failure(payment: Payment) -> str:
    message = payment.last_payment_error.message if payment.last_payment_error else None
    return message or "The payment did not succeed."


def _book(purchase: Purchase, received: int, objections: list[str]) -> None:
    """Enters the credits, unless what was paid is not what we asked for."""
    purchase.paid = received
    if objections:
        purchase.problem = "; ".join(objections)[:500]
        purchase.next_look_at = None
        logger.error("purchase %s was paid and not booked: %s", purchase.pk, purchase.problem)
        return
    entry = Post(
        account_id=purchase.account_id,
        amount=purchase.credits,
        kind=LedgerEntry.Kind.PURCHASE.value,
        cause=purchase.cause,
    )
    try:
        # A savepoint: the ledger's refusal must not take the row along.
        ledger.apply_now([entry])
    except ledger.DuplicateCause:
        logger.info("purchase %s had been booked", purchase.pk)
    reward_referral(purchase.account_id)
    _end(purchase, State.PAID)


def _end(purchase: Purchase, state: str, problem: str = "") -> None:
    purchase.state = state
    purchase.problem = problem[:500]
    purchase.settled_at = timezone.now()
    purchase.next_look_at = None


def _note_receipt(purchase: Purchase, payment: Payment) -> None:
    if payment.latest_charge is not None:
        purchase.receipt_url = payment.latest_charge.receipt_url or ""


def _objections_to_checkout(purchase: Purchase, checkout: Checkout) -> list[str]:
    """Why this is not the payment that the purchase waits for. Tax and discounts are not in the subtotal."""
    customer = _customer_of(purchase)
    return _differences(
        ("reference", checkout.client_reference_id, purchase.pk),
        ("customer", checkout.customer, customer),
        ("amount", checkout.amount_subtotal, purchase.price),
        ("currency", checkout.currency, purchase.currency),
        ("livemode", checkout.livemode, purchase.livemode),
    )


def _objections_to_payment(purchase: Purchase, payment: Payment) -> list[str]:
    return _differences(
        ("customer", payment.customer, _customer_of(purchase)),
        ("amount", payment.amount_received, purchase.price),
        ("currency", payment.currency, purchase.currency),
        ("livemode", payment.livemode, purchase.livemode),
    )


def _customer_of(purchase: Purchase) -> str | None:
    customer = getattr(purchase.account, "customer", None)
    return customer.stripe_id if customer else None


def _differences(*compared: tuple[str, object, object]) -> list[str]:
    return [f"{name} is {found!r}, not {wanted!r}" for name, found, wanted in compared if found != wanted]
