"""Start-up checks: what cannot work, or must not in production, is refused before it serves, with a hint."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

SECRET_KEY_LENGTH = 32
SECRET_KEY_CHARACTERS = 5


@register(Tags.security)
def check_environment(**kwargs: Any) -> list[CheckMessage]:
    return [
        *_check_secret_key(),
        *_check_public_url(),
        *_check_payments(),
        *([] if settings.DEBUG else _check_production()),
    ]


def _check_secret_key() -> Iterator[CheckMessage]:
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's answer to an empty one
        key = ""
    hint = (
        "`make run` writes one for development. For production: "
        "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )
    if not key:
        yield Error("SECRET_KEY is not set.", hint=hint, id="arkroute.E001")
    elif not settings.DEBUG and (
        len(key) < SECRET_KEY_LENGTH or len(set(key)) < SECRET_KEY_CHARACTERS or key.startswith("django-insecure-")
    ):
        yield Error("SECRET_KEY can be guessed.", hint=hint, id="arkroute.E002")


def _check_public_url() -> Iterator[CheckMessage]:
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme not in ("http", "https") or not url.netloc:
        yield Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL!r}, not an address.",
            hint="The address under which clients reach the gateway, such as https://api.example.com.",
            id="arkroute.E003",
        )


def _check_payments() -> Iterator[CheckMessage]:
    if settings.STRIPE_SECRET_KEY and not all(map(str.strip, settings.STRIPE_WEBHOOK_SECRETS or [""])):
        yield Error(
            "STRIPE_SECRET_KEY is set without a STRIPE_WEBHOOK_SECRET.",
            hint="Anybody could claim to have paid. Stripe shows the secret of the endpoint "
            f"{settings.PUBLIC_URL}/billing/webhooks/stripe/ in its dashboard.",
            id="arkroute.E007",
        )
    if settings.STRIPE_SECRET_KEY and not settings.STRIPE_SECRET_KEY.startswith(("sk_", "rk_")):
        yield Error(
            "STRIPE_SECRET_KEY is no secret key of Stripe's.",
            hint="It begins with sk_live_ or rk_live_; for tests with sk_test_ or rk_test_.",
            id="arkroute.E008",
        )


def _check_production() -> Iterator[CheckMessage]:
    if not settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS is not set.",
            hint="The host names of PUBLIC_URL, separated by commas: api.example.com.",
            id="arkroute.E004",
        )
    elif "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS takes any host.",
            hint="A forged Host header would end up in links and mails. Name the hosts instead of `*`.",
            id="arkroute.E005",
        )
    if settings.ARKROUTE_STAND_INS:
        yield Error(
            "ARKROUTE_STAND_INS is on.",
            hint="A stand-in's answers must not be sold. It is for development, with DEBUG on.",
            id="arkroute.E006",
        )
