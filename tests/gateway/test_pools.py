"""Replicas of a pool: how each is, which is tried first, what other processes are told."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from gateway.catalog import get_model
from gateway.errors import ProviderFault
from gateway.models import PoolReplica, ReplicaReport
from gateway.pools import Health, Pool, Replica, find_pool, health, list_pools, reports
from gateway.pools import replica as replica_module
from gateway.pools.draining import drain, follow_drains, undrain
from gateway.providers.http import close_pools
from gateway.sessions import load
from gateway.sessions.store import StoreUnavailable
from tests.upstreams.replica import FakeReplica, Kind

MODEL = "house-llama"
NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def pool_of(settings):
    """Makes a pool `gpus` of servers at the addresses, which the settings name."""

    def make(*servers: FakeReplica | str, api_key: str = "", upstream: str = "their-llama") -> Pool:
        urls = [one if isinstance(one, str) else one.base_url for one in servers]
        models = {MODEL: {"upstream": upstream}}
        settings.SELFHOSTED_POOLS = {"gpus": {"replicas": urls, "api_key": api_key, "models": models}}
        pool = find_pool("gpus")
        assert pool is not None
        return pool

    return make


def run(*works: Coroutine[Any, Any, Any]) -> None:
    """One after the other, as the chores of a process would."""

    async def work() -> None:
        for one in works:
            await one
        await close_pools()

    asyncio.run(work())


def look_again(pool: Pool) -> None:
    for replica in pool.replicas:
        if replica.checked_at is not None:
            replica.checked_at -= 60
    run(health.look_at(pool))


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def ranked(pool: Pool) -> list[Replica]:
    return pool.rank(get_model(MODEL))


# --- Health --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "models", "slots"),
    [
        ("vllm", frozenset({"their-llama"}), 0),
        ("llama.cpp", frozenset({"their-llama"}), 3),
        ("ollama", frozenset({"their-llama"}), 0),
        ("tei", None, 0),
    ],
)
def test_every_kind_of_server_is_understood_and_none_made_to_work(pool_of, kind: Kind, models, slots) -> None:
    with FakeReplica(kind=kind, slots=3) as server:
        pool = pool_of(server)
        run(health.look_first(pool))
        (replica,) = pool.replicas
        assert (replica.health, replica.models, replica.slots) == (Health.UP, models, slots)
        look_again(pool)
        assert {recorded.method for recorded in server.requests} == {"GET"}
        assert server.asked.count("/props") == 1, "slots are asked for once each time that it comes up"


def test_a_server_that_loads_its_model_is_left_out_until_it_has_it(pool_of) -> None:
    with FakeReplica("a", kind="llama.cpp", loading=True) as loading, FakeReplica("b") as ready:
        pool = pool_of(loading, ready)
        run(health.look_first(pool))
        assert pool.replicas[0].health is Health.LOADING
        assert ranked(pool) == [pool.replicas[1]]
        loading.loading = False
        look_again(pool)
        assert pool.replicas[0].slots == 4
        assert len(ranked(pool)) == 2


def test_the_key_of_a_pool_is_sent(pool_of) -> None:
    with FakeReplica(api_key="secret") as server:
        pool = pool_of(server, api_key="secret")
        run(health.look_first(pool))
        assert pool.replicas[0].models == {"their-llama"}


async def test_all_who_come_first_wait_for_one_look(pool_of) -> None:
    with FakeReplica() as server:
        pool = pool_of(server)
        await asyncio.gather(*(health.look_first(pool) for _ in range(20)))
        await health.look_first(pool)
        assert server.asked.count("/health") == 1
        await close_pools()


async def test_one_caller_who_leaves_does_not_end_the_look_of_the_others(pool_of) -> None:
    with FakeReplica() as server:
        pool = pool_of(server)
        callers = [asyncio.create_task(health.look_first(pool)) for _ in range(2)]
        await asyncio.sleep(0)
        callers[0].cancel()
        await callers[1]
        assert pool.replicas[0].health is Health.UP
        await close_pools()


async def test_nobody_waits_long_for_a_silent_server(pool_of, monkeypatch) -> None:
    monkeypatch.setattr(health, "FIRST_PATIENCE", 0.1)
    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with FakeReplica() as server:
        pool = pool_of(f"http://127.0.0.1:{port}/v1", server)
        await health.look_first(pool)
        assert [replica.health for replica in pool.replicas] == [Health.UNKNOWN, Health.UP]
        assert len(ranked(pool)) == 2, "who is slow may be well"
    silent.close()
    await close_pools()


async def test_silence_again_and_again_means_down_even_while_requests_wait_there(pool_of, monkeypatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.02)
    monkeypatch.setattr(health, "OTHER_INTERVAL", 0)
    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    pool = pool_of(f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/v1")
    (replica,) = pool.replicas
    with replica.working():
        for _ in range(2):
            await health.look_at(pool)
        assert replica.health is Health.UNKNOWN
        await health.look_at(pool)
        assert replica.health is Health.DOWN
    silent.close()
    await close_pools()


def test_a_dead_server_is_down_at_once_and_up_as_soon_as_it_answers(pool_of) -> None:
    with FakeReplica("a") as mortal, FakeReplica("b") as other:
        pool = pool_of(mortal, other)
        run(health.look_first(pool))
        mortal.kill()
        look_again(pool)
        assert pool.replicas[0].health is Health.DOWN
        assert ranked(pool) == [pool.replicas[1]]
        other.kill()
        look_again(pool)
        assert len(ranked(pool)) == 2, "with nobody in good health, all are tried"
        mortal.start_again()
        look_again(pool)
        assert ranked(pool) == [pool.replicas[0]]


def test_those_that_are_up_are_asked_less_often_than_the_others(pool_of, monkeypatch) -> None:
    with FakeReplica("a") as up, FakeReplica("b", kind="llama.cpp", loading=True) as loading:
        pool = pool_of(up, loading)
        run(health.look_after())
        for replica in pool.replicas:
            replica.checked_at -= health.OTHER_INTERVAL
        run(health.look_after())
        assert (up.asked.count("/health"), loading.asked.count("/health")) == (1, 2)


def test_answers_that_fail_again_and_again_mean_down_whatever_its_health_page_says(pool_of, monkeypatch) -> None:
    with FakeReplica() as server:
        pool = pool_of(server)
        run(health.look_first(pool))
        (replica,) = pool.replicas
        for kind in (ProviderFault.BAD_REQUEST, ProviderFault.CONTEXT_LENGTH, ProviderFault.RATE_LIMITED) * 5:
            replica.note_failure(kind)
        assert replica.health is Health.UP, "that is no fault of the server"
        for _ in range(replica_module.FAILURES):
            replica.note_failure(ProviderFault.BROKEN)
        look_again(pool)
        assert (replica.health, replica.is_usable) == (Health.DOWN, False)

        later = replica_module.monotonic() + replica_module.REST
        monkeypatch.setattr(replica_module, "monotonic", lambda: later)
        assert replica.is_usable, "after a rest it gets another chance"
        look_again(pool)
        assert replica.health is Health.UP


def test_a_health_page_does_not_forgive_what_requests_have_shown(pool_of) -> None:
    with FakeReplica() as server:
        pool = pool_of(server)
        run(health.look_first(pool))
        (replica,) = pool.replicas
        for _ in range(replica_module.FAILURES):
            replica.note_failure(ProviderFault.BROKEN)
            look_again(pool)
        assert replica.health is Health.DOWN


def test_who_says_that_it_is_busy_is_alive(pool_of) -> None:
    (replica,) = pool_of(NOBODY).replicas
    replica.note_success()
    for _ in range(10):
        replica.note_failure(ProviderFault.OVERLOADED)
    assert replica.is_usable


def test_one_good_answer_forgives_failures(pool_of) -> None:
    (replica,) = pool_of(NOBODY).replicas
    for _ in range(5):
        replica.note_failure(ProviderFault.TIMEOUT)
        replica.note_failure(ProviderFault.BROKEN)
        replica.note_success()
    assert replica.health is Health.UP


def test_a_change_is_logged_once_without_the_password(pool_of, caplog) -> None:
    caplog.set_level(logging.INFO, "gateway.pools")
    with FakeReplica() as server:
        pool = pool_of(f"http://user:hunter2@127.0.0.1:{server.port}/v1")
        run(health.look_first(pool))
        assert caplog.messages == [], "that a server is well is no news"
        server.kill()
        for _ in range(3):
            look_again(pool)
        server.start_again()
        for _ in range(3):
            look_again(pool)
    address = f"http://127.0.0.1:{server.port}/v1"
    assert caplog.messages == [f"pool `gpus`: {address} is down", f"pool `gpus`: {address} is up"]


def test_a_server_that_never_came_is_logged_after_a_while(pool_of, caplog, monkeypatch) -> None:
    pool = pool_of(NOBODY)
    run(health.look_first(pool))
    assert caplog.messages == []
    monkeypatch.setattr(replica_module, "GRACE", 0)
    look_again(pool)
    look_again(pool)
    assert caplog.messages == [f"pool `gpus`: {NOBODY} is down"]


# --- Who has which model -------------------------------------------------------------------------------------------


def test_in_a_mixed_pool_a_model_goes_to_those_that_list_it(pool_of) -> None:
    with (
        FakeReplica("a", models=("their-llama",)) as has,
        FakeReplica("b", models=("their-qwen",)) as lacks,
        FakeReplica("c", kind="tei") as lists_nothing,
    ):
        pool = pool_of(has, lacks, lists_nothing)
        run(health.look_first(pool))
        assert set(ranked(pool)) == {pool.replicas[0], pool.replicas[2]}


def test_a_tag_latest_is_the_same_name(pool_of) -> None:
    with (
        FakeReplica("a", kind="ollama", models=("llama3:latest",)) as has,
        FakeReplica("b", kind="ollama", models=("qwen:latest",)) as lacks,
    ):
        pool = pool_of(has, lacks, upstream="llama3")
        run(health.look_first(pool))
        assert ranked(pool) == [pool.replicas[0]]


def test_where_nobody_lists_the_name_the_operator_is_believed(pool_of) -> None:
    """llama.cpp lists its file or its alias, and answers to any name."""
    with FakeReplica(kind="llama.cpp", models=("/models/llama-3.gguf",)) as server:
        pool = pool_of(server)
        run(health.look_first(pool))
        assert ranked(pool) == list(pool.replicas)


@pytest.mark.parametrize("implied", [False, True])
def test_the_engine_has_what_it_lists_and_nothing_else(settings, implied) -> None:
    with FakeReplica(kind="llama.cpp", models=("smollm2-135m-instruct",)) as server:
        settings.ENGINE_URL, settings.ENGINE_IS_IMPLIED = server.base_url.removesuffix("/v1"), implied
        engine = list_pools()[0]
        run(health.look_first(engine))
        models = {upstream: SimpleNamespace(upstream=upstream) for upstream in ("smollm2-135m-instruct", "whisper")}
        assert engine.serves(models["smollm2-135m-instruct"])
        assert not engine.serves(models["whisper"])
        server.kill()
        look_again(engine)
        assert engine.is_expected, "it was here"
        assert engine.replicas[0].health is Health.DOWN


def test_an_engine_that_nobody_named_is_not_missed(settings, caplog, monkeypatch) -> None:
    monkeypatch.setattr(replica_module, "GRACE", 0)
    settings.ENGINE_URL, settings.ENGINE_IS_IMPLIED = "http://127.0.0.1:9", True
    engine = list_pools()[0]
    run(health.look_first(engine))
    look_again(engine)
    assert (engine.is_expected, engine.serves(SimpleNamespace(upstream="smollm2-135m-instruct"))) == (False, False)
    assert caplog.messages == []


# --- Choice --------------------------------------------------------------------------------------------------------


def test_the_less_loaded_of_two_comes_first_and_the_others_by_their_load(pool_of) -> None:
    pool = pool_of(*(f"http://127.0.0.1:{port}/v1" for port in (1, 2, 3)))
    idle, busy, busiest = pool.replicas
    busy.in_flight, busiest.in_flight = 3, 9
    firsts = set()
    for _ in range(200):
        first, *others = ranked(pool)
        firsts.add(first)
        assert [one.in_flight for one in others] == sorted(one.in_flight for one in others)
        assert len(others) == 2
    assert firsts == {idle, busy}


def test_among_those_with_equal_requests_fewer_sessions_count(pool_of) -> None:
    pool = pool_of("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
    pool.replicas[0].sessions = 1
    assert {ranked(pool)[0] for _ in range(50)} == {pool.replicas[1]}


def test_pools_stay_the_same_while_the_settings_do(pool_of) -> None:
    pool = pool_of("http://127.0.0.1:1/v1/", "http://127.0.0.1:1/v1")
    assert len(pool.replicas) == 1, "one address is one replica"
    assert find_pool("gpus") is pool
    assert pool_of("http://127.0.0.1:1/v1") is not pool


# --- Draining and reports ------------------------------------------------------------------------------------------


@pytest.mark.database
def test_a_drained_replica_gets_no_new_requests_until_it_is_taken_back(transactional_db, pool_of) -> None:
    pool = pool_of("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
    drain("gpus", pool.replicas[0].url)
    drain("gpus", pool.replicas[0].url)
    run(follow_drains())
    assert ranked(pool) == [pool.replicas[1]]
    pool.replicas[1].note_failure(ProviderFault.UNREACHABLE)
    assert ranked(pool) == [pool.replicas[1]], "not even where the others are down"

    undrain("gpus", pool.replicas[0].url)
    run(follow_drains())
    assert ranked(pool) == [pool.replicas[0]]


@pytest.fixture
def nothing_written(monkeypatch, transactional_db) -> None:
    monkeypatch.setattr(reports, "_written", reports._Written())


@pytest.mark.database
def test_a_process_reports_what_changes_and_is_silent_otherwise(nothing_written, pool_of, monkeypatch) -> None:
    pool = pool_of(NOBODY)
    (replica,) = pool.replicas
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(reports, "monotonic", lambda: clock.now)

    def reported_now() -> bool:
        ReplicaReport.objects.update(reported_at=timezone.now() - timedelta(seconds=30))
        run(reports.report())
        return ReplicaReport.objects.filter(reported_at__gte=timezone.now() - timedelta(seconds=20)).exists()

    assert reported_now()
    assert not reported_now()
    replica.note_health(Health.DOWN)
    assert reported_now(), "health at once"
    replica.in_flight = 1
    assert not reported_now(), "load changes all the time"
    clock.now += reports.LOAD_INTERVAL
    assert reported_now()
    clock.now += reports.HEARTBEAT - 1
    assert not reported_now()
    clock.now += 1
    assert reported_now(), "a sign of life"


def known(pool: Pool) -> Any:
    (row,) = reports.known_replicas().filter(pool=pool.name)
    return row


@pytest.mark.database
def test_requests_of_all_processes_add_up_and_old_reports_do_not_count(nothing_written, pool_of, monkeypatch) -> None:
    pool = pool_of(NOBODY)
    (replica,) = pool.replicas
    replica.models = frozenset({"b", "a"})
    for pid, in_flight, sessions in ((1, 2, 7), (2, 3, 5)):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        replica.in_flight, replica.sessions = in_flight, sessions
        monkeypatch.setattr(reports, "_written", reports._Written())
        run(reports.report())
    row = known(pool)
    assert (row.in_flight, row.sessions, row.health, row.listed_models) == (5, 7, "unknown", ["a", "b"])

    first = ReplicaReport.objects.filter(replica=row, process__endswith=":1")
    first.update(reported_at=timezone.now() - timedelta(seconds=61))
    assert known(pool).in_flight == 3
    monkeypatch.setattr(reports, "_written", reports._Written())
    run(reports.report())
    assert not first.exists(), "the next report of any process forgets it"

    ReplicaReport.objects.all().delete()
    row = known(pool)
    assert (row.in_flight, row.sessions, row.health, row.reported_at) == (None, None, None, None)


def test_replicas_that_the_settings_no_longer_name_are_not_shown(nothing_written, pool_of) -> None:
    pool_of(NOBODY)
    run(reports.report())
    pool = pool_of("http://127.0.0.1:10/v1")
    run(reports.report())
    assert known(pool).url == "http://127.0.0.1:10/v1"
    assert PoolReplica.objects.filter(url=NOBODY).exists()


async def test_sessions_are_counted_and_the_count_stays_where_their_store_is_away(pool_of, monkeypatch) -> None:
    (replica,) = pool_of(NOBODY).replicas

    class Store:
        async def count_pins(self, pool: str, url: str) -> int:
            return 12 if (pool, url) == ("gpus", NOBODY) else 0

    class Away:
        async def count_pins(self, pool: str, url: str) -> int:
            raise StoreUnavailable

    for store in (Store(), Away()):
        monkeypatch.setattr(load, "current_store", lambda store=store: store)
        await load.count_sessions()
        assert replica.sessions == 12
