"""What pages answer where Django knows nothing but that it went wrong: without a context that could fail as well."""

import logging

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseServerError
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """To what no browser sends from our pages: a host that is not ours, say."""
    return HttpResponseBadRequest(_page("400.html", request))


def server_error(request: HttpRequest) -> HttpResponse:
    """To what broke here. Django has logged why; with the line added here the request id leads there."""
    logger.error("request %s failed as logged above", getattr(request, "request_id", ""))
    return HttpResponseServerError(_page("500.html", request))


def _page(template: str, request: HttpRequest) -> str:
    return render_to_string(template, {"request_id": getattr(request, "request_id", "")})
