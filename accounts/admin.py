"""Users and keys for the site's staff. No page here shows a secret: it is shown once, where a key is issued."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.keys import revoke_key
from accounts.models import ApiKey, User


class NewUserForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    add_form = NewUserForm
    list_display = ("email", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("-date_joined",)
    readonly_fields = ("date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """What a key may do can be changed. A key is revoked rather than deleted, so that its trace remains."""

    list_display = ("masked", "user", "name", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "name", "prefix", "last_four")
    fields = (
        "masked",
        "user",
        "name",
        "requests_per_minute",
        "concurrent_requests",
        "concurrent_videos",
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
    readonly_fields = ("masked", "user", "created_at", "last_used_at", "revoked_at", "origin")
    actions = ("revoke_selected",)

    @admin.display(description="key", ordering="prefix")
    def masked(self, key: ApiKey) -> str:
        return key.masked

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys:
            revoke_key(key)
        self.message_user(request, f"Revoked: {', '.join(key.masked for key in keys)}. They are refused from now on.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Staff need not see their users' secrets: owners make keys for themselves, `manage.py issue_key` for programs.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
