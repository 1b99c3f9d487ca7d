"""Which replica, and which of its slots, a request of a session goes to, and what its client is told.

seating = await take_seat(call, deployments)
deployment = await seating.place(seating.deployments[0])
…the replica answers…
await seating.keep(deployment)
"""

import random
from time import time
from uuid import uuid4

from django.conf import settings
from msgspec.structs import replace

from gateway.call import Call, SessionNote
from gateway.pools.replica import Replica
from gateway.providers.base import Deployment
from gateway.sessions import current_store
from gateway.sessions.store import Holder, Pin, Session, SessionStore, StoreUnavailable


class Seating:
    """One call's place in its session. `deployments` are in the order in which to try them."""

    def __init__(self, call: Call, deployments: list[Deployment], store: SessionStore) -> None:
        self.deployments = deployments
        self._call = call
        self._store = store
        first = deployments[0].replica
        assert first is not None, "only replicas have seats"
        self._pool = first.pool
        self._session = _new_session(call)
        self._state = "new"
        self._pin: Pin | None = None  # as it was when the call came
        self._slot: int | None = None  # to be pinned

    async def find_session(self) -> None:
        """Reads the session that the call names, and puts its replica first."""
        call = self._call
        if not call.session_id:
            return
        # Another owner's is not found, just like one that never was.
        found = await self._store.find(call.caller.user_id, call.session_id)
        if found is None:
            return
        if found.is_idle(time(), settings.SESSION_IDLE_SECONDS):
            self._state = "expired"
            return
        self._session = found
        self._pin = found.pins.get(self._pool)
        if self._pin is None:
            # A session without any pin lost them to newer ones: its conversation goes on, its state is gone.
            self._state = "new" if found.pins else "expired"
            return
        mine = [one for one in self.deployments if one.replica and one.replica.url == self._pin.replica]
        # A replica that is down or drains is not among the ranked ones while others are there.
        self._state = "hit" if mine else "moved"
        self.deployments = [*mine, *(one for one in self.deployments if one not in mine)]

    async def place(self, deployment: Deployment) -> Deployment:
        """`deployment`, with the slot where a llama.cpp server shall work."""
        self._slot = None
        replica = deployment.replica
        is_chat = deployment.model.chat is not None
        if replica is None or not replica.slots or not (is_chat or self._has_slot_on(replica)):
            return deployment
        try:
            holders = await self._store.slot_holders(self._pool, replica.url)
        except StoreUnavailable:
            return deployment
        own = self._own_slot(replica, holders)
        if not is_chat:
            self._slot = own  # not used by this call, but it stays the session's
            return deployment
        # From here until the slot counts as busy nothing is waited for: two calls do not choose the same one.
        return replace(deployment, slot=self._choose_slot(replica, holders, own))

    async def keep(self, deployment: Deployment) -> None:
        """Pins the session to who answered, and notes on the call what to tell.

        Where that cannot be stored there is an answer all the same, and nothing to tell.
        """
        self._call.expected_session = None
        replica = deployment.replica
        if replica is None:
            return  # a stand-in without a state answered
        turns = 1
        if self._pin is not None:
            turns += self._pin.turns
            if self._pin.replica != replica.url:
                self._state = "moved"
        # This call's pin only: meanwhile others may have moved those of other pools.
        session = replace(
            self._session,
            used=time(),
            model=self._call.model or self._session.model,
            pins={self._pool: Pin(replica.url, self._slot, turns)},
        )
        try:
            await self._store.save(session)
        except StoreUnavailable:
            return
        self._call.session = self.note()

    def note(self) -> SessionNote:
        """What the client is told, as far as it is known now."""
        session_id = self._session.id
        return SessionNote(session_id, self._state, is_new=session_id != self._call.cookie_session_id)

    def _choose_slot(self, replica: Replica, holders: dict[int, Holder], own: int | None) -> int | None:
        """The session's own slot while it holds it; else one whose loss costs least.

        None leaves the choice to llama.cpp: all are at work, and it knows which is free first.
        """
        idle = [slot for slot in range(replica.slots) if not replica.busy_slots[slot]]
        protected = _protected(holders, replica.slots)
        idle.sort(key=lambda slot: (slot in protected, _last_use(holders.get(slot))))
        self._slot = own
        if own is None:
            self._slot = idle[0] if idle else None
        elif own not in idle:
            # Its own earlier request is at work in its slot. This one goes beside it, if little is lost by it.
            return idle[0] if idle and idle[0] not in protected else own
        return self._slot

    def _has_slot_on(self, replica: Replica) -> bool:
        pin = self._pin
        return pin is not None and pin.slot is not None and pin.replica == replica.url

    def _own_slot(self, replica: Replica, holders: dict[int, Holder]) -> int | None:
        """The slot that it was pinned to, unless another session has taken it since."""
        if self._pin is None or self._pin.slot is None or not self._has_slot_on(replica):
            return None
        slot = self._pin.slot
        holder = holders.get(slot)
        mine = holder is not None and (holder.owner, holder.session) == (self._session.owner, self._session.id)
        return slot if mine and slot < replica.slots else None


async def take_seat(call: Call, deployments: list[Deployment]) -> Seating | None:
    """The call's seat in its session, an old one or a new one.

    None where nothing is to be kept: no replica of a pool answers, sessions are turned off, or their store is away.
    """
    if deployments[0].replica is None or not settings.SESSIONS_ENABLED:
        return None
    seating = Seating(call, deployments, current_store())
    try:
        await seating.find_session()
    except StoreUnavailable:
        return None
    call.expected_session = seating.note()
    return seating


def _new_session(call: Call) -> Session:
    now = time()
    session_id = call.named_session_id or call.new_session_id or str(uuid4())
    return Session(id=session_id, owner=call.caller.user_id, created=now, used=now)


def _protected(holders: dict[int, Holder], slots: int) -> set[int]:
    """The slots that are taken from their session last of all.

    Half of them, for those who came back most recently: so many that come once do not push out the few that go on, and
    those who went on and have stopped do not keep new ones out ("segmented LRU").
    """
    proven = [slot for slot, holder in holders.items() if holder.proven]
    proven.sort(key=lambda slot: holders[slot].used, reverse=True)
    return set(proven[: slots // 2])


def _last_use(holder: Holder | None) -> float:
    """When the slot's session was used; long ago for a slot that nobody holds.

    Among those chance decides, since other processes choose, too.
    """
    return random.random() if holder is None else holder.used  # noqa: S311  no secret
