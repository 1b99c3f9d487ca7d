"""Stripe's webhooks: stored as they came, then handled, again and again until that worked.

An event says only which object to look at: it may come twice, late, or in another order than things happened.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F
from django.utils import timezone

from accounts.database import run_in_database_thread
from billing.models import Purchase, StripeEvent
from billing.payments.errors import NotFound, PaymentError
from billing.payments.settlement import settle_checkout, settle_payment, settle_reversals
from billing.payments.shapes import Event, EventObject
from billing.payments.stripe_gateway import read_delivery

logger = logging.getLogger(__name__)

# Who works on an event has so long before another may.
LEASE = timedelta(minutes=2)
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200))
AT_ONCE = 20
# Stripe itself can be asked for events for thirty days.
KEPT = timedelta(days=90)


class Handler(NamedTuple):
    """`settle` is given the id that `about` finds in the event; nothing is done where there is none."""

    about: Callable[[EventObject], str | None]
    settle: Callable[[str], Awaitable[Purchase | None]]


CHECKOUT = Handler(lambda found: found.id, settle_checkout)
PAYMENT = Handler(lambda found: found.id, settle_payment)
REVERSAL = Handler(lambda found: found.payment_intent, settle_reversals)

# https://docs.stripe.com/api/events/types
HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": CHECKOUT,
    "checkout.session.async_payment_succeeded": CHECKOUT,
    "checkout.session.async_payment_failed": CHECKOUT,
    "checkout.session.expired": CHECKOUT,
    "payment_intent.succeeded": PAYMENT,
    "payment_intent.payment_failed": PAYMENT,
    "payment_intent.canceled": PAYMENT,
    "charge.refunded": REVERSAL,
    "refund.created": REVERSAL,
    "refund.updated": REVERSAL,
    "refund.failed": REVERSAL,
    "charge.dispute.created": REVERSAL,
    "charge.dispute.updated": REVERSAL,
    "charge.dispute.closed": REVERSAL,
    "charge.dispute.funds_withdrawn": REVERSAL,
    "charge.dispute.funds_reinstated": REVERSAL,
}


async def receive(payload: bytes, signature: str) -> None:
    """Takes a delivery: when this returns it is stored, and its effect is there or will be.

    Raises `BadDelivery` for one that is not Stripe's, and the database's errors where it cannot be stored.
    """
    event = read_delivery(payload, signature)
    if event.type not in HANDLERS:
        return
    stored = await run_in_database_thread(_store, event, payload)
    if stored.handled_at is None:
        await handle(stored)


async def handle(event: StripeEvent) -> None:
    """Does what follows from an event, or notes why it could not be, and when to try again."""
    try:
        if event.about:
            await HANDLERS[event.type].settle(event.about)
    except NotFound as error:
        await run_in_database_thread(_close, event, str(error))
    except PaymentError as error:
        await run_in_database_thread(_postpone, event, str(error))
    except Exception as error:
        # It is stored, so it is not lost; an answer other than 2xx would only bring it once more.
        logger.exception("Stripe's event %s could not be handled", event.pk)
        await run_in_database_thread(_postpone, event, repr(error))
    else:
        await run_in_database_thread(_close, event, "")


async def work_off() -> int:
    """How many events that waited were taken up now: those whose process died, or that Stripe could not explain."""
    found = await run_in_database_thread(_claim_due, timezone.now())
    for event in found:
        await handle(event)
    return len(found)


def purge_old(now: datetime | None = None) -> int:
    """How many events were forgotten: handled ones of long ago."""
    limit = (now or timezone.now()) - KEPT
    deleted, _ = StripeEvent.objects.filter(received_at__lt=limit, handled_at__isnull=False).delete()
    return deleted


def _store(event: Event, payload: bytes) -> StripeEvent:
    about = HANDLERS[event.type].about(event.data.object) or ""
    stored, _ = StripeEvent.objects.get_or_create(
        id=event.id,
        defaults={"type": event.type, "about": about, "payload": payload, "next_at": timezone.now() + LEASE},
    )
    return stored


def _close(event: StripeEvent, error: str) -> None:
    StripeEvent.objects.filter(pk=event.pk).update(handled_at=timezone.now(), next_at=None, error=error[:500])


def _postpone(event: StripeEvent, error: str) -> None:
    pause = PAUSES[min(event.attempts, len(PAUSES) - 1)]
    StripeEvent.objects.filter(pk=event.pk, handled_at__isnull=True).update(
        attempts=F("attempts") + 1, next_at=timezone.now() + pause, error=error[:500]
    )


def _claim_due(now: datetime) -> list[StripeEvent]:
    """Some that are due, each for this caller alone."""
    due = StripeEvent.objects.filter(handled_at__isnull=True, next_at__lte=now).order_by("next_at")[:AT_ONCE]
    claimed = []
    for event in due:
        mine = StripeEvent.objects.filter(pk=event.pk, next_at=event.next_at, handled_at__isnull=True)
        if mine.update(next_at=now + LEASE):
            claimed.append(event)
    return claimed
