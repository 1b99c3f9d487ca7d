"""`/docs/api/`: all operations on one page, each with an address of its own, `/docs/api/#createImage`."""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe
from msgspec import Struct

from dashboard.reference.fields import Document
from dashboard.reference.operations import Tag, list_headers, list_tags


class Reference(Struct, frozen=True):
    """The document's operations, and all of them as HTML."""

    tags: list[Tag]
    html: str


@require_safe
def api_reference(request: HttpRequest, read_document: Callable[[], Document]) -> HttpResponse:
    """`read_document` gives the OpenAPI description, which must not be changed."""
    reference = _read(read_document, settings.PUBLIC_URL)
    return render(request, "dashboard/reference.html", {"tags": reference.tags, "reference": reference.html})


# The same for everybody, and hundreds of fields: rendered once for each process and address.
@lru_cache(1)
def _read(read_document: Callable[[], Document], base_url: str) -> Reference:
    document = read_document()
    tags = list_tags(document)
    context = {"tags": tags, "headers": list_headers(document)}
    return Reference(tags, render_to_string("dashboard/reference_operations.html", context))
