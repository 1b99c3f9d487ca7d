"""What Django's own validators do not know."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.validators import URLValidator

_is_https = URLValidator(schemes=["https"], message="Enter an address that starts with https://.")
_PORTS = {"http": 80, "https": 443}


def validate_webhook_url(value: str) -> None:
    """Raises `ValidationError` where `value` is no https address; http will do for `FETCH_ALLOWED_PRIVATE_HOSTS`.

    For whoever types it. Whether its host is on the public internet is checked whenever something is sent there.
    """
    try:
        parts = urlsplit(value)
        authority = f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
    except (ValueError, KeyError):
        authority = ""
    if authority not in settings.FETCH_ALLOWED_PRIVATE_HOSTS:
        _is_https(value)
