"""What every page is given: where it is reached, who sees it, and where else to go."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from msgspec import Struct

from billing.amounts import credits_text
from billing.models import CreditAccount
from dashboard.balance import Notice, low_balance
from dashboard.catalogue.offers import try_url


class Link(Struct):
    """An entry of the navigation of those who are signed in. `icon` is one of Lucide's names."""

    name: str
    url: str
    icon: str
    is_here: bool = False


ACCOUNT_LINKS = (
    ("Dashboard", "/dashboard/", "layout-dashboard"),
    ("Keys", "/keys/", "key-round"),
    ("Usage", "/usage/", "chart-column"),
    ("Requests", "/usage/requests/", "list"),
    ("Gallery", "/gallery/", "images"),
    ("Billing", "/billing/", "coins"),
    ("Settings", "/settings/", "settings"),
)


def site(request: HttpRequest) -> dict[str, Any]:
    """`balance` and `notice`, what should be known of it, are asked for when a page shows them, and not before."""
    available = cache(lambda: _available(request))
    return {
        "public_url": settings.PUBLIC_URL,
        "balance": SimpleLazyObject(lambda: credits_text(available())),
        "notice": SimpleLazyObject(lambda: _notice(request, available())),
        "try_url": SimpleLazyObject(try_url),
        "account_links": [
            Link(name, url, icon, is_here=_longest_match(request.path) == url) for name, url, icon in ACCOUNT_LINKS
        ],
    }


def _available(request: HttpRequest) -> int:
    """Millicredits that the signed-in user has available."""
    account = CreditAccount.objects.filter(owner=request.user.pk).first()
    return account.available if account else 0


def _notice(request: HttpRequest, available: int) -> Notice | None:
    return low_balance(request.user.pk, available) if request.user.pk else None


def _longest_match(path: str) -> str:
    if path.startswith("/accounts/"):  # allauth's pages, which stand below the settings
        return "/settings/"
    return max((url for _, url, _ in ACCOUNT_LINKS if path.startswith(url)), key=len, default="")
