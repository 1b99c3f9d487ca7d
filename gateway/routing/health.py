"""How providers' models fare in this process: a circuit breaker for each that has failed.

A circuit opens when a model fails again and again. Open, it lets nobody through; after a pause it lets one request
through, whose answer closes it or opens it for longer. A model that answers has no circuit: good health costs a look
into an empty dictionary, and a note of the moment. Servers of one's own are not watched here, but in `gateway.pools`.
"""

import logging
import math
import random
from collections.abc import Callable
from time import monotonic
from typing import Any

from django.core.signals import setting_changed

from gateway.errors import ProviderError, ProviderFault

logger = logging.getLogger(__name__)

# What says something of the provider rather than of the request, or of our account there.
SERVER_FAULTS = frozenset(
    {ProviderFault.OVERLOADED, ProviderFault.UNREACHABLE, ProviderFault.TIMEOUT, ProviderFault.BROKEN}
)
# It opens after so many faults in a row; or where such a share of the requests since the first fault fails, of so many
# at least, and within so many seconds.
FAULTS_IN_A_ROW = 5
FAULT_SHARE = 0.5
FEWEST_REQUESTS = 20
WINDOW = 30.0
# Seconds until it lets a request through, the first time; each failure of that one doubles them.
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 60.0
# Of the pause, either way: processes that lost a provider together do not come back to it together.
JITTER = 0.2
# A picture may take minutes. Others need not wait so long for the one that was let through: after so many seconds the
# next is.
PROBE_SECONDS = 30.0


class Circuit:
    """The breaker of one provider's model. `clock` is in seconds."""

    def __init__(self, label: str, clock: Callable[[], float] = monotonic) -> None:
        self.label = label
        self._clock = clock
        self._in_a_row = 0
        # Of the window that the first fault began.
        self._since = 0.0
        self._faults = 0
        self._requests = 0
        self._opened = 0  # how often, without an answer in between; 0: it is closed
        self._lets_one_at = 0.0
        self._is_probed = False  # a request was let through and has not come back

    @property
    def is_open(self) -> bool:
        return self._opened > 0

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing left to remember."""
        return not self.is_open and not self._in_a_row and self._clock() - self._since >= WINDOW

    @property
    def wait(self) -> float:
        """Seconds until a request may be sent: 0 where it may be now."""
        return max(0.0, self._lets_one_at - self._clock()) if self.is_open else 0.0

    def enter(self) -> bool:
        """Whether a request may be sent now. Where the circuit is open, the one that may is the probe."""
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._lets_one_at:
            return False
        self._is_probed = True
        self._lets_one_at = now + PROBE_SECONDS
        return True

    def leave(self) -> None:
        """A request ended without a word on the provider: if it was the probe, the next one is."""
        if self._is_probed:
            self._is_probed = False
            self._lets_one_at = self._clock()

    def note_answer(self) -> None:
        """It answered: with what was asked for, or with a refusal that is no fault of its own."""
        self._in_a_row = 0
        self._requests += 1
        # Answers to what was sent before it opened prove nothing: many failed beside them.
        if self._is_probed:
            self._is_probed = False
            self._opened = self._faults = 0
            logger.info("%s answers again", self.label)

    def note_fault(self) -> None:
        """It failed in a way that says something of the provider."""
        now = self._clock()
        if not self._faults or now - self._since >= WINDOW:
            self._since, self._faults, self._requests = now, 0, 0
        self._faults += 1
        self._requests += 1
        self._in_a_row += 1
        if self._is_probed or (not self.is_open and self._is_failing):
            self._open(now)

    @property
    def _is_failing(self) -> bool:
        if self._in_a_row >= FAULTS_IN_A_ROW:
            return True
        return self._requests >= FEWEST_REQUESTS and self._faults >= FAULT_SHARE * self._requests

    def _open(self, now: float) -> None:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._opened, 10))
        pause *= random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  no secret
        if not self.is_open:
            logger.warning(
                "%s failed %s of %s requests: none is sent there for %.0f s",
                self.label,
                self._faults,
                self._requests,
                pause,
            )
        self._opened += 1
        self._is_probed = False
        self._lets_one_at = now + pause


# By `Deployment.label`: those that have failed of late.
_circuits: dict[str, Circuit] = {}
# When each gave its last answer: time.monotonic.
_answered: dict[str, float] = {}


def all_is_well() -> bool:
    """Whether nothing has failed of late."""
    return not _circuits


def find_circuit(label: str) -> Circuit | None:
    """The breaker of a deployment's provider and model. None: it is in good health."""
    return _circuits.get(label)


def open_circuits() -> dict[str, float]:
    """The labels to which this process sends nothing now, and for how many seconds more."""
    return {label: circuit.wait for label, circuit in list(_circuits.items()) if circuit.wait}


def note_answer(label: str) -> None:
    """A provider's model answered a request."""
    _answered[label] = monotonic()
    _note_sign_of_life(label)


def _note_sign_of_life(label: str) -> None:
    circuit = _circuits.get(label)
    if circuit is not None:
        circuit.note_answer()
        if circuit.is_quiet:
            del _circuits[label]


def note_error(label: str, error: ProviderError, *, took: float = 0.0) -> None:
    """A provider's model failed a request after `took` seconds, or refused it.

    A timeout says nothing where others' requests were answered meanwhile: one client may ask what takes too long.
    """
    if error.of_this_request or error.kind not in SERVER_FAULTS:
        _note_sign_of_life(label)
        return
    if error.kind is ProviderFault.TIMEOUT and monotonic() - _answered.get(label, -math.inf) <= max(took, WINDOW):
        leave(label)
        return
    circuit = _circuits.get(label)
    if circuit is None:
        circuit = _circuits[label] = Circuit(label)
    circuit.note_fault()


def leave(label: str) -> None:
    """A request ended without a word on the provider: its client left, or it was not sent."""
    circuit = _circuits.get(label)
    if circuit is not None:
        circuit.leave()


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "PROVIDERS":
        _circuits.clear()
        _answered.clear()


# Settings change under test alone: another server is at the address then.
setting_changed.connect(_forget)
