"""What requests say, kept with their receipts for users who want it: never anybody else's, and not the files.

A call notes what it asks for when it is read; `gateway.charge` writes it with the receipt. Answers are not kept.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from billing.ledger import NewRow
from gateway.call import Call
from gateway.models import KeptInput

# Of a longer request the beginning is kept. Characters of JSON.
MOST_CHARACTERS = 100_000
# Texts of a file's own: as data URIs, or long without a space, as base64 is.
LONGEST_WORD = 4_000
DEEPEST = 20
# Rows that one statement deletes: others must not wait for it.
AT_ONCE = 1000


def note_inputs(call: Call, body: dict[str, Any]) -> None:
    """Has what the client sent written with the call's receipt, where the key's owner keeps it."""
    if not call.caller.keeps_inputs:
        return
    text = msgspec.json.encode(_without_files(body)).decode().replace("\\u0000", "")
    values = {
        "id": call.request_id,
        "account_id": call.caller.user_id,
        "body": text[:MOST_CHARACTERS],
        "is_cut": len(text) > MOST_CHARACTERS,
        "created_at": datetime.now(UTC),
    }
    call.kept = (NewRow(KeptInput, values),)


def input_of(account_id: int, request_id: str) -> KeptInput | None:
    """What one request of the account said, if it was kept."""
    return KeptInput.objects.filter(pk=request_id, account_id=account_id).first()


def count_inputs(account_id: int) -> int:
    """How many requests of the account are kept with what they said."""
    return KeptInput.objects.filter(account_id=account_id).count()


def forget_inputs(account_id: int) -> int:
    """Erases all that is kept of the account's requests. Returns how many they were."""
    return _delete(KeptInput.objects.filter(account_id=account_id))


def forget_expired_inputs() -> int:
    """Erases what is older than INPUT_DAYS, and of calls that were under way when their owner turned keeping off."""
    oldest = timezone.now() - timedelta(days=settings.INPUT_DAYS)
    return _delete(KeptInput.objects.filter(Q(created_at__lt=oldest) | Q(account__owner__keeps_inputs=False)))


def _delete(rows: "QuerySet[KeptInput]") -> int:
    deleted = 0
    while keys := list(rows.values_list("pk", flat=True)[:AT_ONCE]):
        deleted += KeptInput.objects.filter(pk__in=keys).delete()[0]
    return deleted


def _without_files(value: Any, depth: int = 0) -> Any:
    if isinstance(value, dict):
        return {name: _without_files(one, depth + 1) for name, one in value.items()} if depth < DEEPEST else "…"
    if isinstance(value, list):
        return [_without_files(one, depth + 1) for one in value] if depth < DEEPEST else "…"
    if isinstance(value, bytes) or (isinstance(value, str) and _is_file(value)):
        return f"[a file of {len(value):,} {'bytes' if isinstance(value, bytes) else 'characters'}, not kept]"
    return value


def _is_file(text: str) -> bool:
    return text.startswith("data:") or (len(text) > LONGEST_WORD and " " not in text[:LONGEST_WORD])
