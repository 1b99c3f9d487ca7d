"""How each provider is: one page for all, and the keys that they refuse, which the staff may have tried again."""

import os
import socket
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils import timezone
from msgspec import Struct, field

from accounts.admin_lists import ReadOnlyAdmin
from accounts.models import User
from gateway.admin.asked import Asked, Place, read_asked
from gateway.admin.words import duration_text
from gateway.models import DisabledKey
from gateway.pools import list_pools
from gateway.pools.reports import known_replicas
from gateway.routing import health
from gateway.routing.keys import fingerprint, last_four, list_rests, use_again


@admin.register(DisabledKey)
class DisabledKeyAdmin(ReadOnlyAdmin):
    list_display = ("key", "provider", "models", "reason", "message", "since", "until")
    fields = ("provider", "key", "fingerprint", "models", "reason", "message", "since", "until")
    readonly_fields = fields
    list_filter = ("provider", "reason")
    ordering = ("provider", "fingerprint", "model")
    actions = ("use_again",)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.providers)
        return [path("providers/", page, name="gateway_providers"), *super().get_urls()]

    def providers(self, request: HttpRequest) -> HttpResponse:
        """Each provider and pool: its keys, its circuits, and how it answered in the last hour."""
        staff = request.user
        if not self.has_view_permission(request) or not isinstance(staff, User):
            raise PermissionDenied
        asked = read_asked() if staff.has_perm("gateway.view_receipt") else Asked(0, True, [])
        context = {
            **self.admin_site.each_context(request),
            "title": "Providers",
            "opts": self.opts,
            "providers": [*_vendors(asked.places), *_pools(asked.places)],
            "asked": asked,
            "sees_receipts": staff.has_perm("gateway.view_receipt"),
            "may_use_again": self.has_use_permission(request),
            "process": f"{socket.gethostname()}:{os.getpid()}",
        }
        return render(request, "admin/providers.html", context)

    def has_use_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gateway.change_disabledkey")

    @admin.action(description="Use again", permissions=["use"])
    def use_again(self, request: HttpRequest, queryset: QuerySet[DisabledKey]) -> None:
        for row in queryset:
            self.log_change(request, row, "Used again.")
            use_again(row)
        messages.success(
            request, "Requests go there with it again. If it is still refused, it comes back to this list."
        )

    @admin.display(ordering="last_four")
    def key(self, row: DisabledKey) -> str:
        return f"…{row.last_four}"

    @admin.display(ordering="model")
    def models(self, row: DisabledKey) -> str:
        return row.model or "all"


class Line(Struct):
    """A place and how it answered."""

    label: str
    tries: int
    failed: str
    errors: str
    took: str


class State(Struct):
    """Of a provider or pool. `level` as of signs."""

    name: str
    text: str
    level: str
    notes: list[str] = field(default_factory=list)
    disabled: list[DisabledKey] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def _vendors(places: Iterable[Place]) -> list[State]:
    now = timezone.now()
    disabled = list(DisabledKey.objects.filter(until__gt=now).order_by("provider", "last_four", "model"))
    states = []
    for name, found in settings.PROVIDERS.items():
        keys: list[str] = found["api_keys"]
        refused = [row for row in disabled if row.provider == name]
        notes = [*_rests_of(name, keys), *_circuits_of(name)]
        if not keys:
            text, level = "not configured: no key is set", "off"
        else:
            text = f"{len(keys)} key{'s' if len(keys) > 1 else ''} set"
            dead = {row.fingerprint for row in refused if not row.model}
            level = "bad" if len(dead) >= len(keys) else "warning" if refused or notes else "good"
        states.append(State(name, text, level, notes, refused, _lines_of(name, places)))
    return states


def _pools(places: Iterable[Place]) -> list[State]:
    replicas = list(known_replicas())
    states = []
    for pool in list_pools():
        mine: list[Any] = [replica for replica in replicas if replica.pool == pool.name]
        if not mine:
            continue
        up = sum(replica.health == "up" for replica in mine)
        level = "good" if up == len(mine) else "warning" if up else "bad"
        notes = [
            f"{replica.address}: {replica.health or 'no process has reported it within a minute'}"
            + (", draining" if replica.draining else "")
            for replica in mine
        ]
        text = f"pool of one's own, {up} of {len(mine)} up"
        states.append(State(pool.name, text, level, notes, [], _lines_of(pool.name, places)))
    return states


def _rests_of(provider: str, keys: list[str]) -> list[str]:
    known = {fingerprint(key): last_four(key) for key in keys}
    return [
        f"key …{known.get(rest.fingerprint, '????')} rests for {rest.model}, {rest.seconds:.0f} s more"
        for rest in list_rests()
        if rest.provider == provider
    ]


def _circuits_of(provider: str) -> list[str]:
    return [
        f"{label} failed again and again: none is sent there for {wait:.0f} s more"
        for label, wait in health.open_circuits().items()
        if label.partition("/")[0] == provider
    ]


def _lines_of(provider: str, places: Iterable[Place]) -> list[Line]:
    return [
        Line(
            place.label,
            place.tries,
            f"{place.failed} ({100 * place.failed / place.tries:.0f} %)",
            ", ".join(f"{kind} {count}" for kind, count in place.errors.most_common()),
            duration_text(place.milliseconds / place.tries),
        )
        for place in places
        if place.provider == provider
    ]
