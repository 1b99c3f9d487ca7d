"""How far a task is, where its provider does not say: by the time that its model took of late."""

from statistics import median
from time import monotonic

from django.db import Error as DatabaseError
from django.utils import timezone

from accounts.database import run_in_database_thread
from gateway.catalog.schema import Model
from gateway.models import VideoTask

# So many of a model's last clips count, and what they tell is believed for so many seconds.
LAST_CLIPS = 20
BELIEVED_SECONDS = 60.0
# At the usual time a task is here; from then on it creeps.
EXPECTED = 95

# By the model's id: the seconds, and until when they are believed (of time.monotonic).
_known: dict[str, tuple[float, float]] = {}


async def progress_of(task: VideoTask, model: Model, reported: float | None) -> int:
    """Percent, 99 at most: `reported` by the provider, or by the clock."""
    if reported is not None:
        return max(0, min(99, int(reported)))
    if task.started_at is None:
        return 0
    passed = (timezone.now() - task.started_at).total_seconds()
    return percent_after(passed, await usual_seconds(model))


def percent_after(passed: float, usual: float) -> int:
    """Even until the usual time, then ever slower: it stays below 100 however long it takes."""
    if passed <= usual:
        return int(EXPECTED * passed / usual)
    return int(99 - (99 - EXPECTED) * usual / passed)


async def usual_seconds(model: Model) -> float:
    """The median of the model's last clips; the catalogue's word for it until there are any."""
    seconds, until = _known.get(model.id, (0.0, 0.0))
    if monotonic() >= until:
        assert model.video is not None, "a task's model makes videos"
        try:
            measured = await run_in_database_thread(_read_median, model.id)
        except DatabaseError:
            # Who asks may have something to write that matters more, when the database is back.
            return float(model.video.typical_seconds)
        seconds = float(model.video.typical_seconds) if measured is None else measured
        _known[model.id] = seconds, monotonic() + BELIEVED_SECONDS
    return seconds


def _read_median(model_id: str) -> float | None:
    done = VideoTask.objects.filter(served_model_id=model_id, state=VideoTask.State.COMPLETED)
    moments = done.order_by("-ended_at").values_list("started_at", "ended_at")[:LAST_CLIPS]
    taken = [(ended - started).total_seconds() for started, ended in moments if started and ended]
    return max(0.1, median(taken)) if taken else None
