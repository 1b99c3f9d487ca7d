"""What was used: sums over receipts."""

from datetime import UTC, datetime, timedelta

from django.db.models import Count, F, Sum
from msgspec import Struct

from accounts.database import run_in_database_thread
from gateway.models import Receipt

WINDOW = timedelta(days=30)


class KeyUsage(Struct, frozen=True):
    """Of one key in the last 30 days. `spent` is in millicredits."""

    requests: int
    spent: int


async def key_usage(account_id: int, key_id: int) -> KeyUsage:
    return await run_in_database_thread(_sum_receipts, account_id, key_id)


def _sum_receipts(account_id: int, key_id: int) -> KeyUsage:
    since = datetime.now(UTC) - WINDOW
    sums = Receipt.objects.filter(account_id=account_id, api_key_id=key_id, created_at__gte=since).aggregate(
        requests=Count("id"), spent=Sum(F("captured") + F("overrun"))
    )
    return KeyUsage(requests=sums["requests"], spent=sums["spent"] or 0)
