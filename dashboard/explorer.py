"""The explorer: a page on which people try models with a key of theirs."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET


@require_GET
def explorer(request: HttpRequest) -> HttpResponse:
    """For everybody: the page calls the API as any program does, with the key that its visitor types in.

    All of it runs in the browser (`static/explorer/`); the server never sees the key but in those calls.
    """
    return render(request, "dashboard/explorer.html", {"site": settings.PUBLIC_URL})
