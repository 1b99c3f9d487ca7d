"""Replicas that serve the same models, and the choice among them."""

import random

from gateway.catalog.schema import Model
from gateway.pools.replica import Replica


class Pool:
    """`implied`: nobody named it, it is only looked for where the engine would be. It counts once it was found.

    `strict`: its replicas have what they list and nothing else. Elsewhere the operator knows better: llama.cpp and
    SGLang answer to any name and list one of them, others list none.
    """

    def __init__(
        self, name: str, replicas: tuple[Replica, ...], *, implied: bool = False, strict: bool = False
    ) -> None:
        self.name = name
        self.replicas = replicas
        self.implied = implied
        self.strict = strict
        self.is_known = False  # each replica was asked at least once: `gateway.pools.health`

    @property
    def is_expected(self) -> bool:
        """Whether its absence is worth a word: somebody named it, or it was here."""
        return not self.implied or any(replica.models is not None for replica in self.replicas)

    def serves(self, model: Model) -> bool:
        """Whether some replica may have `model`."""
        return bool(self._able(model))

    def rank(self, model: Model) -> list[Replica]:
        """The replicas to try for `model`, best first.

        The less loaded of two taken at random comes first ("power of two choices": as good as the least loaded of all
        where one's own count is a part of the load only, and without its stampedes), the others by their load.
        Without a healthy replica, those are tried that are not: what is known of them may be old.
        """
        able = self._able(model)
        usable = [replica for replica in able if replica.is_usable]
        candidates = usable or [replica for replica in able if not replica.draining]
        random.shuffle(candidates)
        if len(candidates) > 1:
            first = min(candidates[:2], key=_load)
            others = sorted((one for one in candidates if one is not first), key=_load)
            candidates = [first, *others]
        return candidates

    def _able(self, model: Model) -> list[Replica]:
        """The replicas that may have `model`: those that list it, and those whose list is not known.

        Where no replica at all lists it, the names are not the servers' own, and each may have it.
        """
        able = [replica for replica in self.replicas if replica.lists(model.upstream)]
        if self.implied:
            return [replica for replica in able if replica.models is not None]
        if self.strict or any(replica.models is not None for replica in able):
            return able
        return list(self.replicas)


def _load(replica: Replica) -> tuple[int, int]:
    return replica.in_flight, replica.sessions
