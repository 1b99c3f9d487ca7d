"""What is for sale: packs of credits, and any whole amount of money."""

from decimal import Decimal

from msgspec import Struct

from billing.amounts import MONEY_PER_CREDIT

CURRENCY = "usd"
# Of the currency, as Stripe counts: cents.
MINOR_UNITS = 100
# A custom amount, in whole dollars.
SMALLEST_AMOUNT, LARGEST_AMOUNT = 5, 1000
MILLICREDITS = 1000


class Offer(Struct, frozen=True):
    """So many `credits` (whole ones, `bonus` among them) for a `price` in cents. `pack` is its id, if it is one."""

    price: int
    credits: int
    bonus: int = 0
    pack: str = ""

    @property
    def millicredits(self) -> int:
        return self.credits * MILLICREDITS

    @property
    def name(self) -> str:
        """As it stands on an invoice."""
        return f"{self.credits:,} credits"


class UnknownOffer(Exception):
    """There is no such pack, or the amount is not sold. Its message is for the buyer."""


def _of(dollars: int, bonus: int = 0, pack: str = "") -> Offer:
    return Offer(
        price=dollars * MINOR_UNITS, credits=int(Decimal(dollars) / MONEY_PER_CREDIT) + bonus, bonus=bonus, pack=pack
    )


PACKS = {offer.pack: offer for offer in (_of(10, 0, "250"), _of(38, 50, "1000"), _of(180, 500, "5000"))}


def find_pack(name: str) -> Offer:
    """Raises `UnknownOffer`."""
    if name not in PACKS:
        raise UnknownOffer("There is no such pack. Choose one from the page.")
    return PACKS[name]


def custom(text: str) -> Offer:
    """What a whole number of dollars buys. Raises `UnknownOffer`."""
    amount = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if not SMALLEST_AMOUNT <= amount <= LARGEST_AMOUNT:
        raise UnknownOffer(f"Enter a whole number of dollars from {SMALLEST_AMOUNT:,} to {LARGEST_AMOUNT:,}.")
    return _of(amount)
