"""Prices that were quoted and are honoured for QUOTED_FOR, whatever becomes of the catalogue meanwhile.

A quote keeps the catalogue's entry of its model, once for all who ask: in this process at once, and as a row for the
others, who look every second. As long as it lives, every call of the model costs the least of what it would by today's
entry and by those that were quoted. Prices change when a process starts with another catalogue, so nearly always they
are the same, and a call pays a look into a dictionary.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
from django.utils import timezone
from msgspec import Struct

from accounts.database import run_in_database_thread
from gateway.catalog.schema import Model
from gateway.models import QuotedPrice
from gateway.pricing import Quote

logger = logging.getLogger(__name__)

QUOTED_FOR = timedelta(minutes=10)
# A row is written anew no sooner than this, so it lives longer by it.
WRITTEN_EVERY = timedelta(minutes=1)


class Promise(Struct, frozen=True):
    """A model as it was quoted."""

    model: Model
    until: datetime


# The id of a model -> the digest of an entry of it -> what was promised.
_promises: dict[str, dict[str, Promise]] = {}
_unreadable: set[str] = set()


async def promise(model: Model) -> datetime:
    """Until when the model's prices of now are honoured: QUOTED_FOR at least. Durable before it returns."""
    facts = msgspec.json.encode(model)
    digest = sha256(facts).hexdigest()
    expires_at = timezone.now() + QUOTED_FOR
    known = _promises.get(model.id, {}).get(digest)
    if known is None or known.until < expires_at:
        until = expires_at + WRITTEN_EVERY
        await run_in_database_thread(_write, digest, model.id, facts.decode(), until)
        _promises.setdefault(model.id, {})[digest] = Promise(model, until)
    return expires_at


def honoured(model: Model, price: Callable[[Model], Quote]) -> Quote:
    """What `price` makes of the model, or of what was quoted of it if that is less: in base or ceiling."""
    least = price(model)
    for promised in _promises.get(model.id, {}).values():
        if promised.model is model or promised.model == model or promised.until < timezone.now():
            continue
        earlier = price(promised.model)
        if earlier.base < least.base or earlier.ceiling < least.ceiling:
            least = earlier
    return least


async def follow_quotes() -> None:
    """Reads what other processes have promised. Called by the runtime, every second."""
    rows = await run_in_database_thread(_read, {digest for of_model in _promises.values() for digest in of_model})
    for row in rows:
        of_model = _promises.setdefault(row.model_id, {})
        if known := of_model.get(row.pk):
            of_model[row.pk] = Promise(known.model, max(known.until, row.until))
            continue
        try:
            of_model[row.pk] = Promise(msgspec.json.decode(row.facts, type=Model), row.until)
        except msgspec.ValidationError as error:
            if row.pk not in _unreadable:
                logger.warning("%s: a quote of another version's catalogue cannot be read: %s", row.model_id, error)
            _unreadable.add(row.pk)
    now = timezone.now()
    for model_id, of_model in list(_promises.items()):
        kept = {digest: promised for digest, promised in of_model.items() if promised.until >= now}
        if kept:
            _promises[model_id] = kept
        else:
            del _promises[model_id]


def forget_quotes() -> int:
    """Deletes the rows of quotes that are over. Returns how many."""
    return QuotedPrice.objects.filter(until__lt=timezone.now()).delete()[0]


def _write(digest: str, model_id: str, facts: str, until: datetime) -> None:
    QuotedPrice.objects.bulk_create(
        [QuotedPrice(id=digest, model_id=model_id, facts=facts, until=until)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["until"],
    )


def _read(known: set[str]) -> list[QuotedPrice]:
    """All that are good; the facts of those that are not known yet."""
    rows = list(QuotedPrice.objects.filter(until__gte=timezone.now()).defer("facts"))
    new = [row.pk for row in rows if row.pk not in known]
    facts = dict(QuotedPrice.objects.filter(pk__in=new).values_list("pk", "facts")) if new else {}
    for row in rows:
        row.facts = facts.get(row.pk, "")
    return rows
