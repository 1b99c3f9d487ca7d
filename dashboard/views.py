"""Pages for people who are signed in."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.keys import issue_key, revoke_key
from accounts.models import ApiKey, User
from billing.amounts import credits_text
from billing.ledger import open_account


class SignedIn(HttpRequest):
    """What `login_required` lets through."""

    user: User


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    return redirect("dashboard")


@login_required
@require_GET
@never_cache
def dashboard(request: SignedIn) -> HttpResponse:
    """Balance, keys, and a first call to copy. A key that was just made is shown here, once."""
    return _render_dashboard(request)


@login_required
@require_http_methods(["GET", "POST"])
def keys(request: SignedIn) -> HttpResponse:
    """POST makes a key, and answers the page itself instead of a redirect: the secret is kept nowhere to be shown."""
    if request.method == "GET":
        return redirect("dashboard")
    name = request.POST.get("name", "").strip()[:100]
    return _render_dashboard(request, secret=issue_key(request.user, name).secret)


@login_required
@require_GET
@never_cache
def billing(request: SignedIn) -> HttpResponse:
    """Where messages about an empty balance lead."""
    return render(request, "dashboard/billing.html", {"balance": credits_text(open_account(request.user).available)})


@login_required
@require_POST
def revoke(request: SignedIn, key_id: int) -> HttpResponse:
    revoke_key(get_object_or_404(ApiKey, pk=key_id, user=request.user))
    return redirect("dashboard")


def _render_dashboard(request: SignedIn, secret: str = "") -> HttpResponse:
    account = open_account(request.user)
    context = {
        "balance": credits_text(account.available),
        "keys": ApiKey.objects.filter(user=request.user, revoked_at=None),
        "secret": secret,
        "api": settings.PUBLIC_URL,
    }
    return render(request, "dashboard/dashboard.html", context)
