"""The periods that an address asks for."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db.models import F

from accounts.models import User
from billing.ledger import open_account
from dashboard.periods import Step, read_period
from gateway.models import Receipt
from tests.dashboard.receipts import make_receipt

NOW = datetime(2026, 11, 25, 13, 45, 10, tzinfo=UTC)


def test_days_are_whole_and_today_is_one_of_them() -> None:
    for name, count in (("7d", 7), ("30d", 30)):
        period = read_period({"range": name}, NOW)
        assert len(period.steps) == count
        assert (period.key(period.steps[-1]), period.until) == ("2026-11-25", datetime(2026, 11, 26, tzinfo=UTC))


def test_24_hours_end_with_the_present_one() -> None:
    period = read_period({"range": "24h"}, NOW)
    assert (len(period.steps), period.key(period.steps[0]), period.key(period.steps[-1])) == (
        24,
        "2026-11-24 14",
        "2026-11-25 13",
    )


def test_days_of_ones_choice_include_both() -> None:
    period = read_period({"range": "custom", "from": "2026-11-01", "to": "2026-11-03"}, NOW)
    assert [period.key(step) for step in period.steps] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert (period.text, period.last_day) == ("1 Nov 2026 to 3 Nov 2026", date(2026, 11, 3))
    assert read_period(period.params, NOW) == period
    day = read_period({"range": "custom", "from": "2026-11-01", "to": "2026-11-01"}, NOW)
    assert (len(day.steps), day.text) == (24, "1 Nov 2026")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("", ""),
        ("2026-11-01", ""),
        ("yesterday", "2026-11-02"),
        ("2026-11-03", "2026-11-01"),
        ("2026-11-24", "2026-11-26"),
        ("2024-01-01", "2026-01-01"),
        ("0001-01-01", "0001-01-02"),
    ],
)
def test_what_cannot_be_is_said_and_30_days_are_shown(first: str, last: str) -> None:
    period = read_period({"range": "custom", "from": first, "to": last}, NOW)
    assert period.problem
    assert len(period.steps) == 30


def test_an_unknown_period_is_30_days() -> None:
    assert read_period({"range": "1y"}, NOW) == read_period({}, NOW) == read_period({"range": "30d"}, NOW)


@pytest.mark.database
@pytest.mark.django_db
def test_the_database_names_steps_as_a_period_does() -> None:
    user = User.objects.create_user("alice@example.com")
    open_account(user)
    last_moment = datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=UTC)
    for moment in (last_moment, last_moment + timedelta(microseconds=1)):
        make_receipt(user, created_at=moment)
    receipts = Receipt.objects.order_by("created_at")
    days, hours = (receipts.annotate(step=Step(F("created_at"), by_hour=by_hour)) for by_hour in (False, True))
    assert list(days.values_list("step", flat=True)) == ["2026-11-24", "2026-11-25"]
    assert list(hours.values_list("step", flat=True)) == ["2026-11-24 23", "2026-11-25 00"]
