"""What the newest rows say: whole tables grow without end, and are never read."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

NEWEST = 1000


def id_at(mark: str, ago: timedelta) -> str:
    """The smallest id of that long ago, of rows whose ids sort by time: `mark`, and then milliseconds in hex."""
    return f"{mark}{_milliseconds(timezone.now() - ago):012x}"


def recent_values(field: str, name: str = "") -> type[admin.SimpleListFilter]:
    """A filter by what the newest rows have in `field`."""

    class RecentValues(admin.SimpleListFilter):
        title = name or field
        parameter_name = field

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value) for value in values_of(model_admin.model, field) | self._chosen()]

        def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

        def _chosen(self) -> dict[str, None]:
            return {value: None} if (value := self.value()) else {}

    return RecentValues


class ProviderFilter(admin.SimpleListFilter):
    """By who answered, or is at work: the word before the stroke of `served_by`."""

    title = parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        labels = values_of(model_admin.model, "served_by")
        providers = {label.partition("/")[0]: None for label in labels}
        if value := self.value():
            providers[value] = None
        return [(provider, provider) for provider in providers]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(served_by__startswith=f"{self.value()}/") if self.value() else queryset


def values_of(model: type[Model], field: str) -> dict[str, None]:
    """Sorted, and without the empty one."""
    newest = model._default_manager.order_by("-pk").values_list(field, flat=True)[:NEWEST]
    return dict.fromkeys(sorted({value for value in newest if value}))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
