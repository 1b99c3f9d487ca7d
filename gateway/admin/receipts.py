"""Receipts, which tell what a call cost and why."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.admin_lists import Days, began_by_id
from accounts.admin_parts import Found, finders, search_link
from accounts.models import ApiKey
from billing.admin.lists import AccountFilter, AccountRowsAdmin
from billing.amounts import credits_text
from billing.models import LedgerEntry
from gateway.admin.recent import ProviderFilter, recent_values
from gateway.admin.words import duration_text, page_link, table
from gateway.models import Receipt, StoredPicture, VideoTask

Outcome = Receipt.Outcome

CANCELLED = Q(outcome=Outcome.FAILED, error_code="cancelled")
STATUSES = {
    "succeeded": ("Succeeded", Q(outcome=Outcome.SUCCEEDED)),
    "partial": ("Partial: cut in the middle", Q(outcome=Outcome.PARTIAL)),
    "failed": ("Failed", Q(outcome=Outcome.FAILED) & ~CANCELLED),
    "cancelled": ("Cancelled: the client left", CANCELLED),
    "late": ("Late: its hold had ended", Q(outcome=Outcome.LATE)),
}


class StatusFilter(admin.SimpleListFilter):
    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, name) for word, (name, _) in STATUSES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Receipt]) -> QuerySet[Receipt]:
        chosen = STATUSES.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


def status_of(receipt: Receipt) -> str:
    """One of `STATUSES`, in words."""
    is_cancelled = receipt.outcome == Outcome.FAILED and receipt.error_code == "cancelled"
    return STATUSES["cancelled" if is_cancelled else receipt.outcome][0]


@admin.register(Receipt)
class ReceiptAdmin(AccountRowsAdmin):
    list_display = ("moment", "account", "model", "status", "charged", "error_code", "served_by", "endpoint", "id")
    list_filter = (
        *(AccountFilter, StatusFilter, recent_values("endpoint"), recent_values("model"), ProviderFilter),
        *("from_page", "stand_in", Days),
    )
    search_help_text = "A request's id, an account's id, or its owner's address"
    account_ordering = ("-created_at", "-pk")
    began = staticmethod(began_by_id("req_"))
    fieldsets = (
        (None, {"fields": ("id", "status", "error", "user", "key", "endpoint", "model", "served_by", "origin")}),
        ("Credits", {"fields": ("cost", "used", "entries")}),
        ("Who was asked", {"fields": ("tried", "timing", "ended_at")}),
        ("What came of it", {"fields": ("task", "pictures", "everything")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Receipt | None = None) -> list[str]:
        return flatten_fieldsets(self.fieldsets)

    @admin.display(description="status")
    def status(self, receipt: Receipt) -> str:
        return status_of(receipt)

    @admin.display(description="charged (credits)")
    def charged(self, receipt: Receipt) -> str:
        return credits_text(receipt.captured + receipt.overrun)

    @admin.display(description="error")
    def error(self, receipt: Receipt) -> str | None:
        return receipt.error_code or None

    @admin.display(description="user")
    def user(self, receipt: Receipt) -> SafeString:
        return page_link("accounts_user", receipt.account_id, receipt.account)

    @admin.display(description="key")
    def key(self, receipt: Receipt) -> str | SafeString:
        key = ApiKey.objects.filter(pk=receipt.api_key_id).first()
        return page_link("accounts_apikey", key.pk, key) if key else f"{receipt.api_key_id}, which is gone"

    @admin.display(description="asked by")
    def origin(self, receipt: Receipt) -> str:
        caller = "a page of ours, such as the explorer" if receipt.from_page else "a program with the key"
        return f"{caller}; answered by a stand-in" if receipt.stand_in else caller

    @admin.display(description="credits")
    def cost(self, receipt: Receipt) -> SafeString:
        lines = [
            ("Held before the call, the most it could cost", credits_text(receipt.quote)),
            ("Released when it ended", credits_text(receipt.captured - receipt.quote)),
            ("Used beyond the hold", credits_text(receipt.overrun)),
            ("Charged", credits_text(receipt.captured + receipt.overrun)),
        ]
        return table(("", "Credits"), lines)

    @admin.display(description="used")
    def used(self, receipt: Receipt) -> str:
        amounts = [
            f"{amount:,g} {name.replace('_', ' ')}"
            for name, amount in receipt.usage.items()
            if amount and isinstance(amount, int | float) and not isinstance(amount, bool)
        ]
        counted = "" if receipt.usage.get("reported", True) else ", counted by us"
        return f"{', '.join(amounts)}{counted}" if amounts else "nothing"

    @admin.display(description="ledger")
    def entries(self, receipt: Receipt) -> str | SafeString:
        entries = LedgerEntry.objects.filter(cause=receipt.pk, account_id=receipt.account_id).order_by("pk")
        links = [
            (page_link("billing_ledgerentry", entry.pk, f"{entry.kind} {credits_text(entry.amount)}"),)
            for entry in entries
        ]
        return format_html_join(", ", "{}", links) if links else "nothing was entered"

    @admin.display(description="tries")
    def tried(self, receipt: Receipt) -> str | SafeString:
        if not receipt.attempts:
            return "nobody: the request did not come that far"
        rows = [
            (at, attempt["served_by"], duration_text(attempt["milliseconds"]), attempt["error"] or "answered")
            for at, attempt in enumerate(receipt.attempts, start=1)
        ]
        return table(("", "Provider and model", "Took", "Result"), rows)

    @admin.display(description="time")
    def timing(self, receipt: Receipt) -> str:
        whole = f"{duration_text(receipt.milliseconds)} from the request to its end"
        own = receipt.overhead_microseconds / 1000
        return f"{whole}, of it {own:.1f} ms spent here and not at a provider" if own else whole

    @admin.display(description="ended")
    def ended_at(self, receipt: Receipt) -> str:
        return f"{receipt.created_at:%Y-%m-%d %H:%M:%S} UTC"

    @admin.display(description="video")
    def task(self, receipt: Receipt) -> SafeString | None:
        task = VideoTask.objects.filter(request_id=receipt.pk).only("pk", "state").first()
        return page_link("gateway_videotask", task.pk, f"{task.pk}, {task.state}") if task else None

    @admin.display(description="pictures in our storage")
    def pictures(self, receipt: Receipt) -> SafeString | None:
        pictures = StoredPicture.objects.filter(request_id=receipt.pk)
        links = [(page_link("gateway_storedpicture", picture.pk, picture.pk),) for picture in pictures]
        return format_html_join(", ", "{}", links) if links else None

    @admin.display(description="everything under its id")
    def everything(self, receipt: Receipt) -> SafeString:
        return search_link(receipt.pk)


@finders("gateway.view_receipt")
def find_receipts(words: str) -> Iterator[Found]:
    for receipt in Receipt.objects.filter(pk=words).select_related("account__owner"):
        charged = credits_text(receipt.captured + receipt.overrun)
        text = f"{receipt.endpoint}, {receipt.model}: {status_of(receipt)}, {charged} credits"
        url = reverse("admin:gateway_receipt_change", args=[receipt.pk])
        yield Found("Receipt", text, url, str(receipt.account))
