"""What both lanes read off a request before its fields: size, media type, JSON, and our own request headers."""

from decimal import Decimal

from gateway.errors import InvalidValue, RequestTooLarge, UnsupportedMediaType

MAX_JSON_BYTES = 25 * 1024 * 1024
MOST_DIGITS = 12  # of an amount of credits


def check_size(size: int) -> None:
    """Raises `RequestTooLarge` for a JSON body of more than 25 MB."""
    if size > MAX_JSON_BYTES:
        raise RequestTooLarge(f"The body is larger than {MAX_JSON_BYTES >> 20} MB. Send less, or smaller pictures.")


def check_media_type(content_type: str | None) -> None:
    """JSON endpoints take JSON; a missing header is read as JSON. Raises `UnsupportedMediaType`."""
    if content_type is None:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type and media_type != "application/json":
        raise UnsupportedMediaType(f"This endpoint takes `application/json`, not `{media_type}`.")


def parse_max_credits(value: str | None) -> int | None:
    """Millicredits of an `X-ArkRoute-Max-Credits` header. Raises `InvalidValue` for what is no amount."""
    if value is None:
        return None
    try:
        amount = Decimal(value.strip())
    except ArithmeticError:
        amount = Decimal(-1)
    # Without the last, `1e400000` would be a number with as many digits.
    if not amount.is_finite() or amount < 0 or amount.adjusted() > MOST_DIGITS:
        raise InvalidValue(
            "`X-ArkRoute-Max-Credits` must be a number of credits, such as `2.5`.", param="X-ArkRoute-Max-Credits"
        )
    return int(amount * 1000)
