"""Brings our books in line with Stripe's: reads an object there, and does what follows from it here.

Safe to call any number of times, in any order and at once. All raise `PaymentError` where Stripe cannot be asked.
"""

import logging

from accounts.database import run_in_database_thread
from billing.models import Purchase
from billing.payments import stripe_gateway
from billing.payments.booking import apply_checkout, apply_payment
from billing.payments.errors import NotFound
from billing.payments.reversals import apply_reversals, claims_of
from billing.payments.shapes import Payment

logger = logging.getLogger(__name__)


async def settle_checkout(checkout_id: str) -> Purchase | None:
    """The purchase that this Checkout Session is of, as it is after a look at Stripe; None where it is not ours."""
    checkout = await stripe_gateway.read_checkout(checkout_id)
    purchase = await run_in_database_thread(apply_checkout, checkout)
    return await _with_reversals(purchase, checkout.payment_intent)


async def settle_payment(payment_id: str) -> Purchase | None:
    """The same of a PaymentIntent. That of a checkout is settled with its session."""
    payment = await stripe_gateway.read_payment(payment_id)
    purchase = await run_in_database_thread(apply_payment, payment)
    return await _with_reversals(purchase, payment)


async def settle_reversals(payment_id: str) -> Purchase | None:
    """The same for all refunds and disputes of a PaymentIntent."""
    refunds = await stripe_gateway.list_refunds(payment_id)
    disputes = await stripe_gateway.list_disputes(payment_id)
    return await run_in_database_thread(apply_reversals, payment_id, claims_of(refunds, disputes))


async def settle(purchase: Purchase) -> Purchase:
    """The purchase after a look at Stripe, if that can be asked about it at all."""
    try:
        if purchase.checkout_id:
            return await settle_checkout(purchase.checkout_id) or purchase
        if purchase.payment_id:
            return await settle_payment(purchase.payment_id) or purchase
    except NotFound:
        logger.warning("Stripe does not know purchase %s", purchase.pk)
    return purchase


async def _with_reversals(purchase: Purchase | None, payment: Payment | None) -> Purchase | None:
    """What was refunded before it was booked: its own event found nothing to take back from."""
    charge = payment.latest_charge if payment else None
    if purchase is None or payment is None or charge is None or not (charge.amount_refunded or charge.disputed):
        return purchase
    return await settle_reversals(payment.id) or purchase
