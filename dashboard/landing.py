"""The first page: what this is, a call of it, and what it costs today."""

from collections.abc import Iterable
from itertools import groupby

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from msgspec import Struct

from billing.amounts import credits_text, money_text
from billing.ledger import MILLICREDITS
from dashboard.catalogue.offers import Offer, list_offers
from dashboard.samples import samples
from gateway.catalog.schema import Model

EXAMPLES = 3


class TypeOffer(Struct, frozen=True):
    """What there is of a type: how many models, the cheapest of them, and some."""

    name: str
    icon: str
    url: str
    count: int
    cheapest: Offer
    examples: list[Offer]


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """For everybody; who is signed in is led to the dashboard from here."""
    offers = list_offers()
    first = offers[0] if offers else None
    context = {
        "offers": offers,
        "types": offers_by_type(offers),
        "vendors": sorted({offer.model.vendor for offer in offers if offer.model.provider in settings.PROVIDERS}),
        "first": first,
        "receipt": example_receipt(first.model) if first else None,
        "samples": samples(first.model) if first else [],
        "signup_credits": settings.SIGNUP_CREDITS,
        "signup_calls": settings.SIGNUP_CREDITS * MILLICREDITS // first.model.base if first else 0,
        "credit": money_text(MILLICREDITS),
        "requests_per_minute": settings.REQUESTS_PER_MINUTE,
    }
    return render(request, "dashboard/landing.html", context)


class ExampleReceipt(Struct, frozen=True):
    """Credits of a call for four images, of which three were made."""

    held: str
    charged: str
    released: str


def example_receipt(model: Model) -> ExampleReceipt:
    return ExampleReceipt(*(credits_text(pieces * model.base) for pieces in (4, 3, 1)))


def offers_by_type(offers: Iterable[Offer]) -> list[TypeOffer]:
    """The types that there are models of; `offers` come sorted by them."""
    return [_type_offer(list(group)) for _, group in groupby(offers, key=lambda offer: offer.model.type)]


def _type_offer(offers: list[Offer]) -> TypeOffer:
    first = offers[0]
    return TypeOffer(
        name=first.type_name,
        icon=first.icon,
        url=f"/models/?type={first.model.type}",
        count=len(offers),
        cheapest=min(offers, key=lambda offer: offer.model.credits),
        examples=offers[:EXAMPLES],
    )
