"""What pages show of receipts: which ones an address asks for, their sums, and the words for what stands in them.

A receipt is written when its call ends. Of an account's, those of a period are found by an index, and added up by the
database.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.http import QueryDict
from msgspec import Struct, field

from accounts.models import ApiKey, User
from dashboard.charts import Series
from dashboard.periods import Period, Step, read_period
from gateway.models import Receipt

Outcome = Receipt.Outcome

CHARGED = F("captured") + F("overrun")
# A client that leaves, or cancels a video, is charged nothing, and no error either.
LEFT = Q(outcome=Outcome.FAILED, error_code="cancelled")
ERRORS = Q(outcome__in=(Outcome.FAILED, Outcome.LATE)) & ~LEFT

# By what pages group: the word in an address, how it is called, and the column.
GROUPS = {"model": ("Model", "model"), "key": ("Key", "api_key_id"), "type": ("Type", "endpoint")}
# What an endpoint is for, by the first words of its path that fit.
TYPES = (
    ("chat", "Chat"),
    ("responses", "Chat"),
    ("images", "Image"),
    ("video", "Video"),
    ("embeddings", "Embedding"),
    ("audio", "Transcription"),
)
# The word for an outcome in an address, how it is called, and which receipts it means.
STATUSES = {
    "succeeded": ("Succeeded", Q(outcome=Outcome.SUCCEEDED)),
    "partial": ("Partial", Q(outcome=Outcome.PARTIAL)),
    "error": ("Error", ERRORS),
    "cancelled": ("Cancelled", LEFT),
}


class Filters(Struct, frozen=True):
    """Which receipts an address asks for. Empty is all."""

    period: Period
    model: str = ""
    key: str = ""
    status: str = ""

    @property
    def params(self) -> dict[str, str]:
        """What leads to them again."""
        chosen = {"model": self.model, "key": self.key, "status": self.status}
        return self.period.params | {name: value for name, value in chosen.items() if value}

    @property
    def is_narrowed(self) -> bool:
        return bool(self.model or self.key or self.status)

    def url(self, path: str = "", **changes: str) -> str:
        """The address of `path` with these filters, and with `changes`; one that is empty takes its filter away."""
        query = QueryDict(mutable=True)
        query.update({name: value for name, value in (self.params | changes).items() if value})
        return f"{path}?{query.urlencode()}"

    def find(self, user: User) -> "QuerySet[Receipt]":
        """The user's receipts, in no order."""
        found = Receipt.objects.filter(
            account_id=user.pk, created_at__gte=self.period.since, created_at__lt=self.period.until
        )
        if self.model:
            found = found.filter(model=self.model)
        if self.key:
            found = found.filter(api_key_id=int(self.key))
        if self.status:
            found = found.filter(STATUSES[self.status][1])
        return found.order_by()


def read_filters(params: Mapping[str, Any]) -> Filters:
    """What cannot be a filter is none."""
    key, status, model = (str(params.get(name, "")) for name in ("key", "status", "model"))
    is_number = key.isascii() and key.isdecimal() and len(key) < 19
    return Filters(
        period=read_period(params),
        # Postgres fails at a NUL.
        model=model if model.isprintable() else "",
        key=key if is_number else "",
        status=status if status in STATUSES else "",
    )


class Sums(Struct):
    """Of some receipts. `spent` is in millicredits."""

    requests: int = 0
    errors: int = 0
    spent: int = 0

    def add(self, requests: int, errors: int, spent: int) -> None:
        self.requests += requests
        self.errors += errors
        self.spent += spent

    @property
    def error_rate(self) -> str:
        return percent(self.errors, self.requests)


class Group(Struct):
    """The receipts of one model, key or type: their sums in the whole period, and in its steps by `Period.key`."""

    name: str
    value: str
    sums: Sums = field(default_factory=Sums)
    steps: dict[str, Sums] = field(default_factory=dict)


class Breakdown(Struct):
    """Receipts by group and step; the groups by what they cost, the dearest first."""

    period: Period
    total: Sums
    groups: list[Group]

    def series(self, measure: str) -> list[Series]:
        """For a chart: `spent`, `requests` or `errors` of each group, in each step."""
        keys = [self.period.key(step) for step in self.period.steps]
        return [
            Series(group.name, [getattr(group.steps[key], measure) if key in group.steps else 0 for key in keys])
            for group in self.groups
        ]


def break_down(user: User, filters: Filters, by: str) -> Breakdown:
    """The sums of the user's receipts by one of `GROUPS`. One query, and another for the names of keys."""
    period = filters.period
    rows = (
        filters.find(user)
        .annotate(step=Step(by_hour=period.by_hour))
        .values_list("step", GROUPS[by][1])
        .annotate(requests=Count("pk"), errors=Count("pk", filter=ERRORS), spent=Sum(CHARGED))
        .order_by()
    )
    found = list(rows)
    names = _names(user, by, {value for _, value, *_ in found})
    total = Sums()
    groups: dict[str, Group] = {}
    for step, value, *counts in found:
        name = names[value]
        group = groups.setdefault(name, Group(name, str(value)))
        for sums in (total, group.sums, group.steps.setdefault(step, Sums())):
            sums.add(*counts)
    ranked = sorted(groups.values(), key=lambda group: (-group.sums.spent, -group.sums.requests, group.name))
    return Breakdown(period, total, ranked)


def key_names(user: User) -> dict[int, str]:
    """What each of the user's keys is called; its masked form where it has no name. A name that two have tells more."""
    keys = list(ApiKey.objects.filter(user=user).order_by("pk"))
    names = [key.name for key in keys]
    return {
        key.pk: key.name if key.name and names.count(key.name) == 1 else f"{key.name} {key.masked}".strip()
        for key in keys
    }


def key_name(names: Mapping[int, str], key_id: int) -> str:
    """For a key that is gone, too."""
    return names.get(key_id) or f"deleted key {key_id}"


def type_of(endpoint: str) -> str:
    """What an endpoint is for, in a word."""
    path = endpoint.removeprefix("/v1/")
    return next((name for start, name in TYPES if path.startswith(start)), "Other")


def status_of(receipt: Receipt) -> str:
    """One of `STATUSES`."""
    if receipt.outcome == Outcome.FAILED and receipt.error_code == "cancelled":
        return "cancelled"
    return receipt.outcome if receipt.outcome in STATUSES else "error"


def percent(part: int, whole: int) -> str:
    """`0 %`, `0.4 %`, `12 %`."""
    if not part or not whole:
        return "0 %"
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 10 or share == int(share) else f"{max(share, 0.1):.1f} %"


def duration_text(milliseconds: int) -> str:
    """`84 ms`, `3.2 s`, `4 min 12 s`."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 59_950:  # which would read 60.0 s
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"


def _names(user: User, by: str, values: Iterable[Any]) -> dict[Any, str]:
    if by == "key":
        names = key_names(user)
        return {value: key_name(names, value) for value in values}
    return {value: type_of(value) if by == "type" else value for value in values}
