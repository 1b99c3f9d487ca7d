"""Payments as the staff sees them, and the promotion codes that it makes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from accounts.admin_lists import Days, FirstRows, ReadOnlyAdmin
from accounts.admin_parts import Fact, Found, Link, Sign, finders, search_link, signs, user_facts
from accounts.models import User
from billing.admin.lists import AccountFilter, AccountRowsAdmin, in_credits
from billing.amounts import credits_text
from billing.ledger import MILLICREDITS
from billing.models import AutoTopUp, PromotionCode, Purchase, StripeEvent
from billing.packs import MINOR_UNITS
from billing.payments import stripe_gateway
from billing.payments.errors import PaymentError
from billing.payments.settlement import settle

MOST_ASKED = 20
LONGEST_CODE_HELP = "Letters, digits, dashes; people may type it as they like"


def in_money(field: str) -> Any:
    @admin.display(description=field)
    def show(purchase: Purchase) -> str:
        minor = getattr(purchase, field)
        return "" if minor is None else f"{minor / MINOR_UNITS:,.2f} {purchase.currency.upper()}"

    return show


@admin.register(Purchase)
class PurchaseAdmin(AccountRowsAdmin):
    list_display = (
        *("moment", "account", "state", "origin", in_credits("credits"), in_money("price"), in_money("paid"), "id"),
    )
    list_filter = (AccountFilter, "state", "origin", "livemode", Days)
    fields = (
        *("id", "account", "state", "origin", in_credits("credits"), in_money("price"), in_money("paid")),
        *(in_credits("reversed", "taken back (credits)"), "reversals_of", "problem", "entries", "checkout_id"),
        *("payment_id", "livemode", "receipt_url", "invoice_url", "next_look_at", "created_at", "settled_at"),
    )
    readonly_fields = fields
    exact = ("id", "checkout_id", "payment_id")
    search_help_text = "A purchase's, checkout's or payment's id, an account's id, or its owner's address"
    ordering = ("-created_at",)
    actions = ("ask_stripe",)

    @admin.action(description="Ask Stripe how they stand, and book what was missed", permissions=("view",))
    def ask_stripe(self, request: HttpRequest, chosen: "QuerySet[Purchase]") -> None:
        for purchase in chosen[:MOST_ASKED]:
            try:
                settled = async_to_sync(settle)(purchase)
            except PaymentError as error:
                self.message_user(request, f"{purchase}: {error}", messages.ERROR)
                return
            self.message_user(request, f"{settled}: {settled.get_state_display()}")

    @admin.display(description="refunds and disputes")
    def reversals_of(self, purchase: Purchase) -> SafeString:
        rows = (
            (one.kind, one.pk, one.status, one.amount / MINOR_UNITS, credits_text(one.credits))
            for one in purchase.reversals.order_by("created_at")
        )
        text = "{} {}: {}, {:.2f} of money, {} credits"
        return format_html_join(mark_safe("<br>"), text, rows) or mark_safe("none")

    @admin.display(description="entries")
    def entries(self, purchase: Purchase) -> SafeString:
        return search_link(purchase.cause)


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "type", "about", "handled_at", "attempts", "error")
    list_filter = (("handled_at", admin.EmptyFieldListFilter),)
    fields = ("id", "type", "about", "received_at", "handled_at", "attempts", "next_at", "error", "text")
    readonly_fields = fields
    search_fields = ("=id", "=about")
    ordering = ("-received_at",)
    paginator = FirstRows
    show_full_result_count = False
    sortable_by = ()

    @admin.display(description="as it came")
    def text(self, event: StripeEvent) -> SafeString:
        return format_html("<pre>{}</pre>", bytes(event.payload).decode("utf-8", "replace"))


class PromotionCodeForm(forms.ModelForm):
    """A code whose worth is in credits."""

    worth = forms.DecimalField(label="Credits", min_value=Decimal("0.001"), max_digits=12, decimal_places=3)

    class Meta:
        model = PromotionCode
        fields = ("code", "redemptions_left", "redeemable_until", "valid_days", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = LONGEST_CODE_HELP
        if self.instance.pk:
            self.fields["worth"].initial = Decimal(self.instance.credits) / MILLICREDITS

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).strip().upper()

    def save(self, commit: bool = True) -> PromotionCode:
        self.instance.credits = int(self.cleaned_data["worth"] * MILLICREDITS)
        saved: PromotionCode = super().save(commit)
        return saved


@admin.register(PromotionCode)
class PromotionCodeAdmin(admin.ModelAdmin):
    form = PromotionCodeForm
    fields = ("code", "worth", "redemptions_left", "redeemable_until", "valid_days", "note")
    list_display = ("code", in_credits("credits"), "used", "redemptions_left", "redeemable_until", "valid_days", "note")
    search_fields = ("code", "note")
    ordering = ("-created_at",)

    @admin.display(description="used")
    def used(self, code: PromotionCode) -> int:
        return code.redemptions.count()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One that was used explains entries: it is ended by its date."""
        return super().has_delete_permission(request, obj) and (obj is None or not obj.redemptions.exists())


# --- What is told of a user, found, and how payments fare -------------------------------------------------------------


@user_facts("billing.view_purchase")
def payments_of(user: User) -> Iterator[Fact]:
    paid = Purchase.objects.filter(account=user.pk, state=Purchase.State.PAID).count()
    link = Link("Payments", f"{reverse('admin:billing_purchase_changelist')}?account={user.pk}")
    top_up = AutoTopUp.objects.filter(pk=user.pk).first()
    note = f"; automatic top-ups are {'on' if top_up.enabled else 'off'}" if top_up else ""
    problem = f" ({top_up.problem})" if top_up and top_up.problem else ""
    yield Fact("Payments", f"{paid} paid{note}{problem}", (link,))


@finders("billing.view_purchase")
def find_purchases(words: str) -> Iterator[Found]:
    """By its own id, by Stripe's of the checkout, the payment, a refund or a dispute, and by the ledger's cause."""
    name = words.partition(":")[2] or words
    named = Q(pk=name) | Q(checkout_id=name) | Q(payment_id=name) | Q(reversals=name)
    for purchase in Purchase.objects.filter(named).select_related("account__owner").distinct()[:MOST_ASKED]:
        url = reverse("admin:billing_purchase_change", args=[purchase.pk])
        yield Found(
            "Payment", f"{credits_text(purchase.credits)} credits, {purchase.state}", url, str(purchase.account)
        )


@signs("billing.view_purchase")
def payments_that_wait() -> Iterator[Sign]:
    """What was paid and not booked, and what Stripe told that could not be handled yet."""
    paid = Purchase.objects.exclude(state=Purchase.State.PAID).filter(paid__isnull=False).count()
    url = reverse("admin:billing_purchase_changelist")
    if paid:
        yield Sign("Payments", f"{paid} paid at Stripe and not booked", "bad", f"{url}?state__exact=open")
    waiting = StripeEvent.objects.filter(handled_at=None, next_at__lte=timezone.now(), attempts__gt=0).count()
    if waiting:
        events = f"{reverse('admin:billing_stripeevent_changelist')}?handled_at__isempty=1"
        yield Sign("Stripe's events", f"{waiting} could not be handled yet", "warning", events)
    if stripe_gateway.is_configured() and not paid and not waiting:
        yield Sign("Payments", "all booked", "good", url)
