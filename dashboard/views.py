"""Pages for people who are signed in."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.models import User
from billing.amounts import credits_text
from billing.ledger import open_account


class SignedIn(HttpRequest):
    """What `login_required` lets through."""

    user: User


@login_required
@require_GET
@never_cache
def billing(request: SignedIn) -> HttpResponse:
    """Where messages about an empty balance lead."""
    return render(request, "dashboard/billing.html", {"balance": credits_text(open_account(request.user).available)})
