"""The ledger as staff sees it. Nothing here is edited: credits move through `billing.ledger` alone."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from billing.amounts import credits_text
from billing.models import CreditAccount, Hold, LedgerEntry


def in_credits(field: str) -> Callable[[Model], str]:
    """A column that shows an amount in credits."""

    @admin.display(description=f"{field} (credits)", ordering=field)
    def show(row: Model) -> str:
        return credits_text(getattr(row, field))

    return show


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(CreditAccount)
class CreditAccountAdmin(ReadOnlyAdmin):
    list_display = ("id", "__str__", in_credits("posted"), in_credits("held"))
    fields = ("id", "owner", "posted", "held", "available", "created_at")
    readonly_fields = fields
    list_select_related = ("owner",)
    search_fields = ("=id", "owner__email")
    ordering = ("id",)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "account", "kind", in_credits("amount"), "cause")
    list_select_related = ("account__owner",)
    list_filter = ("kind",)
    search_fields = ("=cause", "=account__id", "account__owner__email")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("account", "created_at", "state", in_credits("amount"), in_credits("captured"), "deadline", "id")
    list_select_related = ("account__owner",)
    list_filter = ("state",)
    search_fields = ("=id", "=account__id", "account__owner__email")
    ordering = ("-created_at",)
    show_full_result_count = False
