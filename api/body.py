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
PICTURES_FORM = BodyKind("multipart/form-data", MAX_FORM_BYTES, "Send fewer pictures, or smaller ones.")


def check_size(size: int, kind: BodyKind = JSON) -> None:
    """Raises `RequestTooLarge` for a body of more bytes than its kind has."""
    if size > kind.most:
        raise RequestTooLarge(f"The body is larger than {kind.most >> 20} MB. {kind.advice}")


def find_kind(content_type: str | None, kinds: tuple[BodyKind, ...]) -> BodyKind:
    """Which of the `kinds` that an endpoint takes this is; a missing header is read as JSON.

    Raises `UnsupportedMediaType`.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower() or JSON.media_type
    for kind in kinds:
        if media_type == kind.media_type:
            return kind
    taken = " or ".join(f"`{kind.media_type}`" for kind in kinds)
    raise UnsupportedMediaType(f"This endpoint takes {taken}, not `{media_type}`.")


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
