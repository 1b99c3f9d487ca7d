"""What somebody should be told of their balance, on whatever page they are."""

from msgspec import Struct

from billing.amounts import credits_text
from dashboard.receipts import Breakdown
from gateway.notices.preferences import low_balance_below

# A balance is low, too, that lasts less than so many days of the last week's.
LOW_DAYS = 3
WEEK = 7


class Notice(Struct, frozen=True):
    """What of the balance somebody should know."""

    title: str
    text: str


def low_balance(user_id: int, available: int) -> Notice | None:
    """Where nothing is left, or fewer millicredits than the user wants to be told of."""
    if available <= 0:
        return Notice("You have no credits left", "Calls are refused until there are some. Nothing else changes.")
    if available < (low_balance_below(user_id) or 0):
        return Notice(f"{credits_text(available)} credits left", "A call that costs more than that is refused.")
    return None


def soon_spent(available: int, breakdown: Breakdown) -> Notice | None:
    """Where what is left, enough by itself, does not last long at the rate of a breakdown's last week."""
    spent = sum(sum(series.values[-WEEK:]) for series in breakdown.series("spent"))
    days = available * WEEK / spent if spent else LOW_DAYS
    if days >= LOW_DAYS:
        return None
    lasts = "less than a day" if days < 1 else f"about {days:.0f} day{'s' if round(days) > 1 else ''}"
    return Notice(f"{credits_text(available)} credits left", f"At the rate of the last {WEEK} days they last {lasts}.")
