"""Keys for the site's staff. No page here shows a secret: it is shown once, where a key is issued."""

import re
from collections.abc import Iterator

from django.conf import settings
from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.dateformat import format as date_format

from accounts.admin_parts import Found, finders
from accounts.keys import PREFIX_LENGTH, revoke_key
from accounts.models import ApiKey

# `ark-abcd`, `ark-abcd…wxyz`, `…wxyz`, `wxyz`; with dots for the ellipsis, as people type it.
SHOWN = re.compile(r"(?P<first>ark-[0-9A-Za-z]{2,8})?(?:…|\.\.+)?(?P<last>[0-9A-Za-z]{4})?")
MOST_FOUND = 20
MOMENT = "j F Y, H:i"


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """What a key may do can be changed. A key is revoked rather than deleted, so that its trace remains."""

    list_display = ("masked", "user", "name", "state", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", EmptyFieldListFilter), "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "name", "prefix", "last_four")
    fields = (
        "masked",
        "state",
        "user",
        "name",
        "requests_per_minute",
        "concurrent_requests",
        "concurrent_videos",
        "site_limits",
        "credit_limit",
        "credit_period",
        "allowed_models",
        "webhook_url",
        "expires_at",
        "created_at",
        "last_used_at",
        "revoked_at",
        "origin",
    )
    readonly_fields = (
        *("masked", "state", "user", "site_limits", "created_at", "last_used_at", "revoked_at", "origin"),
    )
    actions = ("revoke_selected",)

    @admin.display(description="key", ordering="prefix")
    def masked(self, key: ApiKey) -> str:
        return key.masked

    @admin.display(description="state")
    def state(self, key: ApiKey) -> str:
        return state_of(key)

    @admin.display(description="defaults of the site")
    def site_limits(self, key: ApiKey) -> str:
        return (
            f"{settings.REQUESTS_PER_MINUTE} requests a minute, {settings.CONCURRENT_REQUESTS} at a time, "
            f"{settings.CONCURRENT_VIDEOS} videos at a time"
        )

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys:
            revoke_key(key)
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"Revoked: {', '.join(key.masked for key in keys)}. They are refused from now on.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Staff need not see their users' secrets: owners make keys for themselves, `manage.py issue_key` for programs.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False


def state_of(key: ApiKey) -> str:
    """Whether the key opens the door now, and else why not. Limits and the balance are looked at with each call."""
    end = date_format(key.expires_at, MOMENT) if key.expires_at else ""
    if key.revoked_at is not None:
        return f"revoked {date_format(key.revoked_at, MOMENT)} UTC"
    if not key.is_open:
        return f"expired {end} UTC"
    if not key.user.is_active:
        return "refused: its owner's account is closed"
    return f"open until {end} UTC" if end else "open"


@finders("accounts.view_apikey")
def find_keys(words: str) -> Iterator[Found]:
    """By the first characters, the last four, or both, as they are shown everywhere."""
    shown = SHOWN.fullmatch(words)
    if shown is None or not (shown["first"] or shown["last"]):
        return
    condition = Q()
    if shown["first"]:
        condition &= Q(prefix__startswith=shown["first"][:PREFIX_LENGTH])
    if shown["last"]:
        condition &= Q(last_four=shown["last"])
    for key in ApiKey.objects.filter(condition).select_related("user")[:MOST_FOUND]:
        url = reverse("admin:accounts_apikey_change", args=[key.pk])
        yield Found("Key", str(key), url, f"{key.user}, {state_of(key)}")
