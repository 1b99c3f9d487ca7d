"""Tries deployments in turn until one answers, and names the failure when none does."""

import asyncio
import logging
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
    RequestError,
)
from gateway.providers.base import Deployment
from gateway.routing import health, keys
from gateway.routing.route import Route
from gateway.sessions.seat import take_seat

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")


async def execute(
    call: Call, deployments: list[Deployment], attempt: Callable[[Deployment], Awaitable[Answer]]
) -> Answer:
    """The first answer that `attempt` gets. Notes on `call` who was tried, who served, how long we waited, its session.

    Raises the `GatewayError` that the last `ProviderError` means to a client. `attempt` may raise a `RequestError`
    where a fallback's model cannot do what the request asks for: the next one is tried.
    """
    seating = await take_seat(call, deployments)
    route = Route(deployments if seating is None else seating.deployments)
    while (deployment := route.enter()) is not None:
        if seating is not None:
            deployment = await seating.place(deployment)
        call.served_by, call.stand_in = deployment.label, deployment.stand_in
        began = perf_counter()
        try:
            answer = await attempt(deployment)
        except ProviderError as error:
            _note_error(call, deployment, began, error)
            pause = route.go_on(error)
        except BaseException as error:
            _note(call, deployment, began, "ended")
            health.leave(call.served_by)
            if not (isinstance(error, RequestError) and route.is_at_fallback):
                raise
            pause = route.go_on(ProviderError(ProviderFault.BAD_REQUEST, error.message, param=error.param))
        else:
            _note_answer(call, deployment, began)
            if seating is not None:
                await seating.keep(deployment)
            return answer
        if pause is None:
            break
        if pause:
            await asyncio.sleep(pause)
            call.waited += pause
    assert route.failure is not None, "a route ends with a failure"
    raise explain(route.failure) from route.failure


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
    attempt = call.attempts[-1]
    attempt.error = str(error.kind)
    if attempt.is_external:
        health.note_error(attempt.served_by, error)
    _log(call, error)


def _note_answer(call: Call, deployment: Deployment, began: float) -> None:
    _note(call, deployment, began, "")
    if deployment.is_external:
        health.note_answer(call.served_by)
        keys.note_answer(deployment)


def _note_error(call: Call, deployment: Deployment, began: float, error: ProviderError) -> None:
    _note(call, deployment, began, error.kind)
    _log(call, error)
    if deployment.is_external:
        health.note_error(call.served_by, error, took=perf_counter() - began)
        keys.note_error(deployment, error)


def _note(call: Call, deployment: Deployment, began: float, error: str) -> None:
    took = perf_counter() - began
    call.waited += took
    call.attempts.append(Attempt(call.served_by, int(took * 1000), str(error), deployment.is_external))


def _log(call: Call, error: ProviderError) -> None:
    """Operators see faults that are theirs to mend; what a client got wrong is the client's.

    The provider's own words are left out: they may repeat the prompt.
    """
    status = f" (HTTP {error.status})" if error.status else ""
    if error.kind in (ProviderFault.AUTH, ProviderFault.BALANCE):
        logger.error("%s: %s refuses our account: %s%s", call.request_id, call.served_by, error.kind, status)
    elif error.kind not in (ProviderFault.CONTENT_POLICY, ProviderFault.CONTEXT_LENGTH, ProviderFault.BAD_REQUEST):
        logger.warning("%s: %s failed: %s%s", call.request_id, call.served_by, error.kind, status)
