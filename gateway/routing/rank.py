"""In which order the places that can answer are tried. Nothing here knows a clock or keeps anything."""

from collections.abc import Sequence
from datetime import date
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

from gateway.providers.base import Deployment


class Condition(IntEnum):
    """What is known of a deployment."""

    READY = 0
    RESTING = 1  # its key was refused for a while, nobody said how long: tried where nothing else is left
    CLOSED = 2  # not to be asked before some time: its circuit is open, or its provider said when to come back
    DISABLED = 3  # its key is refused


class Candidate(NamedTuple):
    """A deployment that could answer. `wait`: seconds until one that is CLOSED may be asked."""

    deployment: Deployment
    condition: Condition = Condition.READY
    wait: float = 0.0


def rank(candidates: Sequence[Candidate], *, day: date, turn: int = 0) -> list[Deployment]:
    """The deployments to try, best first. Empty where none may be asked now.

    `candidates` come as the catalogue has them: those of the model asked for, one for each key, then those of each
    fallback. `turn` counts the calls, so that keys take turns. A model that is retired on `day` goes behind those that
    are not.
    """
    ordered: list[Candidate] = []
    for _, group in groupby(candidates, key=lambda candidate: candidate.deployment.model.id):
        ordered += _in_turn(list(group), turn)
    usable = [candidate for candidate in ordered if candidate.condition <= Condition.RESTING]
    usable.sort(key=lambda one: (one.condition, one.deployment.model.is_retired(day)))
    return [candidate.deployment for candidate in usable]


def shortest_wait(candidates: Sequence[Candidate]) -> float | None:
    """Seconds until the first of them may be asked; None where that is not a matter of seconds."""
    return min((one.wait for one in candidates if one.condition is Condition.CLOSED), default=None)


def _in_turn(keys: list[Candidate], turn: int) -> list[Candidate]:
    """Replicas of a pool are in the order of its own choice, and stay in it."""
    if len(keys) == 1 or not keys[0].deployment.is_external:
        return keys
    first = turn % len(keys)
    return keys[first:] + keys[:first]
