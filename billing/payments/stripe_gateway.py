"""The one file that talks to Stripe: each function is one question, answered in our own shapes.

All raise `PaymentsOff` where no key is configured, `PaymentsUnavailable` where Stripe does not answer or not as
documented (its own library tries twice more before that), and `NotFound`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import msgspec
import stripe
from django.conf import settings

from billing.packs import CURRENCY, Offer
from billing.payments.errors import (
    AuthenticationNeeded,
    BadDelivery,
    NotFound,
    PaymentRefused,
    PaymentsOff,
    PaymentsUnavailable,
)
from billing.payments.shapes import Checkout, Dispute, Event, Payment, PaymentMethod, Refund

logger = logging.getLogger(__name__)

# The version whose shapes these are; an account's own default may be another.
API_VERSION = "2026-10-28.endive"
# Seconds.
TIMEOUT = 20.0
OLDEST_DELIVERY = 300
FARTHEST_FUTURE = 60
RETRIES = 2
PAGE = 100
EXPANDED_CHECKOUT = ["payment_intent.latest_charge", "invoice"]

Shape = TypeVar("Shape")

_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Client]" = WeakKeyDictionary()


class _Client(msgspec.Struct):
    """Of one event loop, whose connections it uses."""

    key: str
    base: str
    http: stripe.HTTPClient
    api: stripe.StripeClient


def is_configured() -> bool:
    return bool(settings.STRIPE_SECRET_KEY)


def is_live() -> bool:
    """Whether the key moves real money."""
    return settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))


async def create_customer(account_id: int, email: str) -> str:
    """The id of a new customer; the same one however often it is asked for within a day."""
    with _errors():
        customer = await _api().v1.customers.create_async(
            {"email": email, "metadata": {"account": str(account_id)}},
            {"idempotency_key": f"customer:{account_id}"},
        )
    return customer.id


async def create_checkout(
    purchase_id: str, offer: Offer, *, customer: str, success_url: str, cancel_url: str
) -> Checkout:
    """A page of Stripe's on which `customer` pays for `offer`; the same one however often it is asked for.

    The card is kept for later payments of theirs, if they agree.
    """
    params: dict[str, Any] = {
        "mode": "payment",
        "customer": customer,
        "client_reference_id": purchase_id,
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": CURRENCY,
                    "unit_amount": offer.price,
                    "product_data": {"name": offer.name},
                },
            }
        ],
        "success_url": success_url,
        "cancel_url": cancel_url,
        "metadata": {"purchase": purchase_id},
        "payment_intent_data": {"metadata": {"purchase": purchase_id}},
        "saved_payment_method_options": {"payment_method_save": "enabled"},
        "invoice_creation": {"enabled": True},
        "allow_promotion_codes": settings.STRIPE_PROMOTION_CODES,
    }
    if settings.STRIPE_AUTOMATIC_TAX:
        params |= {
            "automatic_tax": {"enabled": True},
            "customer_update": {"address": "auto"},
            "tax_id_collection": {"enabled": True},
        }
        params["customer_update"]["name"] = "auto"
    with _errors():
        created = await _api().v1.checkout.sessions.create_async(
            params,  # type: ignore[arg-type]
            {"idempotency_key": f"checkout:{purchase_id}"},
        )
    # Nothing is expanded in this answer: the session is what matters.
    return Checkout(id=created.id, livemode=created.livemode, url=created.url, status=created.status)


async def read_checkout(checkout_id: str) -> Checkout:
    with _errors():
        found = await _api().v1.checkout.sessions.retrieve_async(checkout_id, {"expand": EXPANDED_CHECKOUT})
    return _shaped(found, Checkout)


async def expire_checkout(checkout_id: str) -> None:
    """Nobody can pay on its page any more. One that has ended is left as it is."""
    try:
        with _errors():
            await _api().v1.checkout.sessions.expire_async(checkout_id)
    except PaymentRefused:
        return


async def read_payment(payment_id: str) -> Payment:
    with _errors():
        found = await _api().v1.payment_intents.retrieve_async(payment_id, {"expand": ["latest_charge"]})
    return _shaped(found, Payment)


async def list_refunds(payment_id: str) -> list[Refund]:
    """Of one payment, oldest first."""
    with _errors():
        page = await _api().v1.refunds.list_async({"payment_intent": payment_id, "limit": PAGE})
        found = [_shaped(one, Refund) async for one in page.auto_paging_iter()]
    return sorted(found, key=lambda refund: (refund.created, refund.id))


async def list_disputes(payment_id: str) -> list[Dispute]:
    """Of one payment, oldest first."""
    with _errors():
        page = await _api().v1.disputes.list_async({"payment_intent": payment_id, "limit": PAGE})
        found = [_shaped(one, Dispute) async for one in page.auto_paging_iter()]
    return sorted(found, key=lambda dispute: (dispute.created, dispute.id))


async def list_cards(customer: str) -> list[PaymentMethod]:
    """What the customer can be charged by without being there, newest first."""
    with _errors():
        page = await _api().v1.customers.payment_methods.list_async(customer, {"type": "card", "limit": 10})
    return [_shaped(one, PaymentMethod) for one in page.data]


async def charge_card(purchase_id: str, offer: Offer, *, customer: str, payment_method: str, attempt: int) -> Payment:
    """A payment without the customer being there. One attempt is one payment, however often it is asked for.

    Raises `AuthenticationNeeded` and `PaymentRefused`, both with the payment's id where it was made.
    """
    with _errors():
        made = await _api().v1.payment_intents.create_async(
            {
                "amount": offer.price,
                "currency": CURRENCY,
                "customer": customer,
                "payment_method": payment_method,
                "off_session": True,
                "confirm": True,
                # Nobody is there to be sent to another page.
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "description": offer.name,
                "metadata": {"purchase": purchase_id},
                "expand": ["latest_charge"],
            },
            {"idempotency_key": f"top-up:{purchase_id}:{attempt}"},
        )
    return _shaped(made, Payment)


async def cancel_payment(payment_id: str) -> None:
    """It cannot succeed any more. One that has ended is left as it is."""
    try:
        with _errors():
            await _api().v1.payment_intents.cancel_async(payment_id)
    except PaymentRefused:
        return


async def open_portal(customer: str, return_url: str) -> str:
    """The address of Stripe's page on which a customer manages cards and finds invoices."""
    with _errors():
        session = await _api().v1.billing_portal.sessions.create_async({"customer": customer, "return_url": return_url})
    return session.url


# --- All of a time, for reconciliation --------------------------------------------------------------------------------


async def all_checkouts(since: int) -> AsyncIterator[Checkout]:
    """Those made at or after `since` (seconds since 1970), newest first."""
    with _errors():
        page = await _api().v1.checkout.sessions.list_async(
            {"created": {"gte": since}, "limit": PAGE, "expand": [f"data.{name}" for name in EXPANDED_CHECKOUT]}
        )
        async for one in page.auto_paging_iter():
            yield _shaped(one, Checkout)


async def all_payments(since: int) -> AsyncIterator[Payment]:
    with _errors():
        page = await _api().v1.payment_intents.list_async(
            {"created": {"gte": since}, "limit": PAGE, "expand": ["data.latest_charge"]}
        )
        async for one in page.auto_paging_iter():
            yield _shaped(one, Payment)


async def all_refunds(since: int) -> AsyncIterator[Refund]:
    with _errors():
        page = await _api().v1.refunds.list_async({"created": {"gte": since}, "limit": PAGE})
        async for one in page.auto_paging_iter():
            yield _shaped(one, Refund)


async def all_disputes(since: int) -> AsyncIterator[Dispute]:
    with _errors():
        page = await _api().v1.disputes.list_async({"created": {"gte": since}, "limit": PAGE})
        async for one in page.auto_paging_iter():
            yield _shaped(one, Dispute)


# --- What Stripe tells by itself --------------------------------------------------------------------------------------


def read_delivery(payload: bytes, signature: str) -> Event:
    """The event in a webhook's body, which one of `STRIPE_WEBHOOK_SECRETS` has signed lately.

    Nothing of the body is read before that is known. Raises `BadDelivery`.
    """
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            stripe.WebhookSignature.verify_header(payload, signature, secret, tolerance=OLDEST_DELIVERY)
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            continue
        break
    else:
        raise BadDelivery("The signature is not Stripe's, or too old.")
    # The library looks for old ones alone.
    if _signed_at(signature) > time.time() + FARTHEST_FUTURE:
        raise BadDelivery("The signature is of the future.")
    try:
        event = msgspec.json.decode(payload, type=Event)
    except msgspec.DecodeError as error:
        raise BadDelivery(f"This is no event: {error}.") from None
    if event.livemode != is_live():
        raise BadDelivery("The event is of Stripe's other mode, live or test.")
    return event


def _signed_at(signature: str) -> int:
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    return int(parts["t"])


# --- The library ------------------------------------------------------------------------------------------------------


async def close() -> None:
    """Closes this event loop's connections."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.http.close_async()


def _api() -> stripe.StripeClient:
    key, base = settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE
    if not key:
        raise PaymentsOff
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None or (client.key, client.base) != (key, base):
        http = stripe.HTTPXClient(timeout=TIMEOUT)
        client = _clients[loop] = _Client(
            key=key,
            base=base,
            http=http,
            api=stripe.StripeClient(
                key,
                stripe_version=API_VERSION,
                base_addresses={"api": base} if base else None,
                max_network_retries=RETRIES,
                http_client=http,
            ),
        )
    return client.api


def _shaped(found: stripe.StripeObject, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(found.to_dict(), shape)
    except msgspec.ValidationError as error:
        logger.error("Stripe's %s is not as documented: %s", shape.__name__, error)
        raise PaymentsUnavailable from None


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except stripe.CardError as error:
        body: Any = error.json_body or {}
        payment = body.get("error", {}).get("payment_intent") or {}
        kind = AuthenticationNeeded if error.code == "authentication_required" else PaymentRefused
        raise kind(error.user_message or "The payment was refused.", payment_id=payment.get("id", "")) from error
    except stripe.InvalidRequestError as error:
        if error.http_status == 404 or error.code == "resource_missing":
            raise NotFound(f"Stripe has no such object: {error.user_message or error}") from error
        raise PaymentRefused(error.user_message or "Stripe does not take this request.") from error
    except stripe.StripeError as error:
        logger.warning("Stripe did not answer as it should: %s", error)
        raise PaymentsUnavailable from error
