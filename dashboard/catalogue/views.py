"""`/models/` and `/models/<id>/`. The same paths without the slash at their end are the API's."""

from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from msgspec.structs import replace

from dashboard.catalogue.details import details_of, leads_to
from dashboard.catalogue.filters import choices, find, read_query
from dashboard.catalogue.latency import DAYS, latencies
from dashboard.catalogue.offers import TYPE_PAGES, list_offers, offer_of
from dashboard.catalogue.parameters import parameter_table
from dashboard.catalogue.prices import price_table
from dashboard.samples import samples
from gateway.catalog import aliases_of, get_model
from gateway.errors import ModelNotFound
from gateway.routing.deployments import is_available


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """All models, or those that the address asks for: `?q=&type=&provider=&price=&sort=`."""
    offers = list_offers()
    query = read_query(request.GET, offers)
    measured = latencies()
    groups = find((replace(offer, latency=measured.get(offer.model.id, "")) for offer in offers), query)
    context = {
        "query": query,
        "groups": groups,
        "found": sum(len(group.offers) for group in groups),
        "total": len(offers),
        "latency_days": DAYS,
        **choices(query, offers),
    }
    return render(request, "dashboard/catalogue.html", context)


@require_safe
def model(request: HttpRequest, name: str) -> HttpResponse:
    """One model; an alias leads to the page of the model that it stands for now."""
    try:
        found = get_model(name)
    except ModelNotFound as error:
        raise Http404(error.message) from error
    if not is_available(found):
        raise Http404(f"{name} is not available here")
    offer = offer_of(found)
    if found.id != name:
        return redirect(offer.url)
    context = {
        "offer": offer,
        "model": found,
        "table": price_table(found),
        "details": details_of(found),
        "latency": latencies().get(found.id, ""),
        "latency_days": DAYS,
        "parameters": parameter_table(found),
        "samples": samples(found),
        "aliases": aliases_of(found),
        "leads_to": leads_to(found),
        "fallbacks": [fallback for fallback in map(get_model, found.fallbacks) if is_available(fallback)],
        "is_retired": found.is_retired(datetime.now(UTC).date()),
        "documentation": TYPE_PAGES[found.type],
    }
    return render(request, "dashboard/model.html", context)
