"""The admin: for staff, who sign in like everybody else and have a second factor. It begins with a search."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from accounts.admin_parts import finders, signs
from accounts.keys import mask

# Recovery codes stand in for these; they are none by themselves.
SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
MOST_CHARACTERS = 300
# Of the list of lists: what stands first, and what stands with the accounts.
FIRST = ("accounts", "billing", "gateway")
SIGN_IN = ("account", "mfa", "usersessions", "auth")


class StaffSite(AdminSite):
    site_header = site_title = "ArkRoute"
    index_title = "Support"
    # Lists are wide, and the search leads further than a list of lists.
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not lacks_second_factor(request)

    # Strangers are sent to the page where everybody signs in, so that the limits on guessing passwords are theirs, too.
    @method_decorator(secure_admin_login)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not lacks_second_factor(request):
            return super().login(request, extra_context)
        messages.error(request, "The admin is open to staff with a second factor. Set one up, then open it again.")
        return redirect("mfa_index")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [path("find/", self.admin_view(self.find), name="find"), *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The search, how everything fares, and the lists."""
        context = {"signs": [sign for read in signs.allowed(request.user) for sign in read()]}
        return super().index(request, {**context, **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """What support asks for first comes first, and all that a person signs in with is in one place."""
        apps = {app["app_label"]: app for app in super().get_app_list(request, app_label)}
        if app_label is None and "accounts" in apps:
            for label in SIGN_IN:
                apps["accounts"]["models"] += apps.pop(label, {"models": []})["models"]
        first = [apps.pop(label) for label in FIRST if label in apps]
        return [*first, *apps.values()]

    @method_decorator(require_http_methods(["GET", "POST"]))
    def find(self, request: HttpRequest) -> HttpResponse:
        """What is found by an id, an address or a key: the thing itself, if it is one.

        The box posts, so that a key that somebody pasted whole does not stand in an address, and in logs: what is
        looked for is its masked form.
        """
        if request.method == "POST":
            words = request.POST.get("q", "").strip().removeprefix("Bearer ")
            return redirect(f"{request.path}?{urlencode({'q': mask(words)})}")
        words = request.GET.get("q", "").strip()
        is_text = 0 < len(words) <= MOST_CHARACTERS and words.isprintable()
        # Receipts and videos before holds and entries: the upper rooms say more.
        find_first = reversed(finders.allowed(request.user))
        found = [one for find in find_first for one in find(words)] if is_text else []
        if len(found) == 1:
            return redirect(found[0].url)
        context = {**self.each_context(request), "title": "Search", "words": words, "found": found}
        return render(request, "admin/find.html", context)


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether the admin has to wait until its user has set up an authenticator app or a passkey."""
    return settings.STAFF_NEED_SECOND_FACTOR and not is_mfa_enabled(request.user, SECOND_FACTORS)
