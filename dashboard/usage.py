"""Usage: what was called and what it cost, by model, key or type."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from msgspec import Struct

from accounts.models import User
from billing.amounts import credits_number, credits_text
from dashboard.charts import Chart, stacked_bars
from dashboard.choices import Choice
from dashboard.periods import CUSTOM, NAMES
from dashboard.receipts import (
    GROUPS,
    JUDGED,
    STATUSES,
    Breakdown,
    Filters,
    break_down,
    key_names,
    latency_of,
    percent,
    read_filters,
)
from dashboard.tables import Cell, csv_response
from dashboard.tallies import Tally, read_tallies
from dashboard.views import SignedIn

# The least that is worth a line of a scale, in millicredits.
TENTH_OF_A_CREDIT = 100
MEASURES = {"credits": ("Credits", "spent"), "requests": ("Requests", "requests"), "errors": ("Errors", "errors")}


class Line(Struct, frozen=True):
    """A line of the table of totals. `url` leads to the requests that it adds up."""

    name: str
    url: str
    requests: int
    errors: int
    error_rate: str
    credits: str
    share: str
    each: str


@login_required
@require_GET
@never_cache
def usage(request: SignedIn) -> HttpResponse:
    """`?range=&by=&show=&model=&key=`: all that the page shows stands in its address."""
    filters, by, show = read_filters(request.GET), read_group(request.GET), _read_measure(request.GET)
    tallies = read_tallies(request.user.pk, filters.period)
    breakdown = break_down(request.user, filters, by, tallies)
    latency = latency_of(filters.find(request.user))
    errors = breakdown.total.errors
    context = {
        **filter_bar(request.user, filters, "/usage/", {"by": by, "show": show}, tallies),
        "breakdown": breakdown,
        "spent": credits_text(breakdown.total.spent),
        "errors_note": f"{errors:,} request{'' if errors == 1 else 's'}, not charged",
        "latency": latency,
        "latency_note": f"95th percentile {latency['p95']}" if latency else "nothing was answered",
        "judged": JUDGED,
        "measure": MEASURES[show][0],
        "chart": chart_of(breakdown, show),
        "chart_title": f"{MEASURES[show][0]} by {by}, {filters.period.text}",
        "measures": [
            Choice(name, filters.url("/usage/", by=by, show=word), is_chosen=word == show)
            for word, (name, _) in MEASURES.items()
        ],
        "groups": group_links(filters, by, "/usage/", show=show),
        "group_name": GROUPS[by][0],
        "lines": [_line(breakdown, filters, by, at) for at in range(len(breakdown.groups))],
        "csv": filters.url("/usage/usage.csv", by=by),
        "requests_url": filters.url("/usage/requests/"),
    }
    return render(request, "dashboard/usage.html", context)


@login_required
@require_GET
def usage_csv(request: SignedIn) -> StreamingHttpResponse:
    """What the page shows, in its steps: a line for each group of each."""
    filters, by = read_filters(request.GET), read_group(request.GET)
    breakdown = break_down(request.user, filters, by)
    head = ("hour_utc" if filters.period.by_hour else "day_utc", by, "requests", "errors", "credits")
    return csv_response(f"arkroute-usage-{timezone.now():%Y-%m-%d}.csv", head, _csv_lines(breakdown))


def read_group(params: Any) -> str:
    by = params.get("by", "model")
    return by if by in GROUPS else "model"


def chart_of(breakdown: Breakdown, show: str = "credits") -> Chart:
    period = breakdown.period
    steps = [period.label(step) for step in period.steps]
    series = breakdown.series(MEASURES[show][1])
    return (
        stacked_bars(steps, series, credits_text, TENTH_OF_A_CREDIT)
        if show == "credits"
        else stacked_bars(steps, series)
    )


def group_links(filters: Filters, by: str, path: str, **more: str) -> list[Choice]:
    return [
        Choice(name, filters.url(path, by=word, **more), is_chosen=word == by) for word, (name, _) in GROUPS.items()
    ]


def filter_bar(
    user: User, filters: Filters, path: str, more: dict[str, str], tallies: Iterable[Tally], *, statuses: bool = False
) -> dict[str, Any]:
    """What `parts/filters.html` shows. `more` are the other words of the page's address, which it keeps, and `tallies`
    all of the period."""
    names = key_names(user)
    return {
        "filters": filters,
        "is_custom": filters.period.name == CUSTOM,
        "ranges": [
            Choice(
                word,
                filters.url(path, **more, range=word, **{"from": "", "to": ""}),
                is_chosen=word == filters.period.name,
            )
            for word in NAMES
        ],
        "models": _options(_models_of(tallies), filters.model),
        "keys": _options({str(key): name for key, name in names.items()}, filters.key),
        "statuses": _options({word: name for word, (name, _) in STATUSES.items()}, filters.status) if statuses else [],
        "kept": more,
        "cleared": Filters(filters.period).url(path, **more),
        "today": timezone.now().date(),
    }


def _models_of(tallies: Iterable[Tally]) -> dict[str, str]:
    return {model: model for model in sorted({tally.model for tally in tallies})}


def _options(names: dict[str, str], chosen: str) -> list[Choice]:
    """What was chosen is among them, whether or not it is there in this period."""
    if chosen and chosen not in names:
        names = names | {chosen: chosen}
    return [Choice(name, value=value, is_chosen=value == chosen) for value, name in names.items()]


def _read_measure(params: Any) -> str:
    show = params.get("show", "credits")
    return show if show in MEASURES else "credits"


def _line(breakdown: Breakdown, filters: Filters, by: str, at: int) -> Line:
    group = breakdown.groups[at]
    sums = group.sums
    narrowed = {} if by == "type" else {by: group.value}
    return Line(
        name=group.name,
        url=filters.url("/usage/requests/", **narrowed) if narrowed else "",
        requests=sums.requests,
        errors=sums.errors,
        error_rate=sums.error_rate,
        credits=credits_text(sums.spent),
        share=percent(sums.spent, breakdown.total.spent),
        each=credits_text(round(sums.spent / sums.requests)),
    )


async def _csv_lines(breakdown: Breakdown) -> AsyncIterator[list[Cell]]:
    for step in breakdown.period.steps:
        key = breakdown.period.key(step)
        for group in breakdown.groups:
            if sums := group.steps.get(key):
                yield [key, group.name, sums.requests, sums.errors, credits_number(sums.spent)]
