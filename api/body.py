"""What both lanes read off a request before its fields: size, media type, JSON, and our own request headers."""

from decimal import Decimal

from msgspec import Struct

from gateway.errors import InvalidValue, RequestTooLarge, UnsupportedMediaType

MAX_JSON_BYTES = 25 * 1024 * 1024
# A file of 25 MB, and the fields beside it.
MAX_FORM_BYTES = 26 * 1024 * 1024
MOST_DIGITS = 12  # of an amount of credits


class BodyKind(Struct, frozen=True):
    """What an endpoint takes: bodies of a media type, up to so many bytes. `advice` follows where there are more."""

    media_type: str
    most: int
    advice: str


JSON = BodyKind("application/json", MAX_JSON_BYTES, "Send less, or smaller pictures.")
FORM = BodyKind("multipart/form-data", MAX_FORM_BYTES, "A file may have 25 MB.")


def check_size(size: int, kind: BodyKind = JSON) -> None:
    """Raises `RequestTooLarge` for a body of more bytes than its kind has."""
    if size > kind.most:
        raise RequestTooLarge(f"The body is larger than {kind.most >> 20} MB. {kind.advice}")


def check_media_type(content_type: str | None, kind: BodyKind = JSON) -> None:
    """A missing header is read as JSON. Raises `UnsupportedMediaType` for what an endpoint does not take."""
    media_type = (content_type or "").partition(";")[0].strip().lower() or JSON.media_type
    if media_type != kind.media_type:
        raise UnsupportedMediaType(f"This endpoint takes `{kind.media_type}`, not `{media_type}`.")


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
