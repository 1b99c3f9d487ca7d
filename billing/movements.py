"""Which users' accounts moved lately, and what they have: for those who watch balances without asking for all."""

from collections.abc import Iterable

from django.db.models import Max

from billing.models import CreditAccount, LedgerEntry


def newest_entry() -> int:
    """The id of the newest entry that is committed; 0 where there is none. An older one may still be on its way."""
    return LedgerEntry.objects.aggregate(newest=Max("pk"))["newest"] or 0


def moved_since(entry_id: int) -> list[int]:
    """The users' accounts that have an entry after `entry_id`, in the order of their ids."""
    entries = LedgerEntry.objects.filter(pk__gt=entry_id, account_id__gt=0)
    return list(entries.order_by("account_id").values_list("account_id", flat=True).distinct())


def posted_of(account_ids: Iterable[int]) -> dict[int, int]:
    """The sum of each account's entries in millicredits: what is held for calls under way is not taken off."""
    return dict(CreditAccount.objects.filter(pk__in=list(account_ids)).values_list("pk", "posted"))
