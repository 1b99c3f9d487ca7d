"""Addresses that webhooks may be sent to."""

from gateway.errors import InvalidValue
from gateway.fetch import AddressRefused, check_url

# As long as the columns that keep them.
MAX_LENGTH = 2000


def check_webhook_url(value: str, param: str) -> str:
    """`value`, if a webhook may be sent there as far as the address tells by itself: its name is resolved when one is.

    Raises `InvalidValue` naming `param`.
    """
    if len(value) > MAX_LENGTH:
        raise InvalidValue(f"`{param}` has more than {MAX_LENGTH} characters. Send a shorter address.", param=param)
    try:
        check_url(value)
    except AddressRefused as error:
        raise InvalidValue(
            f"`{param}` is not where a webhook can be sent: {error}. "
            "Send the https address of a server on the public internet.",
            param=param,
        ) from None
    return value
