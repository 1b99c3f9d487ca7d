"""A user's keys as their page lists them: what each may do, what it has spent, and how long it lives."""

from collections import Counter
from datetime import datetime

from django.conf import settings
from django.utils.timesince import timesince, timeuntil
from msgspec import Struct

from accounts.models import ApiKey, User
from billing.amounts import credits_text
from dashboard.periods import CUSTOM, DAY, Period, midnight
from dashboard.tallies import read_tallies
from gateway.catalog.schema import MODEL_TYPES
from gateway.limits.periods import beginning
from gateway.limits.spending import reserved_by_key

CURRENT = {"day": "today", "week": "this week", "month": "this month"}


class Budget(Struct):
    """What a key's line has spent of its limit in the current period. Millicredits."""

    spent: int
    limit: int
    period: str

    @property
    def text(self) -> str:
        return f"{credits_text(self.spent)} of {credits_text(self.limit)} credits {CURRENT[self.period]}"

    @property
    def percent(self) -> int:
        return min(100, 100 * self.spent // self.limit)

    @property
    def is_spent(self) -> bool:
        return self.spent >= self.limit


class ListedKey(Struct):
    """A row of the list. `until` says since or until when its `status` is so; `spent`, this month, is in credits."""

    key: ApiKey
    is_open: bool
    status: str
    until: str
    used: str
    spent: str
    budget: Budget | None
    limits: list[str]


def list_keys(user: User, now: datetime) -> list[ListedKey]:
    """The newest first. Asks two queries for each period that some key has a limit in."""
    keys = list(ApiKey.objects.filter(user=user).select_related("origin"))
    periods = {"month", *(key.credit_period for key in keys if key.credit_limit)}
    spent = {period: _spent_by_key(user, beginning(period, now), now) for period in periods}
    under_way = reserved_by_key(user.pk) if any(key.credit_limit for key in keys) else {}
    states = [_state(key, keys, now) for key in keys]
    return [
        ListedKey(
            key=key,
            is_open=key.is_open,
            status=status,
            until=until,
            used=f"{timesince(key.last_used_at, now, depth=1)} ago" if key.last_used_at else "Never",
            spent=credits_text(spent["month"].get(key.pk, 0)),
            budget=_budget(key, keys, spent[key.credit_period], under_way) if key.credit_limit else None,
            limits=_limits(key),
        )
        for key, (status, until) in zip(keys, states, strict=True)
    ]


def _spent_by_key(user: User, since: datetime, now: datetime) -> Counter[int]:
    """Millicredits since the beginning of a day."""
    spent: Counter[int] = Counter()
    for tally in read_tallies(user.pk, Period(CUSTOM, since, midnight(now.date()) + DAY)):
        spent[tally.key] += tally.spent
    return spent


def _budget(key: ApiKey, keys: list[ApiKey], spent: dict[int, int], under_way: dict[int, int]) -> Budget:
    line = [one.pk for one in keys if one.line_id == key.line_id]
    total = sum(spent.get(pk, 0) + under_way.get(pk, 0) for pk in line)
    return Budget(spent=total, limit=key.credit_limit or 0, period=key.credit_period)


def _state(key: ApiKey, keys: list[ApiKey], now: datetime) -> tuple[str, str]:
    """Its status in a word, and since or until when."""
    if key.revoked_at:
        return "Revoked", f"{key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return "Active", ""
    if key.expires_at <= now:
        return "Expired", f"{key.expires_at:%Y-%m-%d}"
    left = f"ends in {timeuntil(key.expires_at, now, depth=1)}"
    was_rolled = any(one.line_id == key.line_id and one.pk > key.pk for one in keys)
    return ("Rolled" if was_rolled else "Active"), left


def _limits(key: ApiKey) -> list[str]:
    """What differs from the site's defaults, in words."""
    limits = []
    if key.requests_per_minute:
        limits.append(f"{key.requests_per_minute} requests a minute")
    if key.concurrent_requests and key.concurrent_requests != settings.CONCURRENT_REQUESTS:
        limits.append(f"{key.concurrent_requests} at a time")
    if key.concurrent_videos:
        limits.append(f"{key.concurrent_videos} video{'s' if key.concurrent_videos > 1 else ''} at a time")
    types = [name for name in key.allowed_models if name in MODEL_TYPES]
    models = [name for name in key.allowed_models if name not in MODEL_TYPES]
    if types:
        limits.append(f"{', '.join(types)} models")
    if models:
        limits.append(models[0] if len(models) == 1 else f"{len(models)} models by name")
    return limits
