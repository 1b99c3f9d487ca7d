"""What Django's own validators do not know."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
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


def validate_names(value: Any) -> None:
    """Raises `ValidationError` where `value` is no list of texts."""
    if not (isinstance(value, list) and all(isinstance(name, str) and name for name in value)):
        raise ValidationError('Enter a list of names, such as ["image", "gpt-5.4-mini"].')
