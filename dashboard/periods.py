"""The spans of time that pages of usage show, as they stand in an address: `?range=7d`, or `?range=custom&from=…&to=…`.

All of it in UTC. Days are whole days, today included.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, F, Func
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone
from msgspec import Struct

NAMES = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
DEFAULT = "30d"
CUSTOM = "custom"
MOST_DAYS = 366
# Of so few days each hour is shown.
MOST_DAYS_OF_HOURS = 2

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Period(Struct, frozen=True):
    """From `since` until before `until`, in steps of an hour or a day. `problem` says what of the address was wrong."""

    name: str
    since: datetime
    until: datetime
    by_hour: bool = False
    problem: str = ""

    @property
    def step(self) -> timedelta:
        return HOUR if self.by_hour else DAY

    @property
    def last_day(self) -> date:
        return (self.until - HOUR).date()

    @property
    def steps(self) -> list[datetime]:
        """The beginnings of the steps."""
        return [self.since + self.step * at for at in range(round((self.until - self.since) / self.step))]

    def key(self, step: datetime) -> str:
        """A step as the database calls it (`Step`)."""
        return f"{step:%Y-%m-%d %H}" if self.by_hour else f"{step:%Y-%m-%d}"

    def label(self, step: datetime) -> str:
        return f"{step.day} {step:%b, %H:00}" if self.by_hour else f"{step.day} {step:%b}"

    @property
    def text(self) -> str:
        """`the last 7 days`, `1 Nov to 7 Nov 2026`."""
        if self.name != CUSTOM:
            return f"the last {NAMES[self.name]}"
        first, last = self.since.date(), self.last_day
        return f"{first.day} {first:%b %Y}" + (f" to {last.day} {last:%b %Y}" if last != first else "")

    @property
    def params(self) -> dict[str, str]:
        """What leads to this period again."""
        if self.name != CUSTOM:
            return {"range": self.name}
        return {"range": CUSTOM, "from": f"{self.since:%Y-%m-%d}", "to": f"{self.last_day}"}


def read_period(params: Mapping[str, Any], now: datetime | None = None) -> Period:
    """The period that an address asks for; 30 days where it asks for none, or for what there is not."""
    now = now or timezone.now()
    name = params.get("range", DEFAULT)
    if name == CUSTOM:
        return _custom(str(params.get("from", "")), str(params.get("to", "")), now)
    return _named(name if name in NAMES else DEFAULT, now)


def _named(name: str, now: datetime, problem: str = "") -> Period:
    if name == "24h":
        until = now.replace(minute=0, second=0, microsecond=0) + HOUR
        return Period(name, until - 24 * HOUR, until, by_hour=True, problem=problem)
    until = midnight(now.date()) + DAY
    return Period(name, until - int(name.removesuffix("d")) * DAY, until, problem=problem)


def _custom(first_text: str, last_text: str, now: datetime) -> Period:
    try:
        first, last = date.fromisoformat(first_text), date.fromisoformat(last_text)
    except ValueError:
        return _named(DEFAULT, now, "Give both days, such as 2026-11-01. Shown are the last 30 days.")
    if not first <= last <= now.date() or first.year < 2000:
        return _named(DEFAULT, now, "The first day must not be after the last, nor the last after today.")
    days = (last - first).days + 1
    if days > MOST_DAYS:
        return _named(DEFAULT, now, f"{days} days are too many at once: choose {MOST_DAYS} at most.")
    return Period(CUSTOM, midnight(first), midnight(last) + DAY, by_hour=days <= MOST_DAYS_OF_HOURS)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class Step(Func):
    """The step of a period that a row's `created_at` lies in, as `Period.key` has it.

    Django's own `Trunc` calls Python for every row on SQLite, which keeps moments as texts that begin with what is
    wanted.
    """

    output_field = CharField()

    def __init__(self, *expressions: Any, by_hour: bool = False, **extra: Any) -> None:
        super().__init__(*(expressions or (F("created_at"),)), by_hour=by_hour, **extra)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[Any, ...]]:
        length = 13 if self.extra["by_hour"] else 10
        sql, params = self.as_sql(compiler, connection, template=f"SUBSTR(%(expressions)s, 1, {length})", **extra)
        return sql, tuple(params)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[Any, ...]]:
        form = "YYYY-MM-DD HH24" if self.extra["by_hour"] else "YYYY-MM-DD"
        template = f"TO_CHAR(%(expressions)s AT TIME ZONE 'UTC', '{form}')"
        sql, params = self.as_sql(compiler, connection, template=template, **extra)
        return sql, tuple(params)
