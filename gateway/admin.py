"""Receipts as staff sees them: what a call cost and why."""

from django.contrib import admin

from billing.admin import ReadOnlyAdmin, in_credits
from gateway.models import Receipt


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account", "endpoint", "model", "served_by", "outcome", in_credits("captured"), "id")
    list_select_related = ("account__owner",)
    list_filter = ("outcome", "endpoint", "stand_in")
    search_fields = ("=id", "=account__id", "account__owner__email", "=model")
    ordering = ("-created_at",)
    show_full_result_count = False
