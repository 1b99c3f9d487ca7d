"""Tries deployments in turn until one answers, and names the failure when none does."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar

from billing.amounts import credits_text
from gateway.call import Attempt, Call
from gateway.errors import (
    CLIENT_ERRORS,
    ContentPolicyViolation,
    ContextLengthExceeded,
    GatewayError,
    InvalidValue,
    Overloaded,
    ProviderError,
    ProviderFailed,
    ProviderFault,
    ProviderTimeout,
)
from gateway.providers.base import Deployment
from gateway.sessions.seat import take_seat

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

# One more try, and only where the provider cannot have begun the work: it refused at the door.
ATTEMPTS = 2
_REFUSED_AT_THE_DOOR = frozenset({ProviderFault.UNREACHABLE, ProviderFault.RATE_LIMITED, ProviderFault.OVERLOADED})
# Servers of one's own charge nothing for work begun in vain, so that another of them may try it, too. A timeout is not
# repeated: the client has waited for as long as it should.
POOL_ATTEMPTS = 3
_ANOTHER_REPLICA_MAY = _REFUSED_AT_THE_DOOR | {ProviderFault.BROKEN, ProviderFault.AUTH}
# Longer than this a client is better served by our 503 and its own patience. Seconds.
_LONGEST_PAUSE = 2.0


async def execute(
    call: Call, deployments: list[Deployment], attempt: Callable[[Deployment], Awaitable[Answer]]
) -> Answer:
    """The first answer that `attempt` gets. Notes on `call` who served, how long we waited, and its session.

    Raises the `GatewayError` that the last `ProviderError` means to a client.
    """
    seating = await take_seat(call, deployments)
    if seating is not None:
        deployments = seating.deployments
    tries = max(ATTEMPTS, min(len(deployments), POOL_ATTEMPTS)) if deployments[0].replica else ATTEMPTS
    for number in range(1, tries + 1):
        deployment = deployments[(number - 1) % len(deployments)]
        if seating is not None:
            deployment = await seating.place(deployment)
        call.served_by, call.stand_in = deployment.label, deployment.stand_in
        began = perf_counter()
        try:
            answer = await attempt(deployment)
        except ProviderError as error:
            _note(call, deployment, began, error.kind)
            _log(call, error)
            pause = _pause(error, deployment, deployments[number % len(deployments)])
            if number == tries or pause is None:
                raise explain(error) from error
            if pause:
                await asyncio.sleep(pause)
                call.waited += pause
        except BaseException:
            _note(call, deployment, began, "ended")
            raise
        else:
            _note(call, deployment, began, "")
            if seating is not None:
                await seating.keep(deployment)
            return answer
    raise AssertionError("every attempt returns or raises")


# Where the client can mend it, the provider's own words follow.
_REFUSALS: dict[type[GatewayError], str] = {
    ContentPolicyViolation: "The provider refused this content",
    ContextLengthExceeded: "The request is longer than the model takes",
    InvalidValue: "The provider refused the request",
}
_TROUBLES: dict[type[GatewayError], str] = {
    Overloaded: "The provider is busy",
    ProviderTimeout: "The provider did not answer in time",
    ProviderFailed: "The provider failed",
}


def explain(error: ProviderError, cost: int = 0) -> GatewayError:
    """What a provider's failure means to our client; `cost` is what was charged all the same, in millicredits."""
    kind = CLIENT_ERRORS[error.kind]
    if kind in _REFUSALS:
        return kind(f"{_REFUSALS[kind]}: {error.message}", param=error.param)
    charged = f"What was delivered is charged ({credits_text(cost)} credits)" if cost else "Nothing was charged"
    return kind(f"{_TROUBLES[kind]}. {charged}; try again, or use another model.", retry_after=error.retry_after)


def note_failure(call: Call, error: ProviderError) -> None:
    """Notes that the deployment which answered failed after its first words."""
    call.attempts[-1].error = str(error.kind)
    _log(call, error)


def _pause(error: ProviderError, failed: Deployment, following: Deployment) -> float | None:
    """Seconds until `following` may try; None where nobody should."""
    if failed.replica is not None and following.replica is not failed.replica:
        return 0.0 if error.kind in _ANOTHER_REPLICA_MAY else None
    if error.kind not in _REFUSED_AT_THE_DOOR:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _LONGEST_PAUSE else None
    return random.uniform(0.05, 0.25)  # noqa: S311  jitter, not a secret


def _note(call: Call, deployment: Deployment, began: float, error: str) -> None:
    took = perf_counter() - began
    call.waited += took
    call.attempts.append(Attempt(served_by=deployment.label, milliseconds=int(took * 1000), error=str(error)))


def _log(call: Call, error: ProviderError) -> None:
    """Operators see faults that are theirs to mend; what a client got wrong is the client's.

    The provider's own words are left out: they may repeat the prompt.
    """
    status = f" (HTTP {error.status})" if error.status else ""
    if error.kind in (ProviderFault.AUTH, ProviderFault.BALANCE):
        logger.error("%s: %s refuses our account: %s%s", call.request_id, call.served_by, error.kind, status)
    elif error.kind not in (ProviderFault.CONTENT_POLICY, ProviderFault.CONTEXT_LENGTH, ProviderFault.BAD_REQUEST):
        logger.warning("%s: %s failed: %s%s", call.request_id, call.served_by, error.kind, status)
