"""Which replica and slot a request of a session goes to, and what its client is told; all but the servers is real."""

import asyncio
from collections import Counter
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from gateway import sessions
from gateway.call import Call, SessionNote
from gateway.catalog.selfhosted import read_models
from gateway.errors import ProviderError, ProviderFault
from gateway.pools import Pool, Replica
from gateway.providers.base import Deployment
from gateway.routing.execute import execute
from gateway.sessions import memory, seat
from gateway.sessions.memory import MemoryStore
from tests.gateway.test_limits import caller

IDLE = 1800
ALICE = caller()
BOB = replace(ALICE, key_id=2, user_id=2)
MODELS = read_models(
    {
        "gpus": {"replicas": ["http://gpu-0/v1"], "models": {"llama": {}, "vectors": {"type": "embedding"}}},
        "speech": {"replicas": ["http://cpu-0/v1"], "models": {"whisper": {"type": "transcription"}}},
    }
)

UNKNOWN = "06611412-eb53-42ab-b151-1c724204c900"


class Servers(Pool):
    """A pool whose servers answer at once, or when they are told to."""

    def __init__(self, number=3, *, slots=0, name="gpus"):
        super().__init__(name, tuple(Replica(name, f"http://{name}-{at}/v1") for at in range(number)))
        for replica in self.replicas:
            replica.slots = slots
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.broken = set()  # what refuses every connection, though nobody knows yet
        self.answered = []  # deployments

    async def attempt(self, deployment):
        replica = deployment.replica
        with replica.working(deployment.slot):
            if replica in self.broken:
                replica.note_failure(ProviderFault.UNREACHABLE)
                raise ProviderError(ProviderFault.UNREACHABLE, "refused")
            await self.go_on.wait()
            replica.note_success()
        self.answered.append(deployment)
        return deployment

    async def ask(self, session=None, *, who=ALICE, model="llama", **of_call) -> tuple[SessionNote, Deployment]:
        """One request, with the cookie of `session`."""
        cookie = session.id if isinstance(session, SessionNote) else session or ""
        call = Call(caller=who, endpoint="chat", model=model, cookie_session_id=cookie, **of_call)
        deployments = [
            Deployment(provider=self.name, model=MODELS[model], base_url=replica.url, replica=replica)
            for replica in self.rank(MODELS[model])
        ]
        deployment = await execute(call, deployments, self.attempt)
        return call.session, deployment


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        self.now += 0.001
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch, settings):
    clock = Clock()
    settings.SESSION_IDLE_SECONDS = IDLE
    monkeypatch.setattr(sessions, "_memory", MemoryStore())
    for module in (memory, seat):
        monkeypatch.setattr(module, "time", clock)
    return clock


async def test_a_first_answer_opens_a_session():
    session, _ = await Servers().ask()
    assert (session.state, session.is_new) == ("new", True)
    assert str(UUID(session.id)) == session.id


async def test_sessions_stay_on_their_replicas():
    servers = Servers()
    homes = [await servers.ask() for _ in range(20)]
    assert len({home.replica for _, home in homes}) == 3
    for _ in range(5):
        for first, home in homes:
            session, deployment = await servers.ask(first)
            assert (session.state, session.id, session.is_new) == ("hit", first.id, False)
            assert deployment.replica is home.replica


@pytest.mark.parametrize("cookie", [UNKNOWN, "nonsense", "../" * 100])
async def test_an_unknown_id_is_replaced(cookie):
    session, _ = await Servers().ask(cookie)
    assert (session.state, session.is_new) == ("new", True)
    assert session.id != cookie


async def test_another_owners_session_is_as_unknown_as_one_that_never_was():
    servers = Servers()
    hers, home = await servers.ask()
    his, _ = await servers.ask(hers, who=BOB)
    assert (his.state, his.is_new) == ("new", True)
    assert his.id != hers.id
    again, deployment = await servers.ask(hers)
    assert (again.state, deployment.replica) == ("hit", home.replica)


async def test_an_idle_session_has_expired_and_another_begins(clock):
    servers = Servers()
    old, _ = await servers.ask()
    clock.now += IDLE - 1
    assert (await servers.ask(old))[0].state == "hit"
    clock.now += IDLE + 1
    session, _ = await servers.ask(old)
    assert (session.state, session.is_new) == ("expired", True)
    assert session.id != old.id
    assert (await servers.ask(session))[0].state == "hit"


async def test_an_id_that_the_client_made_stays_its_own(clock):
    servers = Servers()
    mine = str(uuid4())
    assert (await servers.ask(named_session_id=mine))[0] == SessionNote(mine, "new", is_new=True)
    assert (await servers.ask(mine, named_session_id=mine))[0] == SessionNote(mine, "hit", is_new=False)
    other, _ = await servers.ask()
    assert (await servers.ask(other, named_session_id=mine))[0] == SessionNote(mine, "hit", is_new=True)
    assert (await servers.ask(named_session_id=mine, who=BOB))[0] == SessionNote(mine, "new", is_new=True)
    clock.now += IDLE + 1
    assert (await servers.ask(mine, named_session_id=mine))[0] == SessionNote(mine, "expired", is_new=False)
    assert (await servers.ask(mine, named_session_id=mine))[0].state == "hit"


async def test_the_sessions_of_a_draining_replica_move_at_once_and_stay_there():
    servers = Servers()
    homes = [await servers.ask() for _ in range(20)]
    drained = homes[0][1].replica
    drained.draining = True
    moved = {}
    for first, home in homes:
        session, deployment = await servers.ask(first)
        assert (session.id, session.is_new) == (first.id, False)
        assert session.state == ("moved" if home.replica is drained else "hit")
        assert deployment.replica is not drained
        moved[session.id] = deployment.replica
    drained.draining = False
    for first, _ in homes:
        session, deployment = await servers.ask(first)
        assert (session.state, deployment.replica) == ("hit", moved[session.id])
    assert await sessions.current_store().count_pins("gpus", drained.url) == 0


async def test_the_sessions_of_a_dead_replica_move():
    servers = Servers()
    homes = [await servers.ask() for _ in range(12)]
    dead = homes[0][1].replica
    servers.broken.add(dead)
    states = Counter()
    for first, home in homes:
        session, deployment = await servers.ask(first)
        assert (session.state == "moved") == (home.replica is dead)
        assert deployment.replica is not dead
        states[session.state] += 1
    assert states["moved"] == sum(home.replica is dead for _, home in homes)
    for first, _ in homes:
        assert (await servers.ask(first))[0].state == "hit"


async def test_where_all_are_down_its_own_replica_is_tried_first():
    servers = Servers()
    first, home = await servers.ask()
    for replica in servers.replicas:
        replica.note_failure(ProviderFault.UNREACHABLE)
    session, deployment = await servers.ask(first)
    assert (session.state, deployment.replica) == ("hit", home.replica)


async def test_a_session_has_a_place_in_each_pool():
    servers, listeners = Servers(), Servers(name="speech")
    first, home = await servers.ask()
    session, _ = await listeners.ask(first, model="whisper")
    assert session == SessionNote(first.id, "new", is_new=False)
    session, _ = await listeners.ask(first, model="whisper")
    assert session.state == "hit"
    session, deployment = await servers.ask(first)
    assert (session.state, deployment.replica) == ("hit", home.replica)


async def test_two_pools_may_answer_one_session_at_the_same_time():
    servers, listeners = Servers(), Servers(name="speech")
    first, _ = await servers.ask()
    servers.go_on.clear()
    slow = asyncio.create_task(servers.ask(first))
    await asyncio.sleep(0)
    await listeners.ask(first, model="whisper")
    servers.go_on.set()
    await slow
    assert (await listeners.ask(first, model="whisper"))[0].state == "hit"
    assert (await servers.ask(first))[0].state == "hit"


async def test_a_session_whose_pin_was_given_up_has_expired_but_goes_on(monkeypatch):
    monkeypatch.setattr(memory, "PINS_PER_REPLICA", 2)
    servers = Servers(1)
    first, *_ = [(await servers.ask())[0] for _ in range(3)]
    assert (await servers.ask(first))[0] == SessionNote(first.id, "expired", is_new=False)
    assert (await servers.ask(first))[0].state == "hit"


async def test_interleaved_sessions_keep_their_slots():
    servers = Servers(2, slots=4)
    homes = [await servers.ask() for _ in range(4)]
    for _ in range(5):
        for first, home in homes:
            _, deployment = await servers.ask(first)
            assert (deployment.replica, deployment.slot) == (home.replica, home.slot)


async def test_sessions_that_begin_at_the_same_time_get_different_slots():
    servers = Servers(1, slots=4)
    servers.go_on.clear()
    together = [asyncio.create_task(servers.ask()) for _ in range(6)]
    await asyncio.sleep(0)
    servers.go_on.set()
    chosen = [(await one)[1].slot for one in together]
    # llama.cpp gives the others the slots that come free first.
    assert sorted(chosen[:4]) == [0, 1, 2, 3]
    assert chosen[4:] == [None, None]


async def test_sessions_that_have_stopped_do_not_keep_new_ones_out():
    servers = Servers(1, slots=4)
    for first, _ in [await servers.ask() for _ in range(4)]:
        await servers.ask(first)
    newcomers = [await servers.ask() for _ in range(2)]
    for first, home in newcomers:
        assert (await servers.ask(first))[1].slot == home.slot


async def test_requests_that_are_never_seen_again_leave_proven_sessions_their_slots():
    servers = Servers(1, slots=4)
    homes = [await servers.ask() for _ in range(2)]
    for first, _ in homes:
        await servers.ask(first)
    for _ in range(20):
        await servers.ask()
    for first, home in homes:
        assert (await servers.ask(first))[1].slot == home.slot


async def test_who_was_used_least_recently_loses_the_slot_where_all_are_proven():
    servers = Servers(1, slots=2)
    (old, old_home), (late, late_home) = [await servers.ask() for _ in range(2)]
    for first in (old, late, old, late):
        await servers.ask(first)
    _, new_home = await servers.ask()
    assert new_home.slot == old_home.slot
    session, deployment = await servers.ask(old)
    assert session.state == "hit", "it still is the same replica"
    assert deployment.slot == old_home.slot, "the newcomer has not come back"
    _, deployment = await servers.ask(late)
    assert deployment.slot == late_home.slot


async def test_a_session_whose_slot_was_taken_gets_another():
    servers = Servers(1, slots=2)
    (one, home), (_, other_home) = [await servers.ask() for _ in range(2)]
    thief, _ = await servers.ask()
    _, thiefs = await servers.ask(thief)
    assert thiefs.slot == home.slot, "the older of two that were seen once"
    session, deployment = await servers.ask(one)
    assert (session.state, deployment.slot) == ("hit", other_home.slot)
    assert (await servers.ask(thief))[1].slot == thiefs.slot


async def test_a_second_request_of_a_session_goes_beside_the_first():
    servers = Servers(1, slots=3)
    first, home = await servers.ask()
    await servers.ask(first)
    servers.go_on.clear()
    both = [asyncio.create_task(servers.ask(first)) for _ in range(2)]
    await asyncio.sleep(0)
    servers.go_on.set()
    (session, own), (second, beside) = [await one for one in both]
    assert (session.state, second.state) == ("hit", "hit")
    assert own.slot == home.slot
    assert beside.slot not in (home.slot, None)
    assert (await servers.ask(first))[1].slot == home.slot


async def test_a_second_request_waits_for_the_slot_rather_than_take_a_proven_ones():
    servers = Servers(1, slots=2)
    (first, home), (other, other_home) = [await servers.ask() for _ in range(2)]
    for one in (first, other):
        await servers.ask(one)
    servers.go_on.clear()
    both = [asyncio.create_task(servers.ask(first)) for _ in range(2)]
    await asyncio.sleep(0)
    servers.go_on.set()
    assert [(await one)[1].slot for one in both] == [home.slot, home.slot]
    assert (await servers.ask(other))[1].slot == other_home.slot


async def test_only_chat_has_slots_and_the_rest_leaves_it_its_own():
    servers = Servers(1, slots=4)
    first, home = await servers.ask()
    session, deployment = await servers.ask(first, model="vectors")
    assert (session.state, deployment.slot) == ("hit", None)
    assert (await servers.ask(first))[1].slot == home.slot
    session, deployment = await servers.ask(model="vectors")
    assert (session.state, deployment.slot) == ("new", None)


async def test_a_session_that_lost_its_slot_does_not_take_it_back_by_what_needs_none():
    servers = Servers(1, slots=1)
    first, _ = await servers.ask()
    other, _ = await servers.ask()
    await servers.ask(first, model="vectors")
    holder = (await sessions.current_store().slot_holders("gpus", servers.replicas[0].url))[0]
    assert holder.session == other.id


async def test_a_session_that_moves_frees_its_slot_and_takes_one_there():
    servers = Servers(2, slots=2)
    first, home = await servers.ask()
    servers.broken.add(home.replica)
    _, deployment = await servers.ask(first)
    assert deployment.slot is not None
    store = sessions.current_store()
    assert await store.slot_holders("gpus", home.replica.url) == {}
    assert list(await store.slot_holders("gpus", deployment.replica.url)) == [deployment.slot]
    assert (await servers.ask(first))[1].slot == deployment.slot


async def test_a_slot_that_was_chosen_in_vain_is_not_pinned_elsewhere():
    servers = Servers(2)
    servers.replicas[0].slots = 2
    first, home = await servers.ask()
    while home.replica is not servers.replicas[0]:
        first, home = await servers.ask()
    servers.broken.add(home.replica)
    await servers.ask(first)
    pin = (await sessions.current_store().find(ALICE.user_id, first.id)).pins["gpus"]
    assert (pin.replica, pin.slot, pin.turns) == (servers.replicas[1].url, None, 2)


async def test_a_server_that_was_started_again_with_fewer_slots_gets_only_those():
    servers = Servers(1, slots=4)
    homes = [await servers.ask() for _ in range(4)]
    servers.replicas[0].slots = 2
    for first, _ in homes:
        session, deployment = await servers.ask(first)
        assert session.state == "hit"
        assert deployment.slot in (0, 1)


async def test_turned_off_there_are_no_sessions(settings):
    settings.SESSIONS_ENABLED = False
    servers = Servers(1, slots=2)
    session, deployment = await servers.ask()
    assert session is None
    assert deployment.slot is None
    assert await sessions.current_store().list(ALICE.user_id) == []


@pytest.mark.parametrize("cookie", ["", UNKNOWN])
async def test_without_its_store_a_request_is_answered_and_nothing_told(settings, tmp_path, cookie):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    servers = Servers(2, slots=2)
    session, deployment = await servers.ask(cookie)
    assert session is None
    assert deployment.replica in servers.replicas
    await sessions.close()
