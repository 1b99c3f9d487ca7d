"""Test cards, and what banks say to them. https://docs.stripe.com/testing"""

import hashlib
from dataclasses import dataclass
from typing import Any

from tests.upstreams.stripe.account import FIXTURES, Account, Object
from tests.upstreams.stripe.errors import refused

VISA = "4242424242424242"
MASTERCARD = "5555555555554444"
DECLINED = "4000000000000002"
INSUFFICIENT_FUNDS = "4000000000009995"
EXPIRED = "4000000000000069"
# Its bank wants to see the payer once, when it is kept for later.
AUTHENTICATE_ONCE = "4000002500003155"
# Its bank wants to see the payer each time.
ALWAYS_AUTHENTICATE = "4000002760003184"

BANK = "us_bank_account"
# The types of payment methods that the account has turned on.
TYPES = ("card", BANK)


@dataclass(frozen=True)
class Card:
    """`outcome` is a key of `DECLINES`, or empty where payments succeed."""

    number: str
    brand: str = "visa"
    outcome: str = ""
    asks_payer: bool = False  # who is there

    @property
    def last4(self) -> str:
        return self.number[-4:]


CARDS = {
    card.number: card
    for card in (
        Card(VISA),
        Card(MASTERCARD, brand="mastercard"),
        Card(DECLINED, outcome="generic_decline"),
        Card(INSUFFICIENT_FUNDS, outcome="insufficient_funds"),
        Card(EXPIRED, outcome="expired_card"),
        Card(AUTHENTICATE_ONCE, asks_payer=True),
        Card(ALWAYS_AUTHENTICATE, outcome="authentication_required", asks_payer=True),
    )
}
BY_LAST4 = {card.last4: card for card in CARDS.values()}

# The error's code and message by the decline's. https://docs.stripe.com/declines/codes
DECLINES = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "lost_card": ("card_declined", "Your card was declined."),
    "expired_card": ("expired_card", "Your card has expired."),
    "processing_error": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "authentication_required": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
}
# Other names under which tests may ask for one.
OUTCOMES = {"card_declined": "generic_decline", **{name: name for name in DECLINES}}


def find_card(number: str) -> Card:
    """Raises `Refusal` for what is no test card."""
    card = CARDS.get("".join(number.split()))
    if card is None:
        raise refused("Your card number is incorrect.", code="incorrect_number", param="number")
    return card


def new_card(account: Account, number: str, customer: Object | None = None, email: str | None = None) -> Object:
    """A payment method, which `customer` keeps if there is one."""
    card = find_card(number)
    details = FIXTURES["payment_method.card"] | shown_on_card(card)
    return _new_method(account, customer, email, type="card", card=details)


def new_bank_account(account: Account, customer: Object | None = None, email: str | None = None) -> Object:
    made = _new_method(account, customer, email, type=BANK)
    made[BANK] = dict(FIXTURES["payment_method.us_bank_account"])
    return made


def shown_on_card(card: Card) -> dict[str, Any]:
    shown = {"brand": card.brand, "last4": card.last4}
    return shown | {"fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16]}


def decline_of(method: Object) -> str:
    """How a payment without its payer ends: a key of `DECLINES`, or nothing."""
    return BY_LAST4[method["card"]["last4"]].outcome if method["type"] == "card" else ""


def asks_payer(method: Object) -> bool:
    return method["type"] == "card" and BY_LAST4[method["card"]["last4"]].asks_payer


def _new_method(account: Account, customer: Object | None, email: str | None, **fields: Any) -> Object:
    made = account.new("payment_method", **fields)
    made["billing_details"]["email"] = email
    if made["card"] is None:
        del made["card"]
    if customer is not None:
        attach(account, made, customer)
    return made


def attach(account: Account, method: Object, customer: Object) -> None:
    method["customer"] = customer["id"]
    method["allow_redisplay"] = "always"
    account.emit("payment_method.attached", method)


def detach(account: Account, method: Object) -> None:
    previous = method["customer"]
    method["customer"] = None
    account.emit("payment_method.detached", method, customer=previous)
