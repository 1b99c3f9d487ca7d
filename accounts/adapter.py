"""What allauth is told about this site: its mails speak of ArkRoute, and their links start with `PUBLIC_URL`.

Otherwise the links would start with whatever `Host` the request named, so that somebody could have a stranger's
password-reset link point to a server of his own.
"""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailConfirmation
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    def format_email_subject(self, subject: str) -> str:
        return f"ArkRoute: {subject}"

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: EmailConfirmation) -> str:
        return on_this_site(super().get_email_confirmation_url(request, emailconfirmation))

    def get_reset_password_from_key_url(self, key: str) -> str:
        return on_this_site(super().get_reset_password_from_key_url(key))

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> Any:
        return super().render_mail(template_prefix, email, {**context, "site_url": settings.PUBLIC_URL}, headers)


def on_this_site(url: str) -> str:
    """The same page under `PUBLIC_URL`."""
    return settings.PUBLIC_URL + urlsplit(url).path
