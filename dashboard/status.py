"""`/status/`: whether what this gateway stands on answers, for people; `/readyz` tells machines the same."""

from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from msgspec import Struct

READY = "ready"
PARTS = {
    "database": ("Accounts, keys and credits", "Without it no call can be paid, and none is taken."),
    "engine": ("Open models on this machine", "Chat, embeddings and transcription by small models."),
    "redis": ("Limits of keys and live progress", "Shared by all servers."),
}
TITLES = {READY: "Everything works", "degraded": "Something does not work", "draining": "Being restarted"}
UNAVAILABLE = "Not available"


class Part(Struct, frozen=True):
    """Something that the gateway stands on. `text` says what it is for."""

    name: str
    text: str
    is_well: bool


@require_safe
@never_cache
def status(request: HttpRequest, read_readiness: Callable[[], Coroutine[Any, Any, dict[str, str]]]) -> HttpResponse:
    """`read_readiness` gives what `/readyz` answers: a `status`, and `ok` for each part that is well."""
    report = async_to_sync(read_readiness)()
    state = report["status"]
    context = {
        "title": TITLES.get(state, UNAVAILABLE),
        "is_well": state == READY,
        "parts": [_part(name, said == "ok") for name, said in report.items() if name != "status"],
        "now": timezone.now(),
    }
    return render(request, "dashboard/status.html", context)


def _part(name: str, is_well: bool) -> Part:
    title, text = PARTS.get(name, (f"Servers of the pool {name.removeprefix('pool:')}", "Open models on own servers."))
    return Part(title, text, is_well)
