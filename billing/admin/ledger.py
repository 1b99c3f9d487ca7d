"""The ledger as staff sees it. Nothing here is edited: credits move through `billing.ledger` alone, and staff's own
adjustments through `billing.admin.adjust`."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_lists import Days, FirstRows, ReadOnlyAdmin, began_by_id
from accounts.admin_parts import Fact, Found, Link, finders, search_link, user_facts, user_tools
from accounts.models import User
from billing.admin.adjust import PERMISSION, adjust_credits
from billing.admin.lists import AccountFilter, AccountRowsAdmin, in_credits, read_account_id
from billing.amounts import credits_text
from billing.balances import balances_after
from billing.models import Adjustment, CreditAccount, Hold, LedgerEntry

MOST_FOUND = 20


@admin.register(CreditAccount)
class CreditAccountAdmin(ReadOnlyAdmin):
    list_display = ("id", "__str__", in_credits("posted"), in_credits("held"), in_credits("available"))
    fields = (
        *("id", "user", in_credits("posted"), in_credits("held"), in_credits("available"), "lists", "created_at"),
    )
    readonly_fields = fields
    change_form_template = "admin/account.html"
    list_select_related = ("owner",)
    search_fields = ("=id", "owner__email")
    ordering = ("id",)
    paginator = FirstRows
    show_full_result_count = False
    sortable_by = ()

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.adjust)
        return [path("<int:account_id>/adjust/", page, name="billing_adjust"), *super().get_urls()]

    def adjust(self, request: HttpRequest, account_id: int) -> HttpResponse:
        return adjust_credits(self, request, account_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        account_id = read_account_id(object_id) or 0
        may_adjust = account_id > 0 and isinstance(request.user, User) and request.user.has_perm(PERMISSION)
        adjust = reverse("admin:billing_adjust", args=[account_id]) if may_adjust else ""
        return super().change_view(request, object_id, form_url, {"adjust_url": adjust, **(extra_context or {})})

    @admin.display(description="owner")
    def user(self, account: CreditAccount) -> str | SafeString:
        if account.owner is None:
            return f"ours: {account}"
        return format_html('<a href="{}">{}</a>', reverse("admin:accounts_user_change", args=[account.pk]), account)

    @admin.display(description="more")
    def lists(self, account: CreditAccount) -> SafeString:
        return format_html(
            '<a href="{}?account={}">Ledger</a>, <a href="{}?account={}&amp;state__exact=open">open holds</a>',
            reverse("admin:billing_ledgerentry_changelist"),
            account.pk,
            reverse("admin:billing_hold_changelist"),
            account.pk,
        )


class LedgerList(ChangeList):
    """Of one account it knows the balance after each entry."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        account_id = read_account_id(request.GET.get("account", ""))
        entries: list[Any] = list(self.result_list)
        balances = balances_after(account_id, [entry.pk for entry in entries]) if account_id else {}
        for entry in entries:
            entry.balance = balances.get(entry.pk)
        self.result_list = entries


@admin.register(LedgerEntry)
class LedgerEntryAdmin(AccountRowsAdmin):
    list_display = ("moment", "account", "kind", in_credits("amount", "credits"), "cause_link", "id")
    list_filter = (AccountFilter, "kind", Days)
    fields = ("id", "account", "kind", in_credits("amount", "credits"), "balance_now", "cause_link")
    exact = ("cause",)
    search_help_text = "A cause (a request's id, signup:7), an account's id, or its owner's address"

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        columns = list(super().get_list_display(request))
        if "account" not in columns:
            columns.insert(columns.index("cause_link"), "balance_after")
        return tuple(columns)

    def get_fields(self, request: HttpRequest, obj: LedgerEntry | None = None) -> tuple[Any, ...]:
        reason = ("reason", "staff") if obj is not None and obj.kind == LedgerEntry.Kind.ADJUSTMENT else ()
        return (*self.fields, *reason, "expires_at", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: LedgerEntry | None = None) -> tuple[Any, ...]:
        return self.get_fields(request, obj)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return LedgerList

    @admin.display(description="balance after")
    def balance_after(self, entry: Any) -> str | None:
        return None if entry.balance is None else credits_text(entry.balance)

    @admin.display(description="balance after")
    def balance_now(self, entry: LedgerEntry) -> str | None:
        balance = balances_after(entry.account_id, [entry.pk]).get(entry.pk)
        return None if balance is None else credits_text(balance)

    @admin.display(description="cause")
    def cause_link(self, entry: LedgerEntry) -> SafeString:
        return search_link(entry.cause)

    @admin.display(description="reason")
    def reason(self, entry: LedgerEntry) -> str:
        adjustment = Adjustment.objects.filter(pk=entry.cause).first()
        return adjustment.reason if adjustment else "none was given"

    @admin.display(description="entered by")
    def staff(self, entry: LedgerEntry) -> str:
        adjustment = Adjustment.objects.filter(pk=entry.cause).select_related("staff").first()
        return str(adjustment.staff) if adjustment else "a program"


@admin.register(Hold)
class HoldAdmin(AccountRowsAdmin):
    list_display = (
        *("moment", "account", "state", in_credits("amount"), in_credits("captured"), "deadline", "request"),
    )
    list_filter = (AccountFilter, "state", Days)
    fields = (
        *("id", "account", "state", in_credits("amount"), in_credits("captured"), "request"),
        *("created_at", "deadline", "resolved_at"),
    )
    readonly_fields = fields
    began = staticmethod(began_by_id("req_"))
    search_help_text = "A request's id, an account's id, or its owner's address"

    @admin.display(description="request")
    def request(self, hold: Hold) -> SafeString:
        return search_link(hold.pk)


@admin.register(Adjustment)
class AdjustmentAdmin(AccountRowsAdmin):
    list_display = ("moment", "account", in_credits("amount", "credits"), "reason", "staff", "cause")
    list_filter = (AccountFilter, Days)
    list_select_related = ("account__owner", "staff")
    fields = ("cause", "account", in_credits("amount", "credits"), "reason", "staff", "created_at")
    readonly_fields = fields
    # There are few.
    ordering = ("-created_at",)


# --- What is told of a user, and found ------------------------------------------------------------------------------


@user_facts("billing.view_creditaccount")
def balance_of(user: User) -> Iterator[Fact]:
    account = CreditAccount.objects.filter(pk=user.pk).first()
    if account is None:
        yield Fact("Credits", "no account yet: it opens when the address is verified")
        return
    text = f"{credits_text(account.available)} available: {credits_text(account.posted)} posted, less "
    links = [
        Link(name, f"{reverse(f'admin:billing_{model}_changelist')}?account={user.pk}{more}")
        # Of open holds alone there is an index.
        for name, model, more in (("Ledger", "ledgerentry", ""), ("Open holds", "hold", "&state__exact=open"))
    ]
    account_page = reverse("admin:billing_creditaccount_change", args=[user.pk])
    yield Fact("Credits", f"{text}{credits_text(account.held)} held", (Link("Account", account_page), *links))


@user_tools(PERMISSION)
def offer_adjustment(user: User) -> Link | None:
    if not CreditAccount.objects.filter(pk=user.pk).exists():
        return None
    return Link("Adjust credits", reverse("admin:billing_adjust", args=[user.pk]))


@finders("billing.view_ledgerentry")
def find_entries(cause: str) -> Iterator[Found]:
    """The users' own side of what a cause moved."""
    entries = LedgerEntry.objects.filter(cause=cause, account_id__gt=0).select_related("account__owner").order_by("pk")
    for entry in entries[:MOST_FOUND]:
        url = reverse("admin:billing_ledgerentry_change", args=[entry.pk])
        yield Found("Ledger entry", f"{entry.kind} of {credits_text(entry.amount)} credits", url, str(entry.account))


@finders("billing.view_hold")
def find_holds(hold_id: str) -> Iterator[Found]:
    for hold in Hold.objects.filter(pk=hold_id).select_related("account__owner"):
        url = reverse("admin:billing_hold_change", args=[hold.pk])
        yield Found("Hold", f"{credits_text(hold.amount)} credits, {hold.state}", url, str(hold.account))
