"""A fake of Stripe, which keeps books: https://docs.stripe.com/api, version 2026-10-28.

It speaks to the official library (form-encoded requests, checked against that library's own types) and to browsers
(pages to pay on, a portal), and signs webhooks for all that changes.

    with FakeStripe() as stripe:
        settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = stripe.origin, stripe.test_key
        ...                                         # a checkout session is made through the API
        stripe.pay(session_id)                      # what its payer does on the page
        for delivery in stripe.webhooks.take():     # what Stripe tells of it
            client.post(path, delivery.payload, content_type=JSON, headers=delivery.headers())

One file each: forms (how requests are written), account (objects, lists, expansion, events), cards, intents, checkout,
reversals (refunds and disputes), api (the endpoints), pages, webhooks, control (what tests make happen), server.
"""

from tests.upstreams.server import Refusal
from tests.upstreams.stripe.cards import (
    ALWAYS_AUTHENTICATE,
    AUTHENTICATE_ONCE,
    DECLINED,
    EXPIRED,
    INSUFFICIENT_FUNDS,
    VISA,
)
from tests.upstreams.stripe.errors import CardDeclined
from tests.upstreams.stripe.server import FakeStripe
from tests.upstreams.stripe.webhooks import SECRET, Delivery, Webhooks, send_all, shuffled

__all__ = (
    "ALWAYS_AUTHENTICATE",
    "AUTHENTICATE_ONCE",
    "DECLINED",
    "EXPIRED",
    "INSUFFICIENT_FUNDS",
    "SECRET",
    "VISA",
    "CardDeclined",
    "Delivery",
    "FakeStripe",
    "Refusal",
    "Webhooks",
    "send_all",
    "shuffled",
)
