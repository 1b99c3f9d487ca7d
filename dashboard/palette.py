"""`/search.json`: what the palette (Ctrl+K, `static/app/palette.js`) finds: pages and models, by their names."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard.catalogue.offers import list_offers
from dashboard.context import ACCOUNT_LINKS
from dashboard.documentation.pages import list_pages

SITE = (
    ("Models", "/models/"),
    ("Explorer", "/explorer/"),
    ("API reference", "/docs/api/"),
    ("Status", "/status/"),
)


@require_safe
@never_cache
def search(request: HttpRequest) -> JsonResponse:
    """All of them, each with the words for what it is: the browser finds by itself while somebody types."""
    account = ACCOUNT_LINKS if request.user.is_authenticated else ()
    found = [
        *((name, "Your account", url) for name, url, _ in account),
        *((name, "Site", url) for name, url in SITE),
        *((page.title, "Documentation", page.url) for page in list_pages()),
        *((offer.model.id, f"{offer.type_name}, {offer.model.vendor}", offer.url) for offer in list_offers()),
    ]
    return JsonResponse({"entries": [{"name": name, "kind": kind, "url": url} for name, kind, url in found]})
