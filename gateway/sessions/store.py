"""What is kept of a session, and where: in memory, or in Redis for many processes."""

from typing import Any, Protocol

from msgspec import Struct, field

# Seconds for which an ended session is remembered, so that its client can be told: as long as its cookie lives.
REMEMBERED = 86_400
# Sessions in all, ended ones included. Each takes about a kilobyte, a cookie-less request makes one.
SESSIONS = 100_000
# No server keeps the state of so many conversations: whoever was pushed out of them by newer ones has none left there.
PINS_PER_REPLICA = 10_000
# Sessions that are told of at once, the ones used last.
LISTED = 500
# Most requests come from clients that keep no cookies, and their sessions are never seen again. They push out each
# other, and those that came back only where these have more than the rest.
SHARE_OF_ONCE = 4


class Pin(Struct, frozen=True, omit_defaults=True):
    """Where a session's state lies in one pool. `slot` is llama.cpp's; `turns` counts the session's answers there."""

    replica: str
    slot: int | None = None
    turns: int = 0

    @property
    def is_proven(self) -> bool:
        """A session that came back once is likelier to come back again than one that was never seen twice."""
        return self.turns > 1


class Session(Struct):
    """One client's session. It belongs to its owner: an id is looked up together with the user's id.

    Times are Unix seconds. `pins` are by the pool's name. `model` is the name asked for last.
    """

    id: str
    owner: int
    created: float
    used: float
    model: str = ""
    pins: dict[str, Pin] = field(default_factory=dict)
    messages: int = 0  # of the conversation that is kept for an `ark_stateful` client

    def is_idle(self, now: float, idle_seconds: float) -> bool:
        """Whether it has ended, since nobody used it for so long."""
        return now - self.used > idle_seconds

    @property
    def is_proven(self) -> bool:
        """Whether it is worth more than a session that was seen once."""
        return self.messages > 0 or any(pin.is_proven for pin in self.pins.values())


class Holder(Struct):
    """Whose state a llama.cpp slot holds. `proven`: the session came back to it, so it is worth keeping."""

    owner: int
    session: str
    used: float
    proven: bool = False


# As a chat request's `messages`.
Messages = list[dict[str, Any]]
Sessions = list[Session]


class StoreUnavailable(Exception):
    """The store cannot be reached now."""


class SessionStore(Protocol):
    """All methods but `unlock` raise `StoreUnavailable` where the store is away. An `owner` is a user's id.

    What is returned is the caller's own: changing it changes nothing here.
    """

    async def find(self, owner: int, session_id: str) -> Session | None:
        """The session, also for a day after its end (`Session.is_idle`), so that its client can be told."""
        ...

    async def save(self, session: Session) -> None:
        """Keeps the session, with `pins` added to those that it has, and the slots that they name taken.

        What is known of its messages stays as `write_conversation` left it. One that had ended begins anew.

        Beyond `PINS_PER_REPLICA` pins go, and the session stays with its conversation: none of its pins is left.
        Beyond `SESSIONS` sessions are forgotten. In both cases the ones used least recently, of those that were seen
        only once first.
        """
        ...

    async def remove(self, owner: int, session_id: str) -> bool:
        """Forgets the session and its conversation. Whether there was one that had not ended.

        A turn that is under way keeps its lock, but cannot write the conversation any more.
        """
        ...

    async def list(self, owner: int) -> Sessions:
        """The owner's sessions that have not ended, the one used last first; at most `LISTED`."""
        ...

    async def count_pins(self, pool: str, replica: str) -> int:
        """Sessions that have not ended and are pinned to the replica."""
        ...

    async def slot_holders(self, pool: str, replica: str) -> dict[int, Holder]:
        """Which sessions that have not ended hold the replica's slots."""
        ...

    async def lock(self, owner: int, session_id: str) -> bool:
        """Takes the session for one turn. False where another turn has it. A lock lapses with its process."""
        ...

    async def unlock(self, owner: int, session_id: str) -> None:
        """Ends the turn. Where the store is away, the lock is given back later, or lapses."""
        ...

    async def read_conversation(self, owner: int, session_id: str) -> Messages:
        """The messages that are kept; none where there are none, or the session has ended."""
        ...

    async def write_conversation(self, owner: int, session_id: str, messages: Messages) -> bool:
        """Replaces the messages, which end with the session, and counts them in `Session.messages`.

        False, and nothing is kept, where there is no such session, it was removed during this turn, or another turn
        has the lock.
        """
        ...

    async def tidy(self) -> None:
        """Forgets what has ended, and prolongs the locks that this process holds."""
        ...
