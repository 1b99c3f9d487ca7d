"""An account's receipts, counted: the numbers below all charts and totals.

The database adds up what a period has, found by the index of an account's receipts. Of an account with a million of
them that takes seconds, so the days with many calls are remembered once they are over.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Case, CharField, Count, F, Q, Sum, Value, When
from django.utils import timezone
from msgspec import Struct

from dashboard.models import DayOfUsage
from dashboard.periods import DAY, Period, Step, midnight
from gateway.models import Receipt

Outcome = Receipt.Outcome

CHARGED = F("captured") + F("overrun")
# A client that leaves, or cancels a video, is charged nothing, and no error either.
LEFT = Q(outcome=Outcome.FAILED, error_code="cancelled")
ERRORS = Q(outcome__in=(Outcome.FAILED, Outcome.LATE)) & ~LEFT
STATUS = Case(When(LEFT, Value("cancelled")), When(ERRORS, Value("error")), default="outcome", output_field=CharField())

# A day with fewer calls is added up anew each time.
MANY_CALLS = 1000
# So long after its end a day is over: a receipt may be committed somewhat later than it says.
MARGIN = timedelta(hours=1)


class Tally(Struct, frozen=True):
    """Receipts that are alike: how many, and the millicredits that they took. `step` is a `Period.key`, `status` one of
    `dashboard.receipts.STATUSES`."""

    step: str
    model: str
    key: int
    endpoint: str
    status: str
    requests: int
    spent: int


def read_tallies(account_id: int, period: Period) -> list[Tally]:
    """All of an account's receipts in `period`, counted, in no order."""
    if period.by_hour:
        return _count(account_id, period.since, period.until, by_hour=True)
    days = DayOfUsage.objects.filter(account_id=account_id, day__gte=period.since.date(), day__lt=period.until.date())
    known = {day.day: day.tallies for day in days}
    tallies = [Tally(str(day), *row) for day, rows in known.items() for row in rows]
    for since, until in _gaps(period, known):
        counted = _count(account_id, since, until, by_hour=False)
        _remember(account_id, counted)
        tallies += counted
    return tallies


def _gaps(period: Period, known: dict[date, Any]) -> Iterator[tuple[datetime, datetime]]:
    """The spans of a period between the days that are known."""
    since = period.since
    for day in sorted(known):
        if midnight(day) > since:
            yield since, midnight(day)
        since = midnight(day) + DAY
    if since < period.until:
        yield since, period.until


def _count(account_id: int, since: datetime, until: datetime, *, by_hour: bool) -> list[Tally]:
    rows = (
        Receipt.objects.filter(account_id=account_id, created_at__gte=since, created_at__lt=until)
        .annotate(step=Step(by_hour=by_hour), status=STATUS)
        .values_list("step", "model", "api_key_id", "endpoint", "status")
        .annotate(requests=Count("pk"), spent=Sum(CHARGED))
        .order_by()
    )
    return [Tally(*row) for row in rows]


def _remember(account_id: int, counted: list[Tally]) -> None:
    by_day: dict[str, list[Tally]] = defaultdict(list)
    for tally in counted:
        by_day[tally.step].append(tally)
    over = (timezone.now() - MARGIN).date()
    DayOfUsage.objects.bulk_create(
        [
            DayOfUsage(
                account_id=account_id,
                day=day,
                tallies=[[one.model, one.key, one.endpoint, one.status, one.requests, one.spent] for one in tallies],
            )
            for day, tallies in by_day.items()
            if date.fromisoformat(day) < over and sum(one.requests for one in tallies) >= MANY_CALLS
        ],
        ignore_conflicts=True,  # another page has remembered it meanwhile
    )
