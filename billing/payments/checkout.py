"""Buying: a purchase is written down, then Stripe is asked for a page on which it is paid."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from accounts.database import run_in_database_thread
from accounts.models import User
from billing.ledger import open_account
from billing.models import Customer, Purchase
from billing.models.payments import FIRST_LOOK, first_look
from billing.packs import CURRENCY, Offer
from billing.payments import stripe_gateway
from billing.payments.errors import NotFound, PaymentError
from billing.payments.settlement import settle

# The address of our page on which a purchase's state is told, by its id.
AddressOf = Callable[[str], str]

State = Purchase.State

# Stripe's own pages end after a day.
LOOKED_AFTER = timedelta(days=2)
UNSETTLED_AT_ONCE = 50


async def begin(user: User, offer: Offer, *, success: AddressOf, cancel: AddressOf) -> str:
    """The address of the page on which `user` pays for `offer`. Raises `PaymentError`; then nothing can be paid."""
    customer = await find_customer(user)
    purchase = await run_in_database_thread(_write_down, user, offer)
    checkout = await stripe_gateway.create_checkout(
        purchase.pk,
        offer,
        customer=customer.stripe_id,
        success_url=success(purchase.pk),
        cancel_url=cancel(purchase.pk),
    )
    await run_in_database_thread(_note_checkout, purchase.pk, checkout.id)
    if not checkout.url:
        raise PaymentError("The payment page could not be opened. Nothing was charged; try again.")
    return checkout.url


def begin_in_test(user: User, offer: Offer) -> Purchase:
    """A purchase for the test checkout of a development set-up: no money moves (see `booking.pay_in_test`)."""
    return _write_down(user, offer, Purchase.Origin.TEST)


async def find_customer(user: User) -> Customer:
    """Who `user` is at Stripe, made known there if need be. One of the other mode, test or live, does not count."""
    found = await run_in_database_thread(Customer.objects.filter(pk=user.pk).first)
    if found is not None and found.livemode == stripe_gateway.is_live():
        return found
    stripe_id = await stripe_gateway.create_customer(user.pk, user.email)
    return await run_in_database_thread(_note_customer, user, stripe_id)


async def open_portal(user: User, return_url: str) -> str:
    """The address of Stripe's page for cards and invoices. Raises `PaymentError`."""
    customer = await find_customer(user)
    return await stripe_gateway.open_portal(customer.stripe_id, return_url)


async def cancel(purchase: Purchase) -> Purchase:
    """The purchase, whose page cannot be paid on any more unless it has been. Raises `PaymentError`."""
    if purchase.state == State.OPEN and purchase.checkout_id:
        try:
            await stripe_gateway.expire_checkout(purchase.checkout_id)
        except NotFound:
            return purchase
        return await settle(purchase)
    return purchase


async def refresh_cards(user: User) -> Customer:
    """The customer with the card that automatic payments use: the newest that is kept. Raises `PaymentError`."""
    customer = await find_customer(user)
    cards = await stripe_gateway.list_cards(customer.stripe_id)
    chosen = next((card for card in cards if card.id == customer.payment_method), cards[0] if cards else None)
    card = {"payment_method": chosen.id if chosen else "", "card": chosen.label if chosen else ""}
    await run_in_database_thread(Customer.objects.filter(pk=customer.pk).update, **card)
    customer.payment_method, customer.card = card["payment_method"], card["card"]
    return customer


async def look_after_unsettled() -> int:
    """How many purchases were looked up at Stripe because nothing was heard of them: a lost webhook is no lost credit.

    Raises `PaymentError` where Stripe cannot be asked.
    """
    if not stripe_gateway.is_configured():
        return 0
    found = await run_in_database_thread(_claim_unsettled)
    for purchase in found:
        await settle(purchase)
    return len(found)


def _claim_unsettled() -> list[Purchase]:
    """Some that are due, each for this caller alone. The older one is, the rarer it is looked at."""
    now = timezone.now()
    due = Purchase.objects.filter(next_look_at__lte=now, livemode=stripe_gateway.is_live())
    claimed = []
    for purchase in due.order_by("next_look_at")[:UNSETTLED_AT_ONCE]:
        mine = Purchase.objects.filter(pk=purchase.pk, next_look_at=purchase.next_look_at)
        if purchase.checkout_id is None and purchase.payment_id is None:
            # Stripe was never asked, or its answer was lost: then nobody knows the page's address.
            mine.filter(created_at__lt=now - LOOKED_AFTER).update(state=State.EXPIRED, next_look_at=None)
        if mine.update(next_look_at=now + max(FIRST_LOOK, (now - purchase.created_at) / 2)):
            claimed.append(purchase)
    return claimed


def _write_down(user: User, offer: Offer, origin: str = Purchase.Origin.CHECKOUT) -> Purchase:
    return Purchase.objects.create(
        account=open_account(user),
        origin=origin,
        pack=offer.pack,
        credits=offer.millicredits,
        price=offer.price,
        currency=CURRENCY,
        livemode=stripe_gateway.is_live(),
        next_look_at=None if origin == Purchase.Origin.TEST else first_look(),
    )


def _note_checkout(purchase_id: str, checkout_id: str) -> None:
    # Its webhook may have been quicker.
    Purchase.objects.filter(pk=purchase_id, checkout_id=None).update(checkout_id=checkout_id)


def _note_customer(user: User, stripe_id: str) -> Customer:
    customer, _ = Customer.objects.update_or_create(
        account=open_account(user),
        defaults={"stripe_id": stripe_id, "livemode": stripe_gateway.is_live(), "payment_method": "", "card": ""},
    )
    return customer
