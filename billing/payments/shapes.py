"""What of Stripe's objects we look at. Amounts are minor units of `currency`: cents.

Source: https://docs.stripe.com/api, version 2026-10-28. Fields that are not named here are passed over.
"""

from typing import Any

from msgspec import Struct

# Of a PaymentIntent that came to its end. https://docs.stripe.com/payments/paymentintents/lifecycle
SUCCEEDED, PROCESSING, CANCELED = "succeeded", "processing", "canceled"
REQUIRES_PAYMENT_METHOD = "requires_payment_method"


class Charge(Struct):
    id: str
    receipt_url: str | None = None
    amount_refunded: int = 0
    disputed: bool = False


class Failure(Struct):
    """Why a payment did not succeed, in words for the payer."""

    code: str | None = None
    message: str | None = None


class Payment(Struct):
    """A PaymentIntent, with its latest charge expanded."""

    id: str
    amount: int
    currency: str
    livemode: bool
    status: str
    amount_received: int = 0
    customer: str | None = None
    payment_method: str | None = None
    latest_charge: Charge | None = None
    last_payment_error: Failure | None = None
    metadata: dict[str, Any] = {}


class Invoice(Struct):
    id: str
    hosted_invoice_url: str | None = None


class Checkout(Struct):
    """A Checkout Session, with its PaymentIntent, that one's charge, and its invoice expanded."""

    id: str
    livemode: bool
    status: str | None = None
    payment_status: str = "unpaid"
    url: str | None = None
    amount_subtotal: int | None = None
    amount_total: int | None = None
    currency: str | None = None
    client_reference_id: str | None = None
    customer: str | None = None
    payment_intent: Payment | None = None
    invoice: Invoice | None = None
    created: int = 0


class Refund(Struct):
    """Status: `pending`, `requires_action`, `succeeded`, `failed` or `canceled`."""

    id: str
    amount: int
    currency: str
    created: int
    status: str | None = None
    payment_intent: str | None = None


class Dispute(Struct):
    """Status: `needs_response`, `under_review`, `won`, `lost`; those with `warning_` took no money."""

    id: str
    amount: int
    currency: str
    created: int
    status: str
    payment_intent: str | None = None


class Card(Struct):
    brand: str = ""
    last4: str = ""


class PaymentMethod(Struct):
    id: str
    type: str = ""
    card: Card | None = None
    customer: str | None = None

    @property
    def label(self) -> str:
        """As its owner knows it: `Visa ending in 4242`."""
        if self.card is None:
            return self.type.replace("_", " ").capitalize()
        return f"{self.card.brand.replace('_', ' ').title()} ending in {self.card.last4}"


class EventObject(Struct):
    """What an event is about. Its other fields are old by the time it is read: it is looked up again."""

    id: str
    object: str = ""
    payment_intent: str | None = None


class EventData(Struct):
    object: EventObject


class Event(Struct):
    """A delivery, its signature verified."""

    id: str
    type: str
    livemode: bool
    created: int
    data: EventData
