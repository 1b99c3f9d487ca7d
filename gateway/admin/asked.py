"""How providers answered of late, as receipts tell: each names whom its request asked, and what came of that."""

from collections import Counter
from datetime import timedelta

from msgspec import Struct, field

from gateway.admin.recent import id_at
from gateway.models import Receipt

HOUR = timedelta(hours=1)
# Receipts that are read: a busy hour has many more, and its last minutes tell enough.
MOST = 2000


class Place(Struct):
    """A provider's model, by its label: how often it was tried, and with which errors in vain."""

    label: str
    tries: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    milliseconds: int = 0

    @property
    def failed(self) -> int:
        return self.errors.total()

    @property
    def provider(self) -> str:
        return self.label.partition("/")[0]


class Asked(Struct):
    """`requests` of the last hour; without `is_whole` there were more."""

    requests: int
    is_whole: bool
    places: list[Place]


def read_asked() -> Asked:
    """Whom the requests of the last hour asked. One query, whatever they are."""
    newest = Receipt.objects.filter(pk__gte=id_at("req_", HOUR)).order_by("-pk").values_list("attempts", flat=True)
    receipts = list(newest[:MOST])
    places: dict[str, Place] = {}
    for attempts in receipts:
        for attempt in attempts:
            place = places.setdefault(attempt["served_by"], Place(attempt["served_by"]))
            place.tries += 1
            place.milliseconds += attempt["milliseconds"]
            if attempt["error"]:
                place.errors[attempt["error"]] += 1
    return Asked(len(receipts), len(receipts) < MOST, sorted(places.values(), key=lambda place: place.label))
