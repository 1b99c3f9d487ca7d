"""How long calls of each model take, by the receipts of the last days."""

from collections import defaultdict
from datetime import timedelta
from statistics import median

from django.core.cache import cache
from django.utils import timezone

from dashboard.receipts import duration_text
from gateway.models import Receipt

DAYS = 7
# So many of the last calls are looked at; they are found by their ids, which sort by time.
CALLS = 20_000
# Fewer of a model say nothing.
LEAST_CALLS = 5
CACHE_KEY = "catalogue:latency"
CACHE_SECONDS = 600


def latencies() -> dict[str, str]:
    """The median time of a model's calls, such as `3.2 s`, by the model's id; those with few calls are left out.

    Of calls that were answered, and not by a stand-in. As of ten minutes ago at most.
    """
    return cache.get_or_set(CACHE_KEY, _measure, CACHE_SECONDS) or {}


def _measure() -> dict[str, str]:
    since = timezone.now() - timedelta(days=DAYS)
    receipts = Receipt.objects.filter(pk__gte=f"req_{int(since.timestamp() * 1000):012x}").order_by("-pk")
    last = receipts.values_list("model", "milliseconds", "outcome", "stand_in")[:CALLS]
    by_model: dict[str, list[int]] = defaultdict(list)
    for model, milliseconds, outcome, stand_in in last:
        if outcome == Receipt.Outcome.SUCCEEDED and not stand_in:
            by_model[model].append(milliseconds)
    return {model: duration_text(round(median(took))) for model, took in by_model.items() if len(took) >= LEAST_CALLS}
