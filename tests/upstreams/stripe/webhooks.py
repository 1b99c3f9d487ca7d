"""Webhooks: an event for each change, signed, and sent as badly as the test likes.

https://docs.stripe.com/webhooks/signature
"""

import copy
import hashlib
import hmac
import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from tests.upstreams.stripe.account import Object

SECRET = "whsec_of_the_fake"

# Is given the body and the headers of a delivery; its answer's status.
Receiver = Callable[[bytes, dict[str, str]], int]


@dataclass(frozen=True)
class Delivery:
    """An event to be sent. What it tells of its object is how that was when the event came to be."""

    event: Object
    secret: str = SECRET

    @property
    def type(self) -> str:
        return self.event["type"]

    @property
    def payload(self) -> bytes:
        return json.dumps(self.event, indent=2).encode()

    def headers(self, *, secrets: Sequence[str] = (), at: float | None = None) -> dict[str, str]:
        """Signed now, or at a time in seconds since 1970; with several secrets, as while one is being rolled."""
        moment = int(time.time() if at is None else at)
        signed = b"%d.%b" % (moment, self.payload)
        signatures = [
            hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets or [self.secret]
        ]
        parts = [f"t={moment}", *(f"v1={signature}" for signature in signatures)]
        if not self.event["livemode"]:
            parts.append(f"v0={'0' * 64}")  # which is no signature, and must not be taken for one
        return {"content-type": "application/json; charset=utf-8", "stripe-signature": ",".join(parts)}

    def altered(self, **fields: Any) -> "Delivery":
        """One whose event has these fields, or whose object has those in `object`: a lie, if signed."""
        event = copy.deepcopy(self.event)
        event["data"]["object"] |= fields.pop("object", {})
        return Delivery(event | fields, self.secret)

    def send(self, receiver: Receiver | str, **signing: Any) -> int:
        """The status of the answer, 0 if there is none. `receiver` may be an address."""
        try:
            return _receiver(receiver)(self.payload, self.headers(**signing))
        except httpx.HTTPError:
            return 0


class Webhooks:
    """Collects deliveries until they are taken; or sends them at once, before whoever caused them has their answer."""

    def __init__(self) -> None:
        self.secret = SECRET
        self.types: set[str] | None = None  # those that the endpoint has subscribed to; all of them at first
        self._receiver: Receiver | str | None = None
        self._pending: list[Delivery] = []
        self._lock = threading.Lock()

    def add(self, event: Object) -> None:
        if self.types is None or event["type"] in self.types:
            with self._lock:
                self._pending.append(Delivery(event, self.secret))

    def send_at_once(self, receiver: Receiver | str | None) -> None:
        """From now on; None ends it."""
        self._receiver = receiver

    def take(self, *types: str) -> list[Delivery]:
        """What was collected, oldest first, of some types or all. It is lost unless the test sends it."""
        with self._lock:
            taken = [one for one in self._pending if not types or one.type in types]
            self._pending = [one for one in self._pending if types and one.type not in types]
        return taken

    def flush(self, receiver: Receiver | str | None = None) -> list[int]:
        """Sends what was collected, and the statuses. What is not taken with a 2xx is kept, as Stripe tries again."""
        receiver = receiver or self._receiver
        assert receiver is not None, "nobody to send to"
        taken = self.take()
        statuses = [one.send(receiver) for one in taken]
        with self._lock:
            refused = [one for one, status in zip(taken, statuses, strict=True) if not 200 <= status < 300]
            self._pending[:0] = refused
        return statuses

    def after_change(self) -> None:
        if self._receiver is not None:
            self.flush()


def shuffled(deliveries: Iterable[Delivery], seed: int, *, copies: int = 1, lost: float = 0.0) -> list[Delivery]:
    """The deliveries so many times each, without a share of them, in an order that `seed` decides."""
    chance = random.Random(seed)
    storm = [one for one in deliveries for _ in range(copies) if chance.random() >= lost]
    chance.shuffle(storm)
    return storm


def send_all(deliveries: Sequence[Delivery], receiver: Receiver | str, *, threads: int = 1) -> list[int]:
    """The statuses of the answers; with several threads, deliveries arrive at the same time."""
    if threads == 1:
        return [one.send(receiver) for one in deliveries]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda one: one.send(receiver), deliveries))


def _receiver(receiver: Receiver | str) -> Receiver:
    if callable(receiver):
        return receiver
    return lambda payload, headers: _connections().post(receiver, content=payload, headers=headers).status_code


@cache
def _connections() -> httpx.Client:
    return httpx.Client(timeout=30, verify=False)  # as it goes to the loopback, there is nothing to verify
