"""Every movement of one's credits, with the balance after it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet, Sum
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from msgspec import Struct

from billing.amounts import credits_number, credits_text
from billing.balances import balances_after
from billing.ledger import open_account
from billing.models import Adjustment, CreditAccount, LedgerEntry, Purchase
from dashboard.periods import Period, read_period
from dashboard.tables import Cell, csv_response
from dashboard.views import SignedIn

PAGE = 50
ROWS = 500

Kind = LedgerEntry.Kind

WORDS = {
    Kind.GRANT: "Granted",
    Kind.PURCHASE: "Bought",
    Kind.CAPTURE: "Used",
    Kind.OVERRUN: "Used beyond the hold",
    Kind.REFUND: "Refunded",
    Kind.DISPUTE: "Disputed",
    Kind.EXPIRY: "Lapsed",
    Kind.ADJUSTMENT: "Adjusted",
}
CAUSES = {
    "signup": "Sign-up",
    "code": "Promotion code",
    "referral": "Invitation",
    "referred": "Invitation",
    "payment": "Payment",
    "refund": "Refund",
    "dispute": "Dispute",
    "expiry": "What was left of a grant",
}
HEAD = ("time_utc", "kind", "credits", "balance", "cause", "entry_id")


class Line(Struct, frozen=True):
    """An entry as a line of a table: `why` in words, `cause` as the ledger has it, `url` of its page, if it has one."""

    id: int
    created_at: datetime
    word: str
    cause: str
    why: str
    url: str
    credits: str
    is_gain: bool
    balance: str
    lapses_at: datetime | None


@login_required
@require_GET
@never_cache
def ledger(request: SignedIn) -> HttpResponse:
    """`?range=&kind=&before=`, the newest first."""
    account = open_account(request.user)
    period, kind = read_period(request.GET), _read_kind(request.GET)
    found = _entries(account, period, kind)
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    page = list(found[: PAGE + 1])
    context = {
        "lines": lines_of(account, page[:PAGE]),
        "period": period,
        "kind": kind,
        "kinds": WORDS.items(),
        "older": str(page[PAGE - 1].pk) if len(page) > PAGE else "",
        "is_first": not before,
    }
    return render(request, "billing/ledger.html", context)


@login_required
@require_GET
def ledger_csv(request: SignedIn) -> StreamingHttpResponse:
    """All that the filters find, whatever page is shown, the oldest first."""
    account = open_account(request.user)
    period, kind = read_period(request.GET), _read_kind(request.GET)
    name = f"arkroute-ledger-{timezone.now():%Y-%m-%d}.csv"
    return csv_response(name, HEAD, _csv_lines(account, _entries(account, period, ""), kind))


def lines_of(account: CreditAccount, entries: Sequence[LedgerEntry]) -> list[Line]:
    """The lines of `entries`, which are some of the account's."""
    urls, reasons = _purchase_urls(entries), _reasons(entries)
    balances = balances_after(account.pk, [entry.pk for entry in entries])
    return [
        Line(
            id=entry.pk,
            created_at=entry.created_at,
            word=WORDS[Kind(entry.kind)],
            cause=entry.cause,
            why=reasons.get(entry.cause) or _why(entry),
            url=_url_of(entry, urls),
            credits=f"{'+' if entry.amount > 0 else ''}{credits_text(entry.amount)}",
            is_gain=entry.amount > 0,
            balance=credits_text(balances[entry.pk]),
            lapses_at=entry.expires_at,
        )
        for entry in entries
    ]


def _entries(account: CreditAccount, period: Period, kind: str) -> "QuerySet[LedgerEntry]":
    entries = LedgerEntry.objects.filter(account=account.pk, created_at__gte=period.since, created_at__lt=period.until)
    return (entries.filter(kind=kind) if kind else entries).order_by("-pk")


def _read_kind(params: Mapping[str, Any]) -> str:
    kind = params.get("kind", "")
    return kind if kind in Kind.values else ""


def _purchase_urls(entries: Sequence[LedgerEntry]) -> dict[str, str]:
    """The pages of the purchases that entries are of, by the cause's second part: a payment, a refund, a dispute."""
    named = {entry.cause.split(":")[1] for entry in entries if ":" in entry.cause}
    found = Purchase.objects.filter(payment_id__in=named).values_list("payment_id", "pk")
    reversed_ = Purchase.objects.filter(reversals__in=named).values_list("reversals", "pk")
    checkouts = Purchase.objects.filter(checkout_id__in=named).values_list("checkout_id", "pk")
    own = Purchase.objects.filter(pk__in=named).values_list("pk", "pk")
    pairs = [*found, *reversed_, *checkouts, *own]
    return {str(name): f"/billing/purchases/{pk}/" for name, pk in pairs}


def _reasons(entries: Sequence[LedgerEntry]) -> dict[str, str]:
    """What the staff gave as the reason of its corrections."""
    causes = [entry.cause for entry in entries if entry.kind == Kind.ADJUSTMENT]
    return dict(Adjustment.objects.filter(cause__in=causes).values_list("cause", "reason"))


def _why(entry: LedgerEntry) -> str:
    """What the first part of a cause says to who reads it; a request's id is one by itself."""
    return CAUSES.get(entry.cause.partition(":")[0], entry.cause)


def _url_of(entry: LedgerEntry, purchases: Mapping[str, str]) -> str:
    if entry.kind in (Kind.CAPTURE, Kind.OVERRUN):
        return f"/usage/requests/{entry.cause}/"
    parts = entry.cause.split(":")
    return purchases.get(parts[1], "") if len(parts) > 1 else ""


async def _csv_lines(account: CreditAccount, entries: "QuerySet[LedgerEntry]", kind: str) -> AsyncIterator[list[Cell]]:
    before = entries.order_by("pk")
    first = await before.afirst()
    earlier = LedgerEntry.objects.filter(account=account.pk, pk__lt=first.pk if first else 0)
    balance = (await earlier.aaggregate(sum=Sum("amount")))["sum"] or 0
    async for entry in before.aiterator(chunk_size=ROWS):
        balance += entry.amount
        if not kind or entry.kind == kind:
            yield [
                entry.created_at.isoformat(timespec="milliseconds"),
                entry.kind,
                credits_number(entry.amount),
                credits_number(balance),
                entry.cause,
                entry.pk,
            ]
