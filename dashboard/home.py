"""The dashboard: what to do first, how much is left, and what was spent on what."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from msgspec import Struct

from accounts.models import ApiKey, User
from billing.amounts import credits_text
from billing.ledger import open_account
from billing.models import LedgerEntry
from dashboard.balance import low_balance, soon_spent
from dashboard.catalogue.offers import try_url
from dashboard.periods import read_period
from dashboard.receipts import Filters, break_down
from dashboard.requests import recent
from dashboard.usage import chart_of, group_links, read_group
from dashboard.views import SignedIn, posted_from
from gateway.models import Receipt

RECENT = 8
# For so long after the sign-up a checklist is shown although it is done.
NEW_FOR = timedelta(days=7)
DISMISSED = "checklist_dismissed"
DISMISSED_SECONDS = 365 * 24 * 3600

DELIVERED = (Receipt.Outcome.SUCCEEDED, Receipt.Outcome.PARTIAL)


class Step(Struct, frozen=True):
    """One of the first things to do. `is_next`: the first that is not done."""

    title: str
    text: str
    url: str
    action: str
    is_done: bool
    is_next: bool = False


@login_required
@require_GET
@never_cache
def dashboard(request: SignedIn) -> HttpResponse:
    """`?by=` says by what the chart is grouped."""
    user, by = request.user, read_group(request.GET)
    account = open_account(user)
    filters = Filters(read_period({}))
    breakdown = break_down(user, filters, by)
    steps = checklist(user) if DISMISSED not in request.COOKIES and needs_checklist(user) else []
    context = {
        "steps": steps,
        "done": sum(step.is_done for step in steps),
        "notice": low_balance(user.pk, account.available) or soon_spent(account.available, breakdown),
        "available": credits_text(account.available),
        "held_note": f"{credits_text(account.held)} more are held for calls under way" if account.held else "",
        "spent": credits_text(breakdown.total.spent),
        "total": breakdown.total,
        "errors_note": f"{breakdown.total.error_rate}, not charged",
        "chart": chart_of(breakdown),
        "chart_title": f"Credits spent by day and {by}, {filters.period.text}",
        "groups": group_links(filters, by, "/dashboard/", range=""),
        "by": by,
        "entries": recent(user, RECENT),
    }
    return render(request, "dashboard/dashboard.html", context)


@posted_from("dashboard")
@login_required
def dismiss_checklist(request: SignedIn) -> HttpResponse:
    """Hides the checklist in this browser."""
    response = redirect("dashboard")
    response.set_cookie(
        DISMISSED, "1", max_age=DISMISSED_SECONDS, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )
    return response


def needs_checklist(user: User) -> bool:
    """Whether the user is new here, or has not come to the last step."""
    return timezone.now() - user.date_joined < NEW_FOR or not _delivered(user).filter(from_page=False).exists()


def checklist(user: User) -> list[Step]:
    """The way to a first call of one's own program. It ticks itself: what is done shows in the user's rows."""
    receipts = _delivered(user)
    calls_by_program = receipts.filter(from_page=False).exists()
    credited = LedgerEntry.objects.filter(account_id=user.pk, amount__gt=0)
    steps = [
        Step(
            "Get credits",
            f"Every call is paid in credits. {settings.SIGNUP_CREDITS} are given to each new account."
            if settings.SIGNUP_CREDITS
            else "Every call is paid in credits.",
            "/billing/",
            "See your balance",
            credited.exists(),
        ),
        Step(
            "Create a key",
            "It identifies your programs. It is shown once, so copy it.",
            "/keys/",
            "Create a key",
            ApiKey.objects.filter(user=user).exists(),
        ),
        Step(
            "Make a first call in the Explorer",
            "Choose a model, write a prompt, see what it will cost, and run it in this browser.",
            try_url(),
            "Open the Explorer",
            # Whose program calls has no need of it any more; nor is the page to look through all of its calls.
            calls_by_program or receipts.filter(from_page=True).exists(),
        ),
        Step(
            "Call the API from your own program",
            "With curl, or any OpenAI client: change its base URL and its key.",
            "/docs/quickstart/",
            "Read the quickstart",
            calls_by_program,
        ),
    ]
    next_at = next((at for at, step in enumerate(steps) if not step.is_done), -1)
    return [
        Step(step.title, step.text, step.url, step.action, step.is_done, is_next=at == next_at)
        for at, step in enumerate(steps)
    ]


def _delivered(user: User) -> "QuerySet[Receipt]":
    return Receipt.objects.filter(account_id=user.pk, outcome__in=DELIVERED)
