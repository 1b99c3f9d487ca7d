"""The page by which staff adjusts credits: a form, what it would change, and then the entry."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.models import User
from billing.adjustments import book_adjustment
from billing.admin.forms import AdjustmentForm
from billing.amounts import credits_text
from billing.errors import DuplicateCause, InsufficientCredits
from billing.models import CreditAccount

PERMISSION = "billing.adjust_credits"


def adjust_credits(admin: ModelAdmin, request: HttpRequest, account_id: int) -> HttpResponse:
    """Asks for amount and reason, shows before and after, and enters it when that is confirmed: once."""
    staff = request.user
    if not isinstance(staff, User) or not staff.has_perm(PERMISSION):
        raise PermissionDenied
    account = CreditAccount.objects.select_related("owner").filter(pk=account_id, owner__isnull=False).first()
    if account is None:
        raise Http404("There is no such account of a user's.")
    form = AdjustmentForm(account, request.POST if request.method == "POST" else None)
    is_ready = form.is_valid()
    if is_ready and form.millicredits < 0 and account.available < -form.millicredits:
        form.refuse_for(account.available)
        is_ready = False
    if is_ready and "confirmed" in request.POST:
        try:
            return _book(admin, request, account, form, staff)
        except DuplicateCause:
            messages.warning(request, "This adjustment was entered before: nothing was entered now.")
            return redirect(_ledger_of(account))
        except InsufficientCredits as error:
            form.refuse_for(error.available)
            is_ready = False
    return render(request, "admin/adjust_credits.html", _context(admin, request, account, form, is_ready=is_ready))


def _book(
    admin: ModelAdmin, request: HttpRequest, account: CreditAccount, form: AdjustmentForm, staff: User
) -> HttpResponse:
    amount, reason = form.millicredits, form.cleaned_data["reason"]
    with transaction.atomic():
        balance = book_adjustment(account, amount, reason, staff, form.cause)
        admin.log_change(request, account, f"Adjusted by {_signed(amount)} credits: {reason} ({form.cause})")
    messages.success(
        request, f"{_signed(amount)} credits entered. {credits_text(balance.available)} are available now."
    )
    return redirect(_ledger_of(account))


def _context(
    admin: ModelAdmin, request: HttpRequest, account: CreditAccount, form: AdjustmentForm, *, is_ready: bool
) -> dict[str, Any]:
    context = {
        **admin.admin_site.each_context(request),
        "title": f"{'Confirm: adjust' if is_ready else 'Adjust'} credits of {account}",
        "opts": admin.opts,
        "account": account,
        "form": form,
        "is_ready": is_ready,
        "lines": [
            (name, credits_text(before), credits_text(before + change))
            for name, before, change in (
                ("Posted", account.posted, form.millicredits if is_ready else 0),
                ("Held by calls under way", account.held, 0),
                ("Available", account.available, form.millicredits if is_ready else 0),
            )
        ],
    }
    return context | ({"amount": _signed(form.millicredits)} if is_ready else {})


def _ledger_of(account: CreditAccount) -> str:
    return f"{reverse('admin:billing_ledgerentry_changelist')}?account={account.pk}"


def _signed(millicredits: int) -> str:
    return f"{'+' if millicredits > 0 else ''}{credits_text(millicredits)}"
