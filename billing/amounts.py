"""Millicredits as people and programs read them."""


def credits_text(millicredits: int) -> str:
    """Credits, up to three decimals: `2`, `0.1`."""
    sign, amount = ("-", -millicredits) if millicredits < 0 else ("", millicredits)
    whole, part = divmod(amount, 1000)
    return f"{sign}{whole}.{part:03d}".rstrip("0").rstrip(".") if part else f"{sign}{whole}"


def credits_number(millicredits: int) -> float | int:
    """Credits as a JSON number with up to three decimals."""
    whole, part = divmod(millicredits, 1000)
    return whole if part == 0 else millicredits / 1000
