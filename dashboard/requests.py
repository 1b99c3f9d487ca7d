"""The log of requests, and the receipt of one."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from msgspec import Struct

from accounts.models import User
from billing.amounts import credits_number, credits_text
from dashboard.charts import Chart, Series, stacked_bars
from dashboard.documentation.causes import cause_of
from dashboard.gallery import show_piece
from dashboard.periods import Period
from dashboard.receipts import (
    JUDGED,
    STATUSES,
    duration_text,
    key_name,
    key_names,
    latency_of,
    newest_first,
    percent,
    read_filters,
    status_of,
    type_of,
)
from dashboard.skeletons import curl_of
from dashboard.tables import Cell, csv_response
from dashboard.tallies import Tally, read_tallies
from dashboard.usage import filter_bar
from dashboard.views import SignedIn
from gateway.flows.gallery import list_pieces_of
from gateway.inputs import input_of
from gateway.models import Receipt, VideoTask

PAGE = 50
# Rows that are read from the database together.
ROWS = 500
CURSOR_MARK = "~"

HEAD = (
    *("request_id", "ended_at_utc", "type", "endpoint", "model", "served_by", "key", "status", "error", "credits"),
    *("held", "milliseconds", "input_tokens", "output_tokens", "images", "seconds"),
)


class Entry(Struct, frozen=True):
    """A receipt as a line of a table shows it."""

    id: str
    url: str
    created_at: datetime
    type: str
    model: str
    key: str
    status: str
    status_name: str
    error: str
    latency: str
    credits: str


@login_required
@require_GET
@never_cache
def requests(request: SignedIn) -> HttpResponse:
    """`?range=&model=&key=&status=&before=`, or `?id=`, which leads to that request."""
    wanted = request.GET.get("id", "").strip()
    if wanted.isprintable() and wanted and Receipt.objects.filter(account_id=request.user.pk, pk=wanted).exists():
        return redirect("receipt", wanted)
    filters = read_filters(request.GET)
    found = filters.find(request.user)
    page = list(_before(newest_first(found), request.GET.get("before", ""))[: PAGE + 1])
    tallies = read_tallies(request.user.pk, filters.period)
    histogram, counted, errors = count_by_outcome(filter(filters.takes, tallies), filters.period)
    context = {
        **filter_bar(request.user, filters, "/usage/requests/", {}, tallies, statuses=True),
        "entries": entries_of(page[:PAGE], key_names(request.user)),
        "older": filters.url(before=_cursor(page[PAGE - 1])) if len(page) > PAGE else "",
        "newest": filters.url() if request.GET.get("before") else "",
        "chart": histogram,
        "chart_title": f"Requests by outcome, {filters.period.text}",
        "count": counted,
        "errors": errors,
        "error_rate": percent(errors, counted),
        "latency": latency_of(found),
        "judged": JUDGED,
        "csv": filters.url("/usage/requests.csv"),
        "unknown_id": wanted,
    }
    return render(request, "dashboard/requests.html", context)


@login_required
@require_GET
def requests_csv(request: SignedIn) -> StreamingHttpResponse:
    """All that the filters find, whatever page is shown, the newest first."""
    receipts = newest_first(read_filters(request.GET).find(request.user))
    name = f"arkroute-requests-{timezone.now():%Y-%m-%d}.csv"
    return csv_response(name, HEAD, _csv_lines(receipts, key_names(request.user)))


@login_required
@require_GET
@never_cache
def receipt(request: SignedIn, receipt_id: str) -> HttpResponse:
    """What one request cost and why. The log shows this page's article beside its table."""
    if not receipt_id.isprintable():  # Postgres fails at a NUL
        raise Http404("no receipt of yours has this id")
    found = get_object_or_404(Receipt, account_id=request.user.pk, pk=receipt_id)
    status = status_of(found)
    charged = found.captured + found.overrun
    context = {
        "receipt": found,
        "status": status,
        "status_name": STATUSES[status][0],
        "type": type_of(found.endpoint),
        "key": key_name(key_names(request.user), found.api_key_id),
        "charged": credits_text(charged),
        "money": money_of(found),
        "usage": usage_of(found.usage),
        "is_reported": found.usage.get("reported", True),
        "attempts": attempts_of(found.attempts),
        "timings": timings_of(found),
        "error_message": _error_message(found) or cause_of(found.error_code),
        "pieces": [show_piece(piece) for piece in list_pieces_of(request.user.pk, found.pk)],
        "curl": curl_of(found.endpoint, found.model),
        "input": input_of(request.user.pk, found.pk),
        "input_days": settings.INPUT_DAYS,
        "file_days": settings.MEDIA_FILE_DAYS,
    }
    return render(request, "dashboard/receipt.html", context)


def recent(user: User, most: int) -> list[Entry]:
    """The user's last requests."""
    receipts = newest_first(Receipt.objects.filter(account_id=user.pk))[:most]
    return entries_of(list(receipts), key_names(user))


def entries_of(receipts: list[Receipt], names: Mapping[int, str]) -> list[Entry]:
    entries = []
    for one in receipts:
        status = status_of(one)
        entries.append(
            Entry(
                id=one.pk,
                url=f"/usage/requests/{one.pk}/",
                created_at=one.created_at,
                type=type_of(one.endpoint),
                model=one.model,
                key=key_name(names, one.api_key_id),
                status=status,
                status_name=STATUSES[status][0],
                error="" if status == "cancelled" else one.error_code,
                latency=duration_text(one.milliseconds),
                credits=credits_text(one.captured + one.overrun),
            )
        )
    return entries


def count_by_outcome(tallies: Iterable[Tally], period: Period) -> tuple[Chart, int, int]:
    """The histogram above the log, how many requests there are, and how many of them failed."""
    counts: Counter[tuple[str, str]] = Counter()
    for tally in tallies:
        counts[tally.status, tally.step] += tally.requests
    keys = [period.key(step) for step in period.steps]
    answered, left, failed = (
        [sum(counts[status, key] for status in statuses) for key in keys]
        for statuses in (("succeeded", "partial"), ("cancelled",), ("error",))
    )
    series = [
        Series("Answered", answered, colour=0),
        Series("Cancelled", left, colour=5),
        Series("Errors", failed, colour=4),
    ]
    chart = stacked_bars([period.label(step) for step in period.steps], series)
    return chart, counts.total(), sum(failed)


class Amount(Struct, frozen=True):
    """A line of what a call cost; `credits` with its sign."""

    name: str
    credits: str


def money_of(receipt: Receipt) -> list[Amount]:
    """How the hold became what was charged."""
    released = receipt.quote - receipt.captured
    lines = [Amount("Held before the call, the most it could cost", credits_text(receipt.quote))]
    if released:
        lines.append(Amount("Released when it ended", credits_text(-released)))
    if receipt.overrun:
        lines.append(Amount("Used beyond the hold", f"+{credits_text(receipt.overrun)}"))
    return lines


def usage_of(usage: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """`Input tokens`, 812: what is not 0."""
    return [
        (name.replace("_", " ").capitalize(), f"{amount:,}" if isinstance(amount, int) else f"{amount:g}")
        for name, amount in usage.items()
        if amount and not isinstance(amount, bool) and isinstance(amount, int | float)
    ]


class Attempt(Struct, frozen=True):
    """One who was asked. `start` and `width` are percents of the time that all took."""

    served_by: str
    duration: str
    error: str
    start: str
    width: str


def attempts_of(attempts: list[dict[str, Any]]) -> list[Attempt]:
    """Who was tried, one after the other."""
    whole = max(1, sum(attempt["milliseconds"] for attempt in attempts))
    shown, before = [], 0
    for attempt in attempts:
        took = attempt["milliseconds"]
        start, width = min(99.0, 100 * before / whole), max(1.0, 100 * took / whole)
        shown.append(
            Attempt(attempt["served_by"], duration_text(took), attempt["error"] or "", f"{start:.1f}", f"{width:.1f}")
        )
        before += took
    return shown


def timings_of(receipt: Receipt) -> list[tuple[str, str]]:
    timings = [("From the request to its end", duration_text(receipt.milliseconds))]
    if receipt.overhead_microseconds:
        timings.append(("Of it spent here, not at a provider", f"{receipt.overhead_microseconds / 1000:.1f} ms"))
    return timings


def _error_message(receipt: Receipt) -> str:
    """What is known beyond the code: of videos the words of the failure are kept."""
    if type_of(receipt.endpoint) != "Video" or not receipt.error_code:
        return ""
    task = VideoTask.objects.filter(account_id=receipt.account_id, request_id=receipt.pk).only("error_message").first()
    return task.error_message if task else ""


def _cursor(receipt: Receipt) -> str:
    return f"{receipt.created_at.isoformat()}{CURSOR_MARK}{receipt.pk}"


def _before(receipts: "QuerySet[Receipt]", cursor: str) -> "QuerySet[Receipt]":
    """Those that come after the one of `cursor`, which is older ones; all, where it is no cursor."""
    moment_text, _, receipt_id = cursor.partition(CURSOR_MARK)
    try:
        moment = parse_datetime(moment_text)
    except ValueError:
        moment = None
    if moment is None or timezone.is_naive(moment) or not receipt_id.isprintable():
        return receipts
    # The first condition is the index's.
    return receipts.filter(created_at__lte=moment).exclude(created_at=moment, pk__gte=receipt_id)


async def _csv_lines(receipts: "QuerySet[Receipt]", names: Mapping[int, str]) -> AsyncIterator[list[Cell]]:
    async for one in receipts.aiterator(chunk_size=ROWS):
        usage = one.usage
        yield [
            *(
                one.pk,
                one.created_at.isoformat(timespec="milliseconds"),
                type_of(one.endpoint),
                one.endpoint,
                one.model,
            ),
            *(one.served_by, key_name(names, one.api_key_id), status_of(one), one.error_code),
            *(credits_number(one.captured + one.overrun), credits_number(one.quote), one.milliseconds),
            *(usage.get(name, 0) for name in ("input_tokens", "output_tokens", "images", "seconds")),
        ]
