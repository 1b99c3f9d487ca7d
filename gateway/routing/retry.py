"""Whether a failed request is tried once more, where, and after how long."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment

# Longer than this a client is better served by another provider, or by our 503 and its own patience. Seconds.
LONGEST_PAUSE = 2.0
# Between two requests to a provider that is busy or broken for a moment. Seconds.
PAUSES = (0.05, 0.25)

_REFUSED_AT_THE_DOOR = frozenset({ProviderFault.UNREACHABLE, ProviderFault.RATE_LIMITED, ProviderFault.OVERLOADED})
# Servers of one's own charge nothing for work begun in vain, so that another of them may try it, too. A timeout is not
# repeated: the client has waited for as long as it should.
_ANOTHER_REPLICA_MAY = _REFUSED_AT_THE_DOOR | {ProviderFault.BROKEN, ProviderFault.AUTH}
# The request is wrong, wherever it is sent.
_OF_THE_REQUEST = frozenset({ProviderFault.CONTENT_POLICY, ProviderFault.CONTEXT_LENGTH, ProviderFault.BAD_REQUEST})
# Its provider needs a moment before it is asked again, with whichever key.
_OF_THE_SERVER = frozenset({ProviderFault.UNREACHABLE, ProviderFault.OVERLOADED, ProviderFault.BROKEN})


class Step(NamedTuple):
    """The place in the list of deployments that is tried next, and the seconds until then."""

    place: int
    pause: float = 0.0


def next_step(error: ProviderError, deployments: Sequence[Deployment], place: int, *, repeated: bool) -> Step | None:
    """What follows `error` of the deployment at `place`; None where the client is told of it.

    `repeated`: it was that deployment's second try. A deployment has two where its provider refused at the door and
    nobody else has the model.
    """
    failed = deployments[place]
    if not _may_go_on(error, failed, is_fallback=failed.model is not deployments[0].model):
        return None
    following = deployments[place + 1] if place + 1 < len(deployments) else None
    if not repeated and _is_worth_repeating(error, failed, following) and _is_alone(deployments, place):
        pause = random.uniform(*PAUSES) if error.retry_after is None else error.retry_after  # noqa: S311  no secret
        if pause <= LONGEST_PAUSE:
            return Step(place, pause)
    if following is None:
        return None
    same_provider = failed.is_external and following.provider == failed.provider
    if same_provider and error.kind in _OF_THE_SERVER:
        return Step(place + 1, random.uniform(*PAUSES))  # noqa: S311
    return Step(place + 1)


def is_told(error: ProviderError, deployments: Sequence[Deployment], place: int) -> bool:
    """Whether the client should hear of `error` rather than of the one before it.

    What a fallback finds wrong with a request that was made for another model is no fault of the client's.
    """
    is_fallback = deployments[place].model is not deployments[0].model
    return not (is_fallback and error.kind in (ProviderFault.BAD_REQUEST, ProviderFault.CONTEXT_LENGTH))


def _may_go_on(error: ProviderError, failed: Deployment, *, is_fallback: bool) -> bool:
    if error.kind in _OF_THE_REQUEST:
        return is_fallback and error.kind is not ProviderFault.CONTENT_POLICY
    if failed.replica is not None:
        return error.kind in _ANOTHER_REPLICA_MAY
    return not error.may_have_begun


def _is_worth_repeating(error: ProviderError, failed: Deployment, following: Deployment | None) -> bool:
    """Whether the same deployment may answer a moment later, and is better asked than `following`."""
    if error.kind not in _REFUSED_AT_THE_DOOR:
        return False
    if following is None:
        return True
    return failed.is_external and (error.kind is ProviderFault.OVERLOADED or error.retry_after is not None)


def _is_alone(deployments: Sequence[Deployment], place: int) -> bool:
    """Whether no neighbour in the list has the same model."""
    model = deployments[place].model
    return not any(
        one.model is model for one in (*deployments[max(0, place - 1) : place], *deployments[place + 1 :][:1])
    )


class RetryBudget:
    """How many tries beyond the first the providers may be sent, all together: a share of the requests, and a few.

    Without it, the retries of all clients come on top of the load under which a provider breaks down. Moments are
    seconds of any clock that does not go back.
    """

    SHARE = 0.2
    FEW = 10
    SECONDS = 10.0

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self._ends = 0.0  # of the present half of the time that counts
        self._requests = self._requests_before = 0
        self._retries = self._retries_before = 0

    def note_request(self, now: float) -> None:
        if now >= self._ends:
            self._turn(now)
        self._requests += 1

    def take(self, now: float) -> bool:
        """Whether there may be one more; it counts, then."""
        if now >= self._ends:
            self._turn(now)
        requests = self._requests + self._requests_before
        if self._retries + self._retries_before >= self.FEW + self.SHARE * requests:
            return False
        self._retries += 1
        return True

    def _turn(self, now: float) -> None:
        half = self.SECONDS / 2
        follows = now < self._ends + half
        self._requests_before = self._requests if follows else 0
        self._retries_before = self._retries if follows else 0
        self._requests = self._retries = 0
        self._ends = now + half
