"""Which addresses were welcomed before, without keeping the addresses.

What is kept is an HMAC under a key made of SECRET_KEY: whoever has the database alone cannot find out whose address it
is, not even by trying all that exist. After a change of SECRET_KEY those welcomed before are still known as long as the
old one stands in SECRET_KEY_FALLBACKS.
"""

from django.conf import settings
from django.utils.crypto import salted_hmac

from accounts.models import User, WelcomedAddress

SALT = "accounts.addresses"


def welcome_once(email: str) -> bool:
    """Whether the address comes for the first time. It is remembered, whatever becomes of its account."""
    older = [_digest(email, secret) for secret in settings.SECRET_KEY_FALLBACKS]
    _, is_new = WelcomedAddress.objects.get_or_create(digest=_digest(email, settings.SECRET_KEY))
    return is_new and not WelcomedAddress.objects.filter(digest__in=older).exists()


def _digest(email: str, secret: str) -> str:
    return salted_hmac(SALT, User.objects.normalize_email(email), secret=secret, algorithm="sha256").hexdigest()
