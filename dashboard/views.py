"""What views for people who are signed in have in common, and the page that an empty balance leads to."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.models import User
from billing.amounts import credits_text
from billing.ledger import open_account

View = Callable[..., HttpResponseBase]


class SignedIn(HttpRequest):
    """What `login_required` lets through."""

    user: User


def posted_from(page: str) -> Callable[[View], View]:
    """For a view that takes the forms of `page`, the name of another: a GET is led there.

    Such a GET comes from the login, to which somebody was sent whose session had ended when they pressed the button.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return view(request, *args, **kwargs) if request.method == "POST" else redirect(page)

        return wrapped

    return decorate


@login_required
@require_GET
@never_cache
def billing(request: SignedIn) -> HttpResponse:
    """Where messages about an empty balance lead."""
    return render(request, "dashboard/billing.html", {"balance": credits_text(open_account(request.user).available)})
