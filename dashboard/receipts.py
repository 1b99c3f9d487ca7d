"""What pages show of receipts: which ones an address asks for, their sums, and the words for what stands in them.

A receipt is written when its call ends. Of an account's, those of a period are found by an index.
"""

from collections.abc import Iterable, Mapping
from statistics import quantiles
from typing import Any

from django.db.models import Q, QuerySet
from django.http import QueryDict
from msgspec import Struct, field

from accounts.models import ApiKey, User
from dashboard.charts import Series
from dashboard.periods import Period, read_period
from dashboard.tallies import ERRORS, LEFT, Outcome, Tally, read_tallies
from gateway.models import Receipt

# By how many of the last requests latency is judged: sorting all would cost too much.
JUDGED = 1000

# By what pages group: the word in an address, how it is called, and the field of a tally.
GROUPS = {"model": ("Model", "model"), "key": ("Key", "key"), "type": ("Type", "endpoint")}
# What an endpoint is for, by the first words of its path that fit.
TYPES = (
    ("chat", "Chat"),
    ("responses", "Chat"),
    ("images", "Image"),
    ("video", "Video"),
    ("embeddings", "Embedding"),
    ("audio", "Transcription"),
    ("/mcp/generate_image", "Image"),
    ("/mcp/edit_image", "Image"),
    ("/mcp/generate_video", "Video"),
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

    def takes(self, tally: Tally) -> bool:
        """Whether its receipts are among them, as far as the period goes."""
        return (
            self.model in ("", tally.model) and self.key in ("", str(tally.key)) and self.status in ("", tally.status)
        )


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

    def add(self, tally: Tally) -> None:
        self.requests += tally.requests
        self.errors += tally.requests if tally.status == "error" else 0
        self.spent += tally.spent

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


def break_down(user: User, filters: Filters, by: str, tallies: list[Tally] | None = None) -> Breakdown:
    """The sums of the user's receipts by one of `GROUPS`. `tallies` are those of the period, where they were read."""
    read = read_tallies(user.pk, filters.period) if tallies is None else tallies
    tallies = [tally for tally in read if filters.takes(tally)]
    values = [getattr(tally, GROUPS[by][1]) for tally in tallies]
    names = _names(user, by, set(values))
    total = Sums()
    groups: dict[str, Group] = {}
    for tally, value in zip(tallies, values, strict=True):
        name = names[value]
        group = groups.setdefault(name, Group(name, str(value)))
        for sums in (total, group.sums, group.steps.setdefault(tally.step, Sums())):
            sums.add(tally)
    ranked = sorted(groups.values(), key=lambda group: (-group.sums.spent, -group.sums.requests, group.name))
    return Breakdown(filters.period, total, ranked)


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
    """`0%`, `0.4%`, `12%`."""
    if not part or not whole:
        return "0%"
    share = 100 * part / whole
    return f"{share:.0f}%" if share >= 10 or share == int(share) else f"{max(share, 0.1):.1f}%"


def duration_text(milliseconds: int) -> str:
    """`84 ms`, `3.2 s`, `4 min 12 s`."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 59_950:  # which would read 60.0 s
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"


def newest_first(receipts: "QuerySet[Receipt]") -> "QuerySet[Receipt]":
    return receipts.order_by("-created_at", "-pk")


def latency_of(found: "QuerySet[Receipt]") -> dict[str, str]:
    """How long the last requests took that were answered, at the median and for the slowest of twenty."""
    answered = found.exclude(outcome__in=(Receipt.Outcome.FAILED, Receipt.Outcome.LATE))
    last = list(newest_first(answered).values_list("milliseconds", flat=True)[:JUDGED])
    if len(last) < 2:
        return {"p50": duration_text(last[0]), "p95": duration_text(last[0])} if last else {}
    twentieths = quantiles(last, n=20, method="inclusive")
    return {"p50": duration_text(round(twentieths[9])), "p95": duration_text(round(twentieths[18]))}


def _names(user: User, by: str, values: Iterable[Any]) -> dict[Any, str]:
    if by == "key":
        names = key_names(user)
        return {value: key_name(names, value) for value in values}
    return {value: type_of(value) if by == "type" else value for value in values}
