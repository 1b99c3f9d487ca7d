"""What allauth is told about this site: its mails speak of ArkRoute, and their links start with `PUBLIC_URL`.

Otherwise the links would start with whatever `Host` the request named, so that somebody could have a stranger's
password-reset link point to a server of his own.
"""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailConfirmation
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest

from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    def format_email_subject(self, subject: str) -> str:
        return f"ArkRoute: {subject}"

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: EmailConfirmation) -> str:
        return on_this_site(super().get_email_confirmation_url(request, emailconfirmation))

    def get_reset_password_from_key_url(self, key: str) -> str:
        return on_this_site(super().get_reset_password_from_key_url(key))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return "/settings/"

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> Any:
        return super().render_mail(template_prefix, email, {**context, "site_url": settings.PUBLIC_URL}, headers)


class SecondFactorAdapter(DefaultMFAAdapter):
    """What devices and their owners are told when a passkey is made."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "ArkRoute"}

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return f"Passkey {number}"


def on_this_site(url: str) -> str:
    """The same page under `PUBLIC_URL`."""
    return settings.PUBLIC_URL + urlsplit(url).path
