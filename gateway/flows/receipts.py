"""Receipts: what an owner's calls cost and why, the newest first or the oldest."""

from datetime import UTC, datetime

from django.db.models import Q
from msgspec import Struct

from accounts.database import run_in_database_thread
from gateway.call import Call
from gateway.catalog import resolve_alias
from gateway.errors import ReceiptNotFound
from gateway.models import Receipt
from gateway.requests.pages import ReceiptPage


class ReceiptList(Struct):
    """Some receipts, and whether there are more."""

    receipts: list[Receipt]
    has_more: bool


async def find(call: Call, request_id: str) -> Receipt:
    """The caller's own receipt. Raises `ReceiptNotFound`, in the same words for one that is another's."""
    # Postgres fails at some of what an address may hold.
    found = Receipt.objects.filter(account_id=call.caller.user_id, pk=request_id)
    receipt = await run_in_database_thread(found.first) if request_id.isprintable() else None
    if receipt is None:
        raise ReceiptNotFound(
            "You have no such receipt. Check the request's id; a receipt is written when its call has ended."
        )
    return receipt


async def list_receipts(call: Call, page: ReceiptPage) -> ReceiptList:
    """The caller's receipts that `page` asks for. Raises `ReceiptNotFound` for one to follow that there is not."""
    receipts = Receipt.objects.filter(_wanted(call, page))
    if page.after:
        last = await find(call, page.after)
        # The first condition is the index's.
        if page.order == "asc":
            receipts = receipts.filter(created_at__gte=last.created_at)
            receipts = receipts.exclude(created_at=last.created_at, pk__lte=last.pk)
        else:
            receipts = receipts.filter(created_at__lte=last.created_at)
            receipts = receipts.exclude(created_at=last.created_at, pk__gte=last.pk)
    ordered = receipts.order_by("created_at", "pk") if page.order == "asc" else receipts.order_by("-created_at", "-pk")
    found = await run_in_database_thread(lambda: list(ordered[: page.limit + 1]))
    return ReceiptList(found[: page.limit], has_more=len(found) > page.limit)


def _wanted(call: Call, page: ReceiptPage) -> Q:
    wanted = Q(account_id=call.caller.user_id)
    if page.model:
        wanted &= Q(model=resolve_alias(page.model))
    if page.status:
        wanted &= Q(outcome=page.status)
    if page.created_after is not None:
        wanted &= Q(created_at__gte=datetime.fromtimestamp(page.created_after, UTC))
    if page.created_before is not None:
        wanted &= Q(created_at__lt=datetime.fromtimestamp(page.created_before, UTC))
    return wanted
