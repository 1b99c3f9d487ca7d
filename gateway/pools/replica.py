"""One server of a pool, as this process knows it."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from time import monotonic
from urllib.parse import urlsplit

from gateway.errors import ProviderFault

logger = logging.getLogger(__name__)

# So many failed answers in a row end a replica's health; a refused connection does at once.
FAILURES = 3
# Seconds that a replica is left alone. One that refused connections comes back sooner, when its health endpoint
# answers; where the answers themselves failed, that endpoint may not know it.
REST = 5.0
# Servers that start together with the gateway need longer. Seconds until those that did not come are logged.
GRACE = 30.0


class Health(StrEnum):
    UNKNOWN = "unknown"  # not asked yet: tried like a healthy one
    UP = "up"
    LOADING = "loading"  # answers, but has no model yet
    DOWN = "down"


def hide_password(url: str) -> str:
    """`url` without the user and the password that it may carry."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


# What says something of the server rather than of the request. A path or a key that is wrong for this server alone
# looks like AUTH. That it is busy is none of them: who says so is alive, and keeps the state of its sessions.
_FAULTS_OF_ANSWERS = frozenset({ProviderFault.TIMEOUT, ProviderFault.BROKEN, ProviderFault.AUTH})


class Replica:
    """An OpenAI-compatible server. `url` is its whole prefix, such as `http://gpu-1:8000/v1`.

    `in_flight` counts the requests that this process has there now, `busy_slots` those of each llama.cpp slot.
    """

    def __init__(self, pool: str, url: str, api_key: str = "") -> None:
        self.pool = pool
        self.url = url
        self.api_key = api_key
        self.health = Health.UNKNOWN
        self.draining = False
        self.models: frozenset[str] | None = None  # that it lists; None: it was not asked, or lists none
        self.slots = 0  # of a llama.cpp server, each of which keeps one conversation's state; elsewhere 0
        self.in_flight = 0
        self.busy_slots: Counter[int] = Counter()
        self.sessions = 0  # pinned here, as the store counted last
        # When it was asked how it is, and what it has: time.monotonic.
        self.checked_at: float | None = None
        self.described_at: float | None = None
        self._failures = 0
        self._rests_until = 0.0
        self._made_at = monotonic()
        self._logged = Health.UNKNOWN

    def __repr__(self) -> str:
        return f"<Replica {self.pool} {self.address} {self.health}>"

    @property
    def address(self) -> str:
        """`url` as people may see it."""
        return hide_password(self.url)

    @property
    def is_usable(self) -> bool:
        """Whether new requests should come here."""
        if self.draining or self.health is Health.LOADING:
            return False
        return self.health is not Health.DOWN or monotonic() >= self._rests_until

    def lists(self, upstream: str) -> bool:
        """Whether it has the model, as far as it told."""
        # Ollama lists `llama3:latest` where both names call it.
        return self.models is None or upstream in self.models or f"{upstream}:latest" in self.models

    @contextmanager
    def working(self, slot: int | None = None) -> Iterator[None]:
        """Counts one request in flight."""
        self.in_flight += 1
        if slot is not None:
            self.busy_slots[slot] += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if slot is not None:
                self.busy_slots[slot] -= 1

    def note_success(self) -> None:
        """It answered a request."""
        self._failures = 0
        self._change(Health.UP)

    def note_failure(self, kind: ProviderFault) -> None:
        """It failed a request. What a client got wrong says nothing of the server."""
        if kind is ProviderFault.UNREACHABLE:
            self.note_health(Health.DOWN)
        elif kind in _FAULTS_OF_ANSWERS:
            self._failures += 1
            if self._failures >= FAILURES:
                self.note_health(Health.DOWN)

    def note_health(self, health: Health) -> None:
        """What its health endpoint says, or the lack of a connection.

        It does not forgive what requests have shown: a model can be broken behind a health page that is well. Only
        after a rest a server gets another chance.
        """
        if health is Health.DOWN:
            self._rests_until = monotonic() + REST
        elif self._failures >= FAILURES:
            if monotonic() < self._rests_until:
                return
            self._failures = 0
        self._change(health)

    def _change(self, health: Health) -> None:
        self.health = health
        if health is not Health.UP:
            self.described_at = None  # it may come back as another
        if health is self._logged:
            return
        if self._logged is not Health.UNKNOWN:
            level = logging.INFO if health is Health.UP else logging.WARNING
        elif health is Health.UP:
            level = logging.DEBUG
        elif monotonic() - self._made_at < GRACE:
            return
        else:
            level = logging.WARNING
        logger.log(level, "pool `%s`: %s is %s", self.pool, self.address, health)
        self._logged = health
