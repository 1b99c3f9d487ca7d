"""Users for the site's staff, and how they sign in. Keys are in `accounts.admin_keys`."""

from collections.abc import Iterator
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.admin_keys import ApiKeyAdmin
from accounts.admin_lists import FirstRows, ReadOnlyAdmin
from accounts.admin_parts import Fact, Found, Link, finders, user_facts, user_tools
from accounts.deletion import DELETED_HOST
from accounts.models import ApiKey, User
from accounts.security import security_of

__all__ = ["ApiKeyAdmin", "AuthenticatorAdmin", "UserAdmin", "UserSessionAdmin"]

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")
MOST_FOUND = 20
LARGEST_ID = 2**63 - 1


class NewUserForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Rights are given by superusers alone, and nobody else changes an account of the staff: whoever may change users
    could otherwise make a superuser of himself."""

    add_form = NewUserForm
    change_form_template = "admin/user.html"
    list_display = ("email", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("-pk",)
    paginator = FirstRows
    show_full_result_count = False
    readonly_fields = ("date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        ("Rights", {"fields": ("is_active", *RIGHTS)}),
        ("Dates", {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With what is known of the user, which the rooms above add to."""
        user = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if user is not None:
            context["facts"] = [fact for read in user_facts.allowed(request.user) for fact in read(user)]
            context["tools"] = [tool for offer in user_tools.allowed(request.user) if (tool := offer(user))]
        return super().change_view(request, object_id, form_url, context)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return self.readonly_fields if _is_superuser(request) else (*self.readonly_fields, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or _may_touch(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or _may_touch(request, obj))


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


def _may_touch(request: HttpRequest, user: User) -> bool:
    return _is_superuser(request) or not (user.is_staff or user.is_superuser)


# --- How users sign in -----------------------------------------------------------------------------------------------

# allauth's own pages show what opens the door: a session's key, and the secret of an authenticator app.
admin.site.unregister(UserSession)
admin.site.unregister(Authenticator)


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Browsers that are signed in. To delete one signs it out."""

    list_display = ("user", "ip", "user_agent", "created_at", "last_seen_at")
    fields = ("user", "ip", "user_agent", "created_at", "last_seen_at")
    list_select_related = ("user",)
    search_fields = ("=user__email", "=ip")
    ordering = ("-last_seen_at",)
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _may_delete(request, obj, "usersessions.delete_usersession")

    def delete_model(self, request: HttpRequest, obj: UserSession) -> None:
        obj.end()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[UserSession]) -> None:
        for session in queryset:
            session.end()


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Second factors. To delete one lets in a user who has lost it."""

    list_display = ("user", "type", "created_at", "last_used_at")
    fields = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("=user__email",)
    ordering = ("-created_at",)
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _may_delete(request, obj, "mfa.delete_authenticator")


def _may_delete(request: HttpRequest, row: Any, permission: str) -> bool:
    """Of the staff's own, superusers alone: they guard the admin."""
    return (
        isinstance(request.user, User)
        and request.user.has_perm(permission)
        and (row is None or _may_touch(request, row.user))
    )


# --- What is told of a user ------------------------------------------------------------------------------------------


@user_facts("accounts.view_user")
def state_of(user: User) -> Iterator[Fact]:
    """Whether the account is in use, whose it is, and how it is protected."""
    if user.email.endswith(DELETED_HOST):
        yield Fact("Account", "deleted: made anonymous, and only its ledger and receipts remain")
        return
    security = security_of(user)
    role = ", superuser" if user.is_superuser else ", staff" if user.is_staff else ""
    yield Fact("Account", ("open" if user.is_active else "closed: cannot sign in, and its keys are refused") + role)
    verified = "verified" if security.email_is_verified else "not verified"
    yield Fact("Address", f"{user.email}, {verified}")
    factors = ["authenticator app"] if security.has_app else []
    if security.passkeys:
        factors.append(f"{security.passkeys} passkey{'s' if security.passkeys > 1 else ''}")
    if security.codes_left is not None:
        factors.append(f"{security.codes_left} recovery codes left")
    signs_in = "with a password" if security.has_password else "without a password"
    yield Fact("Sign-in", f"{signs_in}; second factor: {', '.join(factors) or 'none'}", _links(user, Authenticator))
    yield Fact("Sessions", f"{security.sessions} signed in", _links(user, UserSession))


@user_facts("accounts.view_apikey")
def keys_of(user: User) -> Iterator[Fact]:
    """How many keys open the door, and when one did last."""
    now = timezone.now()
    keys = list(ApiKey.objects.filter(user=user).only("revoked_at", "expires_at", "last_used_at"))
    revoked = sum(key.revoked_at is not None for key in keys)
    expired = sum(key.revoked_at is None and not key.is_open for key in keys)
    uses = [key.last_used_at for key in keys if key.last_used_at]
    used = f", last used {timesince(max(uses), now, depth=1)} ago" if uses else ", never used" if keys else ""
    text = f"{len(keys) - revoked - expired} open, {revoked} revoked, {expired} expired{used}"
    yield Fact(
        "Keys", text, (Link("Keys", reverse("admin:accounts_apikey_changelist") + f"?user__id__exact={user.pk}"),)
    )


def _links(user: User, model: type[Model]) -> tuple[Link, ...]:
    meta = model._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return (Link(str(meta.verbose_name_plural).capitalize(), f"{url}?user__id__exact={user.pk}"),)


@finders("accounts.view_user")
def find_users(words: str) -> Iterator[Found]:
    """By id, or by the address or its beginning."""
    users = User.objects.none()
    if words.isascii() and words.isdecimal() and int(words) <= LARGEST_ID:
        users = User.objects.filter(pk=int(words))
    elif "@" in words:
        users = User.objects.filter(email__startswith=User.objects.normalize_email(words)).order_by("email")
    for user in users[:MOST_FOUND]:
        yield Found("User", user.email, reverse("admin:accounts_user_change", args=[user.pk]), f"id {user.pk}")
