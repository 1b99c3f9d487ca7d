"""Where sessions are kept: both stores keep the same promises; what each of them does besides."""

import asyncio
import random
import threading

import pytest
import redis

from gateway import sessions
from gateway.sessions import memory, shared
from gateway.sessions.memory import MemoryStore
from gateway.sessions.shared import SharedStore
from gateway.sessions.store import REMEMBERED, Pin, Session, StoreUnavailable
from tests.services import Redis

ALICE, BOB = 1, 2
POOL = "gpus: all of {them}"
ONE, TWO = "http://[::1]:8001/v1?key=a:b*", "http://gpu-2:8000/v1"
HELLO = [{"role": "user", "content": "Grüß Gott"}, {"role": "assistant", "content": "Hello!", "tool_calls": None}]
IDLE = 1800
LOCK = "arkroute:session-lock:1:a"


class Server(Redis):
    """A Redis that can be looked into."""

    def ask(self, *command):
        client = redis.Redis.from_url(self.url)
        try:
            return client.execute_command(*command)
        finally:
            client.close()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


class Clock:
    """Seconds that pass when told to."""

    now = 1_800_000_000.123456

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch, settings):
    clock = Clock()
    settings.SESSION_IDLE_SECONDS = IDLE
    for module in (memory, shared):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine is no Redis that is away."""
    monkeypatch.setattr(shared, "TIMEOUT_SECONDS", 10.0)


@pytest.fixture
async def redis_store(server):
    server.ask("FLUSHALL")
    store = SharedStore(server.url)
    yield store
    await store.close()


@pytest.fixture
def bounded(monkeypatch):
    """Sets a bound of both stores."""

    def bound(name, number):
        for module in (memory, shared):
            monkeypatch.setattr(module, name, number)

    return bound


@pytest.fixture(params=["memory", "redis"])
async def store(request, server):
    if request.param == "memory":
        yield MemoryStore()
        return
    server.ask("FLUSHALL")
    store = SharedStore(server.url)
    yield store
    await store.close()


async def use(store, clock, session_id, replica=ONE, slot=None, *, turns=1, owner=ALICE, pool=POOL):
    """Saves the session as of a second later."""
    clock.now += 1
    pins = {pool: Pin(replica, slot, turns)}
    await store.save(Session(session_id, owner, created=clock.now, used=clock.now, model="llama", pins=pins))


async def slots(store, replica=ONE):
    return {slot: holder.session for slot, holder in (await store.slot_holders(POOL, replica)).items()}


async def ids(store, owner=ALICE):
    return [session.id for session in await store.list(owner)]


async def test_a_session_is_its_owners_alone(store, clock):
    await use(store, clock, "a", slot=0)
    assert await store.find(ALICE, "a") == Session(
        id="a", owner=ALICE, created=clock.now, used=clock.now, model="llama", pins={POOL: Pin(ONE, 0, 1)}
    )
    assert await store.find(BOB, "a") is None
    assert await store.list(BOB) == []
    assert not await store.remove(BOB, "a")
    assert await store.find(ALICE, "a") is not None


async def test_two_owners_may_use_the_same_id(store, clock):
    await use(store, clock, "a", ONE, owner=ALICE)
    await use(store, clock, "a", TWO, owner=BOB)
    assert (await store.find(ALICE, "a")).pins[POOL].replica == ONE
    await store.write_conversation(ALICE, "a", HELLO)
    assert await store.read_conversation(BOB, "a") == []
    assert await store.lock(ALICE, "a")
    assert await store.lock(BOB, "a")


async def test_what_was_found_may_be_changed_without_harm(store, clock):
    await use(store, clock, "a")
    found = await store.find(ALICE, "a")
    found.pins.clear()
    found.used = 0
    assert (await store.find(ALICE, "a")).pins == {POOL: Pin(ONE, None, 1)}
    await store.write_conversation(ALICE, "a", HELLO)
    (await store.read_conversation(ALICE, "a")).clear()
    assert await store.read_conversation(ALICE, "a") == HELLO


async def test_the_pins_of_several_pools_add_up(store, clock):
    await use(store, clock, "a", ONE)
    begun = clock.now
    await use(store, clock, "a", TWO, pool="speech")
    found = await store.find(ALICE, "a")
    assert found.pins == {POOL: Pin(ONE, None, 1), "speech": Pin(TWO, None, 1)}
    assert (found.created, found.used) == (begun, clock.now)


async def test_an_idle_session_has_ended_but_is_remembered(store, clock):
    await use(store, clock, "a", slot=0)
    await store.write_conversation(ALICE, "a", HELLO)
    clock.now += IDLE + 1
    assert (await store.find(ALICE, "a")).is_idle(clock.now, IDLE)
    assert await ids(store) == []
    assert await store.count_pins(POOL, ONE) == 0
    assert await slots(store) == {}
    assert await store.read_conversation(ALICE, "a") == []
    assert not await store.write_conversation(ALICE, "a", HELLO)
    assert not await store.remove(ALICE, "a")


async def test_use_keeps_a_session_with_all_that_is_its_own(store, clock):
    await use(store, clock, "a", slot=0)
    await store.write_conversation(ALICE, "a", HELLO)
    for _ in range(3):
        clock.now += IDLE - 10
        await use(store, clock, "a", TWO, pool="speech")
    assert await ids(store) == ["a"]
    assert await store.count_pins(POOL, ONE) == 1
    assert await slots(store) == {0: "a"}
    assert await store.read_conversation(ALICE, "a") == HELLO
    assert (await store.find(ALICE, "a")).messages == 2


async def test_an_ended_session_begins_anew(store, clock):
    await use(store, clock, "a", slot=0, pool="speech")
    await store.write_conversation(ALICE, "a", HELLO)
    clock.now += IDLE + 1
    await use(store, clock, "a", TWO)
    found = await store.find(ALICE, "a")
    assert (found.created, found.pins, found.messages) == (clock.now, {POOL: Pin(TWO, None, 1)}, 0)
    assert await store.read_conversation(ALICE, "a") == []
    assert await store.count_pins("speech", ONE) == 0


async def test_sessions_are_listed_by_their_last_use(store, clock):
    for session_id in ("a", "b", "c", "a"):
        await use(store, clock, session_id)
    await use(store, clock, "d", owner=BOB)
    assert await ids(store) == ["a", "c", "b"]


async def test_a_list_has_an_end(store, clock, bounded):
    bounded("LISTED", 2)
    for session_id in ("a", "b", "c"):
        await use(store, clock, session_id)
    assert await ids(store) == ["c", "b"]


async def test_a_removed_session_leaves_nothing(store, clock):
    await use(store, clock, "a", slot=0)
    await store.write_conversation(ALICE, "a", HELLO)
    assert await store.remove(ALICE, "a")
    assert not await store.remove(ALICE, "a")
    assert await store.find(ALICE, "a") is None
    assert await ids(store) == []
    assert await store.count_pins(POOL, ONE) == 0
    assert await slots(store) == {}
    assert await store.read_conversation(ALICE, "a") == []


async def test_a_session_that_moves_leaves_its_replica_and_slot(store, clock):
    await use(store, clock, "a", ONE, slot=1)
    await use(store, clock, "a", TWO, slot=0)
    assert [await store.count_pins(POOL, replica) for replica in (ONE, TWO)] == [0, 1]
    assert await slots(store, ONE) == {}
    assert await slots(store, TWO) == {0: "a"}
    await use(store, clock, "a", TWO, slot=2)
    assert await slots(store, TWO) == {2: "a"}


async def test_who_takes_a_slot_has_it(store, clock):
    await use(store, clock, "a", slot=0)
    await use(store, clock, "b", slot=0)
    assert await slots(store) == {0: "b"}
    await use(store, clock, "a", slot=1)
    await use(store, clock, "a", TWO)
    assert await slots(store) == {0: "b"}
    await store.remove(ALICE, "a")
    assert await slots(store) == {0: "b"}


async def test_a_holder_tells_whose_it_is_and_what_it_is_worth(store, clock):
    await use(store, clock, "a", slot=0)
    used = clock.now
    await use(store, clock, "b", slot=1, turns=2, owner=BOB)
    first, second = (await store.slot_holders(POOL, ONE)).values()
    assert (first.owner, first.session, first.used, first.proven) == (ALICE, "a", used, False)
    assert (second.owner, second.session, second.used, second.proven) == (BOB, "b", clock.now, True)


async def test_a_kept_conversation_makes_a_session_worth_more(store, clock):
    await use(store, clock, "a", slot=0)
    await store.write_conversation(ALICE, "a", HELLO)
    assert (await store.slot_holders(POOL, ONE))[0].proven


async def test_a_conversation_is_replaced(store, clock):
    assert not await store.write_conversation(ALICE, "a", HELLO)
    await use(store, clock, "a")
    assert await store.read_conversation(ALICE, "a") == []
    assert await store.write_conversation(ALICE, "a", HELLO)
    assert await store.write_conversation(ALICE, "a", HELLO[:1])
    assert await store.read_conversation(ALICE, "a") == HELLO[:1]
    assert (await store.list(ALICE))[0].messages == 1


async def test_a_session_has_one_turn_at_a_time(store):
    assert await store.lock(ALICE, "a")
    assert not await store.lock(ALICE, "a")
    assert await store.lock(ALICE, "b")
    await store.unlock(ALICE, "a")
    assert await store.lock(ALICE, "a")
    assert not await store.lock(ALICE, "b")


async def test_a_turn_cannot_write_back_what_was_removed_meanwhile(store, clock):
    await use(store, clock, "a")
    assert await store.lock(ALICE, "a")
    await store.remove(ALICE, "a")
    await use(store, clock, "a")  # its answer has begun
    assert await store.list(ALICE) == []
    assert not await store.write_conversation(ALICE, "a", HELLO)
    assert await store.read_conversation(ALICE, "a") == []
    assert not await store.remove(ALICE, "a")
    assert not await store.lock(ALICE, "a")
    await store.tidy()
    await store.unlock(ALICE, "a")
    assert await store.lock(ALICE, "a")
    await use(store, clock, "a")
    assert await store.write_conversation(ALICE, "a", HELLO)


async def test_a_session_whose_first_turn_is_under_way_can_be_removed(store, clock):
    assert await store.lock(ALICE, "a")
    assert await store.remove(ALICE, "a")
    assert not await store.remove(ALICE, "a")


async def test_a_turn_may_take_longer_than_a_session_lives_unused(store, clock):
    await use(store, clock, "a")
    assert await store.lock(ALICE, "a")
    for _ in range(3):
        clock.now += IDLE - 1
        await store.tidy()
    assert await store.count_pins(POOL, ONE) == 1
    clock.now += IDLE + 1
    assert await ids(store) == []
    assert await store.write_conversation(ALICE, "a", HELLO)
    assert await store.read_conversation(ALICE, "a") == HELLO
    assert await ids(store) == ["a"]


async def test_sessions_seen_once_are_the_first_to_lose_their_pins(store, clock, bounded):
    bounded("PINS_PER_REPLICA", 4)
    await use(store, clock, "back", slot=0)
    await use(store, clock, "back", slot=0, turns=2)
    for number in range(10):
        await use(store, clock, f"once-{number}", slot=1)
    assert await store.count_pins(POOL, ONE) == 4
    assert await slots(store) == {0: "back", 1: "once-9"}
    pinned = [session.id for session in await store.list(ALICE) if session.pins]
    assert pinned == ["once-9", "once-8", "once-7", "back"]
    assert len(await ids(store)) == 11
    assert await store.count_pins(POOL, TWO) == 0


async def test_those_that_came_back_leave_some_room_for_new_ones(store, clock, bounded):
    bounded("PINS_PER_REPLICA", 4)
    for number in range(6):
        await use(store, clock, f"back-{number}", slot=number, turns=2)
    await use(store, clock, "new", slot=9)
    assert [session.id for session in await store.list(ALICE) if session.pins] == ["new", "back-5", "back-4", "back-3"]
    assert await slots(store) == {3: "back-3", 4: "back-4", 5: "back-5", 9: "new"}


async def test_who_loses_a_pin_keeps_the_conversation(store, clock, bounded):
    bounded("PINS_PER_REPLICA", 1)
    await use(store, clock, "a")
    await store.write_conversation(ALICE, "a", HELLO)
    await use(store, clock, "b", turns=2)
    found = await store.find(ALICE, "a")
    assert (found.pins, found.messages) == ({}, 2)
    assert not found.is_idle(clock.now, IDLE)
    assert await store.read_conversation(ALICE, "a") == HELLO


async def test_the_bound_of_all_sessions_forgets_ended_ones_then_those_seen_once(store, clock, bounded):
    bounded("SESSIONS", 4)
    await use(store, clock, "ended", turns=5)
    clock.now += IDLE - 4
    await use(store, clock, "back", slot=0, turns=2)
    await use(store, clock, "b", slot=1)
    await use(store, clock, "c", slot=1)
    clock.now += 5
    await use(store, clock, "d")
    assert await store.find(ALICE, "ended") is None
    assert await ids(store) == ["d", "c", "b", "back"]
    await use(store, clock, "e", owner=BOB)
    assert await store.find(ALICE, "b") is None
    assert await ids(store) == ["d", "c", "back"]
    assert await store.count_pins(POOL, ONE) == 4
    assert await slots(store) == {0: "back", 1: "c"}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_both_stores_tell_the_same(redis_store, clock, bounded, seed):
    bounded("SESSIONS", 12)
    bounded("PINS_PER_REPLICA", 6)
    chance = random.Random(seed)
    stores = [MemoryStore(), redis_store]

    async def tell(question):
        first, second = [await question(store) for store in stores]
        assert first == second
        return first

    turn = None  # one at a time, lest sessions were used at the same moment, where the order is nobody's promise
    for _ in range(150):
        clock.now += chance.choice((1, 1, 1, 200))
        await tell(lambda store: store.tidy())
        clock.now += 1
        owner, session_id = chance.choice((ALICE, BOB)), f"session-{chance.randrange(10)}"
        match chance.randrange(7):
            case 0:
                await tell(lambda store, one=(owner, session_id): store.remove(*one))
            case 1:
                await tell(lambda store, one=(owner, session_id): store.write_conversation(*one, HELLO))
            case 2 if turn is None:
                turn = (owner, session_id)
                assert await tell(lambda store, one=turn: store.lock(*one))
            case 2:
                assert not await tell(lambda store, one=turn: store.lock(*one))
                await tell(lambda store, one=turn: store.unlock(*one))
                turn = None
            case _:
                pin = Pin(chance.choice((ONE, TWO)), chance.choice((None, 0, 1, 2)), chance.choice((1, 1, 2)))
                pins = {chance.choice((POOL, POOL, "speech")): pin}
                session = Session(session_id, owner, clock.now, clock.now, pins=pins)
                await tell(lambda store, session=session: store.save(session))
        for one in (ALICE, BOB):
            for listed in await tell(lambda store, one=one: store.list(one)):
                await tell(lambda store, listed=listed: store.read_conversation(listed.owner, listed.id))
        for replica in (ONE, TWO):
            await tell(lambda store, replica=replica: store.count_pins(POOL, replica))
            await tell(lambda store, replica=replica: slots(store, replica))


# --- Memory ----------------------------------------------------------------------------------------------------------


async def test_in_memory_an_ended_session_is_forgotten_after_a_day(clock):
    store = MemoryStore()
    await use(store, clock, "a")
    clock.now += IDLE + REMEMBERED - 1
    assert await store.find(ALICE, "a") is not None
    clock.now += 2
    await store.tidy()
    assert await store.find(ALICE, "a") is None


async def test_in_memory_nobody_ends_the_conversations_of_others(clock, monkeypatch):
    monkeypatch.setattr(memory, "CONVERSATIONS_BYTES", 20_000)
    store = MemoryStore()
    long = [{"role": "user", "content": "x" * 2000}]
    await use(store, clock, "a")
    await store.write_conversation(ALICE, "a", long)
    for number in range(20):
        await use(store, clock, str(number), owner=BOB)
        assert await store.write_conversation(BOB, str(number), long)
    assert await store.read_conversation(ALICE, "a") == long
    assert len(await ids(store, owner=BOB)) == 2


async def test_in_memory_a_session_ends_whose_conversation_has_no_room(clock, monkeypatch):
    monkeypatch.setattr(memory, "CONVERSATIONS_BYTES", 5000)
    monkeypatch.setattr(memory, "OWNERS_SHARE", 1)
    store = MemoryStore()
    long = [{"role": "user", "content": "x" * 2000}]
    for session_id in ("a", "b", "a"):
        await use(store, clock, session_id)
        await store.write_conversation(ALICE, session_id, long)
    await use(store, clock, "c")
    assert await store.write_conversation(ALICE, "c", long)
    assert await ids(store) == ["c", "a"]
    assert await store.read_conversation(ALICE, "b") == []
    assert await store.find(ALICE, "b") is not None


async def test_in_memory_threads_may_use_one_store(clock):
    store = MemoryStore()
    took: list[str] = []

    async def work(number):
        for turn in range(200):
            session_id = f"{number}-{turn % 20}"
            pin = Pin(ONE, turn % 4, 1 + turn // 20)
            await store.save(Session(session_id, ALICE, clock.now, clock.now, pins={POOL: pin}))
            if await store.lock(ALICE, f"shared-{turn}"):
                took.append(f"shared-{turn}")
            if turn % 7 == 0:
                await store.remove(ALICE, session_id)

    threads = [threading.Thread(target=asyncio.run, args=(work(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == sorted({f"shared-{turn}" for turn in range(200)})
    assert await store.count_pins(POOL, ONE) == len(await store.list(ALICE)) == 4 * len(await only(store, "0-"))


async def only(store, prefix):
    return [session_id for session_id in await ids(store) if session_id.startswith(prefix)]


# --- Redis -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def two(server):
    """The stores of two processes."""
    server.ask("FLUSHALL")
    stores = [SharedStore(server.url) for _ in range(2)]
    yield stores
    for store in stores:
        await store.close()


async def test_in_redis_sessions_outlive_the_process(two, clock):
    before, after = two
    await use(before, clock, "a", slot=2)
    await before.write_conversation(ALICE, "a", HELLO)
    await before.close()
    assert (await after.find(ALICE, "a")).pins[POOL] == Pin(ONE, 2, 1)
    assert await after.read_conversation(ALICE, "a") == HELLO
    assert await slots(after) == {2: "a"}
    assert await after.count_pins(POOL, ONE) == 1


async def test_in_redis_only_one_process_gets_the_turn(two):
    one, other = two
    assert await one.lock(ALICE, "a")
    assert not await other.lock(ALICE, "a")
    await other.unlock(ALICE, "a")
    assert not await other.lock(ALICE, "a")
    await one.unlock(ALICE, "a")
    assert await other.lock(ALICE, "a")


async def test_in_redis_a_lock_lapses_unless_its_process_prolongs_it(two, server):
    one, _ = two
    assert await one.lock(ALICE, "a")
    server.ask("EXPIRE", LOCK, 20)
    await one.tidy()
    assert server.ask("TTL", LOCK) == pytest.approx(90, abs=10)


async def test_in_redis_a_turn_whose_lock_lapsed_cannot_disturb_the_next(two, server, clock):
    one, other = two
    await use(one, clock, "a")
    assert await one.lock(ALICE, "a")
    server.ask("DEL", LOCK)
    assert await other.lock(ALICE, "a")
    assert not await one.write_conversation(ALICE, "a", HELLO)
    await one.tidy()
    await one.unlock(ALICE, "a")
    assert not await one.lock(ALICE, "a")
    assert await other.write_conversation(ALICE, "a", HELLO)


async def test_in_redis_every_key_expires(redis_store, server, clock):
    await use(redis_store, clock, "a", slot=0)
    await use(redis_store, clock, "a", slot=0, turns=2)
    await redis_store.lock(ALICE, "a")
    await redis_store.write_conversation(ALICE, "a", HELLO)
    await use(redis_store, clock, "b", slot=1)
    left = {name.decode(): server.ask("TTL", name) for name in server.ask("KEYS", "*")}
    assert all(name.startswith("arkroute:") for name in left)
    assert len(left) == 10
    day = IDLE + REMEMBERED
    assert sorted(left.values()) == pytest.approx([90] + 5 * [IDLE] + 4 * [day], abs=5)
    assert left["arkroute:session:1:a"] == pytest.approx(day, abs=5)
    assert left["arkroute:session-history:1:a"] == pytest.approx(IDLE, abs=5)


async def test_in_redis_a_save_is_one_round_trip(redis_store, server, clock):
    await use(redis_store, clock, "a")
    before = server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
    await use(redis_store, clock, "a")
    assert server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == before + 1


@pytest.fixture
def lose_patience(monkeypatch, patient):
    def lose(try_again=0.05):
        monkeypatch.setattr(shared, "TIMEOUT_SECONDS", 0.1)
        monkeypatch.setattr(shared, "TRY_AGAIN_SECONDS", try_again)

    return lose


async def once_it_is_back(question):
    for _ in range(500):
        try:
            return await question()
        except StoreUnavailable:
            await asyncio.sleep(0.02)
    raise AssertionError("Redis is still away")


async def test_without_redis_every_call_says_so_and_later_it_is_back(
    server, redis_store, clock, caplog, monkeypatch, lose_patience
):
    await use(redis_store, clock, "a")
    lose_patience()
    server.kill()
    for question in (
        lambda: redis_store.find(ALICE, "a"),
        lambda: use(redis_store, clock, "a"),
        lambda: redis_store.remove(ALICE, "a"),
        lambda: redis_store.list(ALICE),
        lambda: redis_store.count_pins(POOL, ONE),
        lambda: redis_store.slot_holders(POOL, ONE),
        lambda: redis_store.lock(ALICE, "a"),
        lambda: redis_store.read_conversation(ALICE, "a"),
        lambda: redis_store.write_conversation(ALICE, "a", HELLO),
    ):
        with pytest.raises(StoreUnavailable):
            await question()
    await redis_store.unlock(ALICE, "a")
    assert caplog.text.count("Redis is away") == 1

    server.start_again()
    assert await once_it_is_back(lambda: redis_store.find(ALICE, "a")) is None
    monkeypatch.setattr(shared, "TIMEOUT_SECONDS", 10.0)
    await use(redis_store, clock, "a")
    assert await ids(redis_store) == ["a"]
    assert caplog.text.count("Redis is back") == 1


async def test_a_redis_that_hangs_is_waited_for_only_once(server, redis_store, clock, lose_patience):
    await use(redis_store, clock, "a")
    lose_patience(try_again=60)
    server.ask("CLIENT", "PAUSE", "300")
    with pytest.raises(StoreUnavailable) as refusal:
        await redis_store.find(ALICE, "a")
    assert isinstance(refusal.value.__cause__, TimeoutError)
    for _ in range(20):
        with pytest.raises(StoreUnavailable) as refusal:
            await redis_store.find(ALICE, "a")
        assert refusal.value.__cause__ is None, "Redis was not asked"


async def test_in_redis_a_turn_that_ends_meanwhile_gives_its_lock_back_later(server, two, lose_patience):
    one, _ = two
    assert await one.lock(ALICE, "a")
    lose_patience()
    server.ask("CLIENT", "PAUSE", "300")
    await one.unlock(ALICE, "a")
    await once_it_is_back(one.tidy)
    assert server.ask("EXISTS", LOCK) == 0


async def test_a_lock_that_redis_forgot_is_taken_again(server, two):
    one, other = two
    assert await one.lock(ALICE, "a")
    server.ask("FLUSHALL")
    await one.tidy()
    assert not await other.lock(ALICE, "a")


async def test_the_setting_alone_makes_the_store_shared(server, settings, clock):
    assert isinstance(sessions.current_store(), MemoryStore)
    server.ask("FLUSHALL")
    settings.REDIS_URL = server.url
    store = sessions.current_store()
    assert store is sessions.current_store()
    await use(store, clock, "a")
    await sessions.tidy()
    assert server.ask("EXISTS", "arkroute:session:1:a") == 1
    await sessions.close()
