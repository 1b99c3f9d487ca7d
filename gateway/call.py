"""One call of one caller: what every flow is given, and what it leaves on it for the answer's headers."""

import os
from time import perf_counter, time
from typing import Any

from msgspec import Struct, field

from accounts.keys import Caller
from gateway.idempotency.claims import Claim


def new_request_id() -> str:
    """`req_` and 44 hex digits: the milliseconds of now, so that ids sort by time, and 128 random bits."""
    return f"req_{int(time() * 1000):012x}{_random_hex()}"


# 128 random bits each, as hex. The system is asked for many at once: at each asking the interpreter is let go of, and
# the ledger's writer has to give it back.
_random: list[str] = []
os.register_at_fork(after_in_child=_random.clear)


def _random_hex() -> str:
    try:
        return _random.pop()
    except IndexError:
        block = os.urandom(16 * 256).hex()
        _random.extend(block[at : at + 32] for at in range(32, len(block), 32))
        return block[:32]


class Attempt(Struct):
    """One try at one deployment. `error` is empty where it answered. `is_external`: at somebody else's."""

    served_by: str
    milliseconds: int
    error: str = ""
    is_external: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"served_by": self.served_by, "milliseconds": self.milliseconds, "error": self.error}


class SessionNote(Struct):
    """What a client is told of its session. `state` is `new`, `hit`, `moved` or `expired`; `is_new`: the id is."""

    id: str
    state: str
    is_new: bool


class Call(Struct):
    """Filled in on the way: who served, what was charged, how long we waited for others.

    Times are seconds of `time.perf_counter`; amounts are millicredits. `model` is the name asked for.

    When the client leaves, the call goes on for `linger` more seconds and is cancelled then: a provider that is at work
    may be paid whether or not somebody waits.
    """

    caller: Caller
    endpoint: str
    request_id: str = field(default_factory=new_request_id)
    max_credits: int | None = None
    started: float = field(default_factory=perf_counter)
    waited: float = 0.0  # for providers
    linger: float = 0.0
    client_left: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    served_by: str = ""
    stand_in: bool = False
    charged: int | None = None
    capped_tokens: int | None = None
    ignored_params: list[str] = field(default_factory=list)
    model: str = ""
    from_page: bool = False  # of ours, such as the explorer
    kept: tuple[Any, ...] = ()  # rows of what it asks for, written with its receipt: see `gateway.inputs`
    cookie_session_id: str = ""  # that the client's cookie names
    named_session_id: str = ""  # that the client made itself, as `ark_stateful`
    new_session_id: str = ""  # of the session to begin where there is none to go on with
    session: SessionNote | None = None
    expected_session: SessionNote | None = None  # what `session` will be, if its replica answers
    claim: Claim | None = None  # to its `Idempotency-Key`

    @property
    def session_id(self) -> str:
        """The session that the client asks for, if any."""
        return self.named_session_id or self.cookie_session_id

    @property
    def elapsed(self) -> float:
        return perf_counter() - self.started

    @property
    def overhead(self) -> float:
        """Seconds of our own time so far."""
        return max(0.0, self.elapsed - self.waited)
