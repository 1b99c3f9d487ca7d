"""Tries deployments in turn until one answers, and names the failure when none does."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import TypeVar

from gateway.call import Attempt, Call
from gateway.errors import (
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

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

# One more try, and only where the provider cannot have begun the work: it refused at the door.
ATTEMPTS = 2
_REFUSED_AT_THE_DOOR = frozenset({ProviderFault.UNREACHABLE, ProviderFault.RATE_LIMITED, ProviderFault.OVERLOADED})
# Longer than this a client is better served by our 503 and its own patience. Seconds.
_LONGEST_PAUSE = 2.0


async def execute(
    call: Call, deployments: Sequence[Deployment], attempt: Callable[[Deployment], Awaitable[Answer]]
) -> Answer:
    """The first answer that `attempt` gets. Notes on `call` who served and how long we waited.

    Raises the `GatewayError` that the last `ProviderError` means to a client.
    """
    for number in range(1, ATTEMPTS + 1):
        deployment = deployments[(number - 1) % len(deployments)]
        call.served_by, call.stand_in = deployment.label, deployment.stand_in
        began = perf_counter()
        try:
            answer = await attempt(deployment)
        except ProviderError as error:
            _note(call, deployment, began, error.kind)
            _log(call, deployment, error)
            pause = _pause(error)
            if number == ATTEMPTS or error.kind not in _REFUSED_AT_THE_DOOR or pause > _LONGEST_PAUSE:
                raise explain(error) from error
            await asyncio.sleep(pause)
            call.waited += pause
        except BaseException:
            _note(call, deployment, began, "ended")
            raise
        else:
            _note(call, deployment, began, "")
            return answer
    raise AssertionError("every attempt returns or raises")


def explain(error: ProviderError) -> GatewayError:
    """What a provider's failure means to our client. The provider's own words are shown only where the client can
    mend what they say."""
    match error.kind:
        case ProviderFault.CONTENT_POLICY:
            return ContentPolicyViolation(f"The provider refused this content: {error.message}")
        case ProviderFault.CONTEXT_LENGTH:
            return ContextLengthExceeded(f"The request is longer than the model takes: {error.message}")
        case ProviderFault.BAD_REQUEST:
            return InvalidValue(f"The provider refused the request: {error.message}", param=error.param)
        case ProviderFault.RATE_LIMITED | ProviderFault.OVERLOADED:
            return Overloaded(
                "The provider is busy. Nothing was charged; try again, or use another model.",
                retry_after=error.retry_after or 5,
            )
        case ProviderFault.TIMEOUT:
            return ProviderTimeout(
                "The provider did not answer in time. Nothing was charged; try again, or use another model."
            )
        case _:
            return ProviderFailed("The provider failed. Nothing was charged; try again, or use another model.")


def _pause(error: ProviderError) -> float:
    if error.retry_after is not None:
        return error.retry_after
    return random.uniform(0.05, 0.25)  # noqa: S311  jitter, not a secret


def _note(call: Call, deployment: Deployment, began: float, error: str) -> None:
    took = perf_counter() - began
    call.waited += took
    call.attempts.append(Attempt(served_by=deployment.label, milliseconds=int(took * 1000), error=str(error)))


def _log(call: Call, deployment: Deployment, error: ProviderError) -> None:
    """Operators see faults that are theirs to mend; what a client got wrong is the client's."""
    if error.kind in (ProviderFault.AUTH, ProviderFault.BALANCE):
        logger.error("%s: %s refuses our account: %s", call.request_id, deployment.label, error)
    elif error.kind not in (ProviderFault.CONTENT_POLICY, ProviderFault.CONTEXT_LENGTH, ProviderFault.BAD_REQUEST):
        logger.warning("%s: %s failed: %s", call.request_id, deployment.label, error)
