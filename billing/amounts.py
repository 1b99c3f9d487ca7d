"""Millicredits as people and programs read them, and what they are in money."""

from decimal import Decimal

# US dollars that a credit is sold for.
MONEY_PER_CREDIT = Decimal("0.04")
CENT = Decimal("0.01")


def credits_text(millicredits: int) -> str:
    """Credits, up to three decimals: `2`, `0.1`."""
    sign, amount = ("-", -millicredits) if millicredits < 0 else ("", millicredits)
    whole, part = divmod(amount, 1000)
    return f"{sign}{whole}.{part:03d}".rstrip("0").rstrip(".") if part else f"{sign}{whole}"


def credits_number(millicredits: int) -> float | int:
    """Credits as a JSON number with up to three decimals."""
    whole, part = divmod(millicredits, 1000)
    return whole if part == 0 else millicredits / 1000


def money_text(millicredits: int) -> str:
    """What so many millicredits are sold for, exactly, with two decimals at least: `$0.08`, `$0.004`, `$1,300.00`."""
    dollars = (MONEY_PER_CREDIT * millicredits / 1000).normalize()
    if dollars == dollars.quantize(CENT):
        dollars = dollars.quantize(CENT)
    sign = "-" if dollars < 0 else ""
    return f"{sign}${abs(dollars):,f}"
