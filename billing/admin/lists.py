"""Lists of rows that belong to an account, for the site's staff: found by their owner, amounts in credits."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_lists import LongListAdmin, ReadOnlyAdmin
from accounts.models import User
from billing.amounts import credits_text
from billing.models import CreditAccount

__all__ = ["AccountFilter", "AccountRowsAdmin", "ReadOnlyAdmin", "in_credits", "read_account_id"]

LARGEST_ID = 2**63 - 1
MOST_OWNERS = 50


def in_credits(field: str, name: str = "") -> Any:
    """A column that shows an amount in credits."""

    @admin.display(description=name or f"{field} (credits)", ordering=field)
    def show(row: Model) -> str:
        return credits_text(getattr(row, field))

    return show


def read_account_id(text: str) -> int | None:
    """The id of an account, if `text` is one: of our own, too, which are negative."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or int(digits) > LARGEST_ID:
        return None
    return int(text)


class AccountFilter(admin.SimpleListFilter):
    """`?account=7`, which links lead to. There is nothing to choose from: there are too many."""

    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        if value is None:
            return []
        account = CreditAccount.objects.select_related("owner").filter(pk=self.account_id).first()
        return [(value, str(account or f"no account {value}"))]

    @property
    def account_id(self) -> int:
        """Raises `IncorrectLookupParameters` for what is none."""
        account_id = read_account_id(self.value() or "")
        if account_id is None:
            raise IncorrectLookupParameters(f"`{self.value()}` is no account's id")
        return account_id

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset if self.value() is None else queryset.filter(account_id=self.account_id)


class AccountRowsAdmin(LongListAdmin):
    """A search takes the beginning of an e-mail address, an account's id, or a whole value of a field of `exact`."""

    list_select_related: ClassVar[Any] = ("account__owner",)
    # As the index has them that finds an account's rows, where it is not by their keys.
    account_ordering: ClassVar[tuple[str, ...]] = ()

    def get_ordering(self, request: HttpRequest) -> Any:
        is_of_account = AccountFilter.parameter_name in request.GET or SEARCH_VAR in request.GET
        return self.account_ordering if self.account_ordering and is_of_account else self.ordering

    def get_list_display(self, request: HttpRequest) -> Any:
        """Without the account's column where there is one account alone."""
        if AccountFilter.parameter_name not in request.GET:
            return self.list_display
        return [column for column in self.list_display if column != "account"]

    @admin.display(description="moment (UTC)")
    def moment(self, row: Any) -> SafeString:
        return format_html('<span class="one-line">{}</span>', f"{row.created_at:%Y-%m-%d %H:%M:%S}")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        words = search_term.strip()
        if not words:
            return queryset, False
        account_id = read_account_id(words)
        if account_id is not None:
            return queryset.filter(account_id=account_id), False
        # Looked up first: the database would rather walk over all rows and look for their owners.
        owners = User.objects.filter(email__startswith=words.lower()).values_list("pk", flat=True)[:MOST_OWNERS]
        if account_ids := list(owners):
            return queryset.filter(account_id__in=account_ids), False
        condition = Q()
        for field in self.exact:
            condition |= Q(**{field: words})
        return queryset.filter(condition), False
