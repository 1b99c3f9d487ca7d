"""The explorer: a page on which people try models with a key of theirs."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import escape
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from billing.amounts import credits_number, money_text
from dashboard.catalogue.offers import TYPE_ICONS, TYPE_NAMES, Offer, list_offers
from dashboard.samples import LANGUAGES, PATHS, Sample, example_body, samples
from dashboard.templatetags.code import highlight
from gateway.catalog import get_model, resolve_alias
from gateway.catalog.schema import Model
from gateway.errors import InvalidType, InvalidValue, ModelNotFound, RequestError, RequestTooLarge
from gateway.flows.quotes import quote_call
from gateway.requests.decoding import decode_object
from gateway.routing.deployments import is_available

# Pictures and recordings do not come along: what does is text.
MAX_BYTES = 256 * 1024
# Lists and objects in each other. A JSON Schema has some ten of them.
MOST_LEVELS = 32
# Longer code is shown without colours, which would take the server longer than anybody reads it.
MOST_COLOURED = 20_000
# What stands in the code for the key; the page puts its visitor's there, which the server never sees.
KEY = "YOUR_API_KEY"


@require_GET
def explorer(request: HttpRequest) -> HttpResponse:
    """For everybody: the page calls the API as any program does, with the key that its visitor types in.

    All of it runs in the browser (`static/explorer/`); the server never sees the key but in those calls. `?model=`
    names the model to begin with.
    """
    offers = list_offers()
    context = {
        "site": settings.PUBLIC_URL,
        "types": list(_by_type(offers)),
        "first": _first(offers, request.GET),
        "languages": LANGUAGES,
    }
    return render(request, "explorer/explorer.html", context)


@csrf_exempt  # It reads and changes nothing of its visitor's.
@require_POST
def describe_call(request: HttpRequest) -> JsonResponse:
    """What the call that is filled in on the page would cost, and its code.

    Takes `{"model", "fields"}`, `fields` being the request's body without its model; pictures are shortened, and a
    recording is told by its `seconds`. What is required and missing yet is taken from an example. Answers `{"estimate":
    {credits, ceiling, money, breakdown}, "error": null, "code": [{language, label, text, html}]}`; where the API would
    refuse the call, `estimate` is null, and `error` says why as the API would.
    """
    try:
        model, fields = _read(request)
    except RequestError as error:
        return JsonResponse({"error": _error(error)}, status=400)
    estimate, refusal = None, None
    try:
        estimate = _estimate(model, fields)
    except RequestError as error:
        refusal = _error(error)
    if model.type == "transcription":
        fields.pop("seconds", None)
    code = [_code(sample) for sample in samples(model, key=KEY, body=fields)]
    return JsonResponse({"estimate": estimate, "error": refusal, "code": code})


def _by_type(offers: Sequence[Offer]) -> Iterator[dict[str, Any]]:
    """Each type of which there are models, with these in groups of one vendor. `first` is the one to begin with."""
    for kind, name in TYPE_NAMES.items():
        of_type = [offer for offer in offers if offer.model.type == kind]
        by_vendor = groupby(sorted(of_type, key=lambda offer: offer.model.vendor), lambda offer: offer.model.vendor)
        if of_type:
            yield {
                "type": kind,
                "name": name,
                "icon": TYPE_ICONS[kind],
                "template": f"explorer/{kind}.html",
                "first": of_type[0].model,
                "vendors": [(vendor, list(found)) for vendor, found in by_vendor],
            }


def _first(offers: Sequence[Offer], asked: Mapping[str, str]) -> Model | None:
    """The model to begin with: the one that the address names, else the first of all."""
    named = resolve_alias(asked.get("model", ""))
    first = offers[0].model if offers else None
    return next((offer.model for offer in offers if offer.model.id == named), first)


def _read(request: HttpRequest) -> tuple[Model, dict[str, Any]]:
    if int(request.headers.get("content-length") or 0) > MAX_BYTES or len(request.body) > MAX_BYTES:
        raise RequestTooLarge(f"Calls of more than {MAX_BYTES >> 10} KB of text are not described here.")
    sent = decode_object(request.body)
    if _is_deeper(sent, MOST_LEVELS):
        raise InvalidValue(f"Calls of more than {MOST_LEVELS} levels of lists and objects are not described here.")
    name, fields = sent.get("model"), sent.get("fields")
    if not isinstance(name, str) or not isinstance(fields, dict):
        raise InvalidType("`model` must be a string, and `fields` an object.")
    model = get_model(name)
    if not is_available(model):
        raise ModelNotFound(f"`{name}` is not available here.", param="model")
    example = example_body(model)
    missing = {name: example[name] for name in ("prompt", "messages", "input", "image") if name in example}
    return model, {**missing, **fields}


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects stand in each other more often than that."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _estimate(model: Model, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Of a recording whose length is not known yet, the price of its first second."""
    beginning = {"seconds": 1} if model.type == "transcription" else {}
    quoted = quote_call(f"/v1{PATHS[model.type]}", {**beginning, **fields, "model": model.id})
    lines = [
        {"item": line.item, "quantity": line.quantity, "credits": credits_number(line.amount)}
        for line in quoted.breakdown
    ]
    return {
        "credits": credits_number(quoted.base),
        "ceiling": credits_number(quoted.ceiling),
        "money": money_text(quoted.base),
        "breakdown": lines,
    }


def _code(sample: Sample) -> dict[str, str]:
    coloured = len(sample.code) <= MOST_COLOURED
    return {
        "language": sample.language,
        "label": sample.label,
        "text": sample.code,
        # Past the cache, which is for what the site's own pages show.
        "html": highlight.__wrapped__(sample.code, sample.lexer) if coloured else escape(sample.code),
    }


def _error(error: RequestError) -> dict[str, str | None]:
    return {"message": error.message, "code": error.code, "param": error.param}
