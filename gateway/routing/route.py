"""One call's way from deployment to deployment."""

from time import perf_counter
from typing import Any

from django.core.signals import setting_changed

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.base import Deployment
from gateway.routing import health, keys
from gateway.routing.retry import RetryBudget, Step, is_told, next_step

# Of one call, over all keys, fallbacks and replicas; and over the replicas of a pool.
MOST_ATTEMPTS = 4
POOL_ATTEMPTS = 3

_budget = RetryBudget()


class Route:
    """`failure` is what the client is told where no deployment answers. `deployments` are in the order to try."""

    def __init__(self, deployments: list[Deployment]) -> None:
        first = deployments[0]
        if first.replica is not None:
            replicas = [one for one in deployments if one.model is first.model]
            deployments = [*replicas[:POOL_ATTEMPTS], *deployments[len(replicas) :]]
        self._deployments = deployments
        self._place = 0
        self._repeated = False  # this is the place's second try
        self._attempts = 0
        self.failure: ProviderError | None = None
        if first.is_external:
            _budget.note_request(perf_counter())

    @property
    def is_at_fallback(self) -> bool:
        return self._deployments[self._place].model is not self._deployments[0].model

    def enter(self) -> Deployment | None:
        """The deployment to ask now, the first from here on that may be asked. None: there is none.

        Where its circuit is open, the request is the probe.
        """
        self._attempts += 1
        if health.all_is_well() and keys.all_are_well():
            return self._deployments[self._place]
        waits = []
        for place in range(self._place, len(self._deployments)):
            deployment = self._deployments[place]
            if deployment.is_external and keys.is_disabled(deployment):
                continue
            circuit = health.find_circuit(deployment.label)
            if circuit is None or circuit.enter():
                self._repeated = self._repeated and place == self._place
                self._place = place
                return deployment
            waits.append(circuit.wait)
        if self.failure is None:
            # They were ranked a moment ago. Since then another call has found out, or become the probe.
            kind = ProviderFault.OVERLOADED if waits else ProviderFault.AUTH
            self.failure = ProviderError(kind, "nobody may be asked now", retry_after=min(waits, default=None))
        return None

    def go_on(self, error: ProviderError) -> float | None:
        """Seconds until the next deployment may be asked; None: the call ends here."""
        if self.failure is None or is_told(error, self._deployments, self._place):
            self.failure = error
        step = next_step(error, self._deployments, self._place, repeated=self._repeated)
        if step is not None and self._attempts < MOST_ATTEMPTS:
            step = self._within_budget(step)
        if step is None or self._attempts >= MOST_ATTEMPTS:
            return None
        self._repeated = step.place == self._place
        self._place = step.place
        return step.pause

    def _within_budget(self, step: Step) -> Step | None:
        """`step`, if its provider may be sent one more; else the next that leads to another provider."""
        deployments, place = self._deployments, self._place
        failed = deployments[place]
        if not failed.is_external or deployments[step.place].provider != failed.provider:
            return step
        if _budget.take(perf_counter()):
            return step
        elsewhere = (at for at in range(place + 1, len(deployments)) if deployments[at].provider != failed.provider)
        return next((Step(at) for at in elsewhere), None)


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "PROVIDERS":
        _budget.forget()


# Settings change under test alone.
setting_changed.connect(_forget)
