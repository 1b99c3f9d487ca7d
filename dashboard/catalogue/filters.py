"""What of the catalogue is asked for: a search, filters and an order, all of them in the page's address."""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from django.http import QueryDict
from msgspec import Struct

from dashboard.catalogue.offers import TYPE_NAMES, Offer
from dashboard.choices import Choice

# The most credits that a model's usual call may cost.
PRICES = (1, 3, 10, 50)
SORTS: dict[str, tuple[str, Callable[[Offer], Any]]] = {
    "price": ("Price, lowest first", lambda offer: offer.model.credits),
    "-price": ("Price, highest first", lambda offer: -offer.model.credits),
    "new": ("Newest first", lambda offer: -offer.model.created.toordinal()),
    "name": ("Name", lambda offer: offer.model.id),
}


class Query(Struct, frozen=True):
    """What is asked for; a field that is empty leaves all. `price` is one of `PRICES`, as a text."""

    search: str = ""
    type: str = ""
    provider: str = ""
    price: str = ""
    sort: str = ""

    @property
    def is_narrowed(self) -> bool:
        return bool(self.search or self.type or self.provider or self.price)

    def takes(self, offer: Offer) -> bool:
        model = offer.model
        words = (model.id, model.vendor, model.type, offer.type_name, model.description, *model.aliases)
        text = " ".join(words).lower()
        return (
            all(word in text for word in self.search.lower().split())
            and self.type in ("", model.type)
            and self.provider in ("", model.provider)
            and (not self.price or model.credits <= int(self.price))
        )


class Group(Struct, frozen=True):
    """Models under a heading."""

    name: str
    offers: list[Offer]


def read_query(values: QueryDict, offers: Iterable[Offer]) -> Query:
    """What the address asks for. A filter that names nothing here is left out."""

    def known(name: str, allowed: Iterable[str]) -> str:
        value = values.get(name, "")
        return value if value in set(allowed) else ""

    return Query(
        search=values.get("q", "").strip()[:100],
        type=known("type", TYPE_NAMES),
        provider=known("provider", (offer.model.provider for offer in offers)),
        price=known("price", map(str, PRICES)),
        sort=known("sort", SORTS),
    )


def find(offers: Iterable[Offer], query: Query) -> list[Group]:
    """What fits: under its types, or in one list where another order is asked for."""
    found = [offer for offer in offers if query.takes(offer)]
    if query.sort:
        found.sort(key=SORTS[query.sort][1])
        return [Group("Models", found)] if found else []
    return [Group(name, list(group)) for name, group in groupby(found, key=lambda offer: offer.type_name)]


def choices(query: Query, offers: Iterable[Offer]) -> dict[str, list[Choice]]:
    """What each field of the form offers, by the field's name."""
    vendors = {offer.model.provider: offer.model.vendor for offer in offers}
    fields: dict[str, tuple[str, dict[str, str]]] = {
        "types": (query.type, {"": "All", **{str(kind): name for kind, name in TYPE_NAMES.items()}}),
        "providers": (
            query.provider,
            {"": "All providers", **dict(sorted(vendors.items(), key=lambda vendor: vendor[1].lower()))},
        ),
        "prices": (
            query.price,
            {"": "Any price", **{str(most): f"Up to {most} credit{'s' if most > 1 else ''}" for most in PRICES}},
        ),
        "sorts": (query.sort, {"": "Suggested", **{value: name for value, (name, _) in SORTS.items()}}),
    }
    return {
        field: [Choice(name, value=value, is_chosen=value == chosen) for value, name in names.items()]
        for field, (chosen, names) in fields.items()
    }
