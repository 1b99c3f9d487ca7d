"""Lists of the admin over tables that grow without end: they neither count nor sort a million rows."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class FirstRows(Paginator):
    """Pages of the first `most` rows alone: to count all, or to skip a million, would take the database seconds."""

    most = 5000

    @cached_property
    def count(self) -> int:
        # In their order, so that an index leads to them.
        rows: Any = self.object_list
        return rows[: self.most].count()


class Days(admin.ListFilter):
    """From one day to another in UTC, both included: `?since=2026-11-01&until=2026-11-30`."""

    title = "day (UTC)"
    template = "admin/days_filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: admin.ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self._rows = model_admin
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def expected_parameters(self) -> list[str | None]:
        return ["since", "until"]

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """What the form needs: its two days, and the parameters that it must not lose."""
        mine = [*self.expected_parameters(), "p", "e"]
        kept = {name: value for name, value in changelist.params.items() if name not in mine}
        yield {**self.used_parameters, "kept": kept, "clear": changelist.get_query_string(remove=["since", "until"])}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        since, until = (self._day(str(name)) for name in self.expected_parameters())
        began = getattr(self._rows, "began", began_at)
        if since is not None:
            queryset = queryset.filter(**began(since, "gte"))
        if until is not None:
            queryset = queryset.filter(**began(until + timedelta(days=1), "lt"))
        return queryset

    def _day(self, name: str) -> datetime | None:
        text = str(self.used_parameters.get(name) or "")
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        except ValueError as error:
            raise IncorrectLookupParameters from error


def began_by_id(mark: str) -> Callable[[datetime, str], dict[str, Any]]:
    """Like `began_at` for rows whose ids are `mark` and then the milliseconds of their moment, in 12 hex digits.

    The key's own index finds them.
    """

    def began(moment: datetime, comparison: str) -> dict[str, Any]:
        return {f"pk__{comparison}": f"{mark}{int(moment.timestamp() * 1000):012x}"}

    return began


def began_at(moment: datetime, comparison: str) -> dict[str, Any]:
    """The condition that a row with a `created_at` is of that moment or later (`gte`), or before it (`lt`)."""
    return {f"created_at__{comparison}": moment}


class LongListAdmin(ReadOnlyAdmin):
    """The newest rows first, by a key that sorts by time.

    `began` says which condition finds those of a moment. `exact` are the fields that a search compares, each unique or
    indexed.
    """

    paginator = FirstRows
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    ordering: ClassVar[Any] = ("-pk",)
    exact: ClassVar[tuple[str, ...]] = ("pk",)
    began: ClassVar[Any] = staticmethod(began_at)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return self.exact
