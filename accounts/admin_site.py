"""The door of the admin: for staff, who sign in like everybody else and have a second factor."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator

# Recovery codes stand in for these; they are none by themselves.
SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class StaffSite(AdminSite):
    site_header = site_title = "ArkRoute"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not lacks_second_factor(request)

    # Strangers are sent to the page where everybody signs in, so that the limits on guessing passwords are theirs, too.
    @method_decorator(secure_admin_login)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not lacks_second_factor(request):
            return super().login(request, extra_context)
        messages.error(request, "The admin is open to staff with a second factor. Set one up, then open it again.")
        return redirect("mfa_index")


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether the admin has to wait until its user has set up an authenticator app or a passkey."""
    return settings.STAFF_NEED_SECOND_FACTOR and not is_mfa_enabled(request.user, SECOND_FACTORS)
