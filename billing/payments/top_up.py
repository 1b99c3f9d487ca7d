"""Automatic top-ups: credits are bought with the card on file when they run low.

Never two at once for an account, in whatever process: the attempt under way stands in the row, under its lock, before
Stripe is asked; and an attempt is one payment at Stripe, however often it is asked for.
"""

import logging
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils import timezone
from msgspec import Struct

from accounts.database import run_in_database_thread
from billing.ledger import MILLICREDITS
from billing.models import AutoTopUp, Purchase
from billing.packs import CURRENCY, MINOR_UNITS, Offer, custom
from billing.payments import mails, stripe_gateway
from billing.payments.booking import apply_payment
from billing.payments.errors import AuthenticationNeeded, PaymentRefused
from billing.payments.settlement import settle

logger = logging.getLogger(__name__)

State = Purchase.State

FAILURES = 3
AT_ONCE = 20
# An attempt whose process died is taken up again after so long.
LEASE = timedelta(minutes=5)
# After a refusal, times the failures so far.
PAUSE = timedelta(hours=1)
# Stripe knows an attempt by its key for a day at least; after that a second try could be a second payment.
# https://docs.stripe.com/api/idempotent_requests
ATTEMPT_KNOWN = timedelta(hours=23)


class Attempt(Struct, frozen=True):
    """One payment that is to be made, or was perhaps made already."""

    purchase: Purchase
    offer: Offer
    customer: str
    payment_method: str


async def run() -> int:
    """How many accounts were topped up, or tried to. Raises `PaymentsUnavailable`: then it goes on the next time."""
    if not stripe_gateway.is_configured():
        return 0
    due = await run_in_database_thread(_find_due)
    for account_id in due:
        attempt = await run_in_database_thread(_claim, account_id)
        if attempt is not None:
            await _make(attempt)
    return len(due)


async def _make(attempt: Attempt) -> None:
    purchase = attempt.purchase
    if purchase.payment_id:
        # It was made, and its end is not known yet.
        purchase = await settle(purchase)
        await run_in_database_thread(_conclude, purchase, "")
        return
    try:
        payment = await stripe_gateway.charge_card(
            purchase.pk,
            attempt.offer,
            customer=attempt.customer,
            payment_method=attempt.payment_method,
            attempt=1,
        )
    except PaymentRefused as error:
        if error.payment_id:
            # Else it could still be confirmed, by whomever.
            await stripe_gateway.cancel_payment(error.payment_id)
        await run_in_database_thread(_refuse, purchase.pk, error)
        return
    settled = await run_in_database_thread(apply_payment, payment)
    await run_in_database_thread(_conclude, settled or purchase, "")


def _find_due() -> list[int]:
    now = timezone.now()
    low = Q(account__posted__lt=F("threshold") + F("account__held"))
    due = AutoTopUp.objects.filter(Q(next_at=None) | Q(next_at__lte=now), low | Q(purchase__isnull=False), enabled=True)
    return list(due.order_by("next_at").values_list("pk", flat=True)[:AT_ONCE])


def _claim(account_id: int) -> Attempt | None:
    """The attempt to make for an account now, which is in its row from here on; None where there is none to make."""
    now = timezone.now()
    with transaction.atomic():
        top_up = (
            AutoTopUp.objects.select_for_update(of=("self",)).select_related("account", "purchase").get(pk=account_id)
        )
        customer = getattr(top_up.account, "customer", None)
        if not top_up.enabled or (top_up.next_at is not None and top_up.next_at > now):
            return None
        if customer is None or not customer.payment_method:
            _stop(top_up, "There is no card on file.")
            return None
        if top_up.purchase is None:
            offer = custom(str(top_up.price // MINOR_UNITS))
            if top_up.account.available >= top_up.threshold or not _is_within_cap(top_up, now):
                return None
            top_up.purchase = Purchase.objects.create(
                account=top_up.account,
                origin=Purchase.Origin.TOP_UP,
                credits=offer.millicredits,
                price=offer.price,
                currency=CURRENCY,
                livemode=stripe_gateway.is_live(),
                payment_method=customer.payment_method,
            )
        elif top_up.purchase.payment_id is None and top_up.purchase.created_at < now - ATTEMPT_KNOWN:
            _stop(top_up, "Whether the last payment was made is not known. See your bank's statement.")
            return None
        top_up.next_at = now + LEASE
        top_up.save()
    # As it was begun, whatever its owner has changed since: Stripe takes a key for one payment of one amount.
    begun = top_up.purchase
    offer = Offer(price=begun.price, credits=begun.credits // MILLICREDITS)
    return Attempt(begun, offer, customer.stripe_id, begun.payment_method)


def _is_within_cap(top_up: AutoTopUp, now: datetime) -> bool:
    """Whether this month's cap has room; else it is said, and it is not looked again before the next month."""
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if top_up.price <= top_up.monthly_cap - spent_in(top_up.account_id, month):
        return True
    following = (month + timedelta(days=32)).replace(day=1)
    top_up.problem = f"This month's limit is reached; it goes on with {following:%d %B}."
    top_up.next_at = following
    top_up.save()
    mails.top_up_capped(top_up)
    return False


def spent_in(account_id: int, month: datetime) -> int:
    """Minor units of automatic top-ups since the beginning of `month`, those under way included."""
    made = Purchase.objects.filter(
        account=account_id,
        origin=Purchase.Origin.TOP_UP,
        state__in=(State.OPEN, State.PENDING, State.PAID),
        created_at__gte=month,
    )
    return made.aggregate(sum=Sum("price"))["sum"] or 0


def _conclude(purchase: Purchase, problem: str) -> None:
    """Frees the row for the next attempt once this one has ended."""
    with transaction.atomic():
        top_up = AutoTopUp.objects.select_for_update().filter(purchase=purchase.pk).first()
        if top_up is None:
            return
        if purchase.state == State.PAID:
            top_up.purchase, top_up.failures, top_up.problem, top_up.next_at = None, 0, problem, None
            top_up.save()
        elif purchase.state in (State.FAILED, State.EXPIRED):
            _count_failure(top_up, purchase.problem or "The payment did not succeed.")


def _refuse(purchase_id: str, error: PaymentRefused) -> None:
    with transaction.atomic():
        now = timezone.now()
        Purchase.objects.filter(pk=purchase_id, state=State.OPEN).update(
            state=State.FAILED,
            problem=str(error)[:500],
            payment_id=error.payment_id or None,
            settled_at=now,
            next_look_at=None,
        )
        top_up = AutoTopUp.objects.select_for_update().filter(purchase=purchase_id).first()
        if top_up is None:
            return
        if isinstance(error, AuthenticationNeeded):
            # Only its customer can go on, on a page of the bank's.
            mails.authentication_needed(top_up)
        _count_failure(top_up, str(error))


def _count_failure(top_up: AutoTopUp, problem: str) -> None:
    top_up.purchase = None
    top_up.failures += 1
    top_up.problem = problem[:500]
    top_up.next_at = timezone.now() + PAUSE * top_up.failures
    if top_up.failures >= FAILURES:
        _stop(top_up, problem)
    else:
        top_up.save()


def _stop(top_up: AutoTopUp, problem: str) -> None:
    """Turns it off, and tells its owner why."""
    top_up.enabled = False
    top_up.problem = problem[:500]
    top_up.save()
    mails.top_up_stopped(top_up)
