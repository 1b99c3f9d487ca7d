"""Who works on which task: rows of a table are the queue, of whatever kind.

A claim moves `next_at` on by a lease, and leaves a word of its own in the row. As long as its worker lives it is
renewed; when it dies, the row is due again at the lease's end.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from django.db import models, transaction
from django.utils import timezone
from msgspec import Struct

Row = TypeVar("Row", bound=models.Model)

LEASE = timedelta(seconds=60)


class Share(Struct, frozen=True):
    """Of rows that have the same in `field`, one worker works on so many at a time, so that others have their turn."""

    field: str
    most: int


def claim_due(
    waiting: "models.QuerySet[Row]", limit: int, share: Share | None = None, held: Sequence[Row] = ()
) -> list[Row]:
    """At most `limit` rows of `waiting` that are due, now claimed, the longest overdue first.

    Two that ask at once get different ones: Postgres skips the rows that are locked, SQLite has one writer. With a
    `share`, the rows that it leaves none of beside those already `held` are passed over.
    """
    now = timezone.now()
    due = waiting.filter(next_at__lte=now)
    taken = Counter(getattr(row, share.field) for row in held) if share else Counter()
    if share and (full := [value for value, count in taken.items() if count >= share.most]):
        due = due.exclude(**{f"{share.field}__in": full})
    # Most looks find nothing, and are spared a writer's lock.
    if not due.exists():
        return []
    claim = uuid4().hex
    with transaction.atomic():
        # The lock keeps them ours until the COMMIT; of SQLite the transaction itself does.
        locked = due.select_for_update(skip_locked=True).order_by("next_at")
        if share:
            keys = list(_pick(locked.values_list("pk", share.field)[:limit], share.most, taken))
        else:
            keys = list(locked.values_list("pk", flat=True)[:limit])
        waiting.filter(pk__in=keys).update(claim=claim, next_at=now + LEASE)
        return list(waiting.filter(pk__in=keys, claim=claim))


def renew(waiting: "models.QuerySet[Row]", claimed: Sequence[Row]) -> None:
    """Keeps the rows that this process still works on from falling due."""
    _change(waiting, claimed, next_at=timezone.now() + LEASE)


def give_back(waiting: "models.QuerySet[Row]", claimed: Sequence[Row], seconds: float) -> None:
    """Ends the claims on rows that are not worked on any more: they are due in so many seconds."""
    _change(waiting, claimed, claim="", next_at=timezone.now() + timedelta(seconds=seconds))


def _pick(found: Iterable[tuple[Any, Any]], most: int, taken: "Counter[Any]") -> Iterator[Any]:
    for key, value in found:
        if taken[value] < most:
            taken[value] += 1
            yield key


def _change(waiting: "models.QuerySet[Row]", claimed: Sequence[Row], **values: Any) -> None:
    """Of those that are still claimed as they were."""
    claims = {str(row.claim) for row in claimed}  # type: ignore[attr-defined]  # both tables have it
    ours = waiting.filter(pk__in=[row.pk for row in claimed], claim__in=claims)
    with transaction.atomic():
        # In the order in which the writer of tasks locks them, so that neither waits for the other.
        keys = list(ours.select_for_update().order_by("pk").values_list("pk", flat=True))
        waiting.filter(pk__in=keys).update(**values)
