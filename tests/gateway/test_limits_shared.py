"""One limit over several processes, through Redis; and what holds when Redis does not."""

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from gateway import limits
from gateway.errors import ConcurrencyExceeded, RateLimitExceeded
from gateway.limits import shared
from gateway.limits.quota import quota_of
from gateway.limits.shared import SharedLimiter
from tests.gateway.test_limits import caller
from tests.services import Redis

ROOT = Path(__file__).resolve().parents[2]


class Server(Redis):
    """A Redis that can be looked into."""

    def ask(self, *command):
        client = redis.Redis.from_url(self.url)
        try:
            return client.execute_command(*command)
        finally:
            client.close()

    def leases(self, key_id=1):
        return self.ask("ZCARD", f"arkroute:limits:{key_id}:calls:leases")


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _empty(server):
    server.ask("FLUSHALL")


@asynccontextmanager
async def processes(server, number=2, **options):
    """The limiters of so many processes."""
    limiters = [SharedLimiter(server.url, **options) for _ in range(number)]
    try:
        yield limiters
    finally:
        for limiter in limiters:
            await limiter.close()


async def admit(limiter, who, read=False):
    return await limiter.admit(who, quota_of(who.requests_per_minute, who.concurrent_requests, read))


async def admit_all(limiters, who, number):
    """The outcomes of so many requests at once at each of the limiters."""
    return await asyncio.gather(
        *(admit(limiter, who) for _ in range(number) for limiter in limiters), return_exceptions=True
    )


def admissions(outcomes):
    return [outcome for outcome in outcomes if not isinstance(outcome, Exception)]


async def test_two_processes_admit_one_burst_between_them(server):
    slow = caller(requests_per_minute=30, concurrent_requests=1000)  # nothing refills while the test runs
    async with processes(server) as limiters:
        outcomes = await admit_all(limiters, slow, 20)
        admitted = admissions(outcomes)
        assert len(admitted) == 10
        assert sorted(admission.remaining for admission in admitted) == list(range(10))
        refusals = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert {type(refusal) for refusal in refusals} == {RateLimitExceeded}
        assert all(refusal.retry_after == 2 for refusal in refusals)
        assert refusals[0].allowance.limit == 30
        assert 19 < refusals[0].allowance.reset <= 20


async def test_two_processes_share_the_slots(server):
    three = caller(concurrent_requests=3)
    async with processes(server) as limiters:
        outcomes = await admit_all(limiters, three, 5)
        held = admissions(outcomes)
        assert len(held) == 3
        assert sum(isinstance(outcome, ConcurrencyExceeded) for outcome in outcomes) == 7
        held[0].release()
        held[0].release()
        # A release makes room even for a request that travels in the same batch.
        outcomes = await admit_all(limiters[:1], three, 5)
        assert len(admissions(outcomes)) == 1


async def test_a_refused_request_takes_nothing(server):
    one = caller(requests_per_minute=30, concurrent_requests=1)
    async with processes(server, 1) as [limiter]:
        held = await admit(limiter, one)
        await admit_all([limiter], one, 20)
        held.release()
        assert (await admit(limiter, one)).remaining == 8


async def test_reads_do_not_eat_the_calls(server):
    slow = caller(requests_per_minute=30)
    async with processes(server, 1) as [limiter]:
        reads = await asyncio.gather(*(admit(limiter, slow, read=True) for _ in range(50)), return_exceptions=True)
        assert len(admissions(reads)) == 50
        assert (await admit(limiter, slow)).remaining == 9


async def test_many_requests_travel_in_one_round_trip(server):
    async with processes(server, 1) as [limiter]:
        (await admit(limiter, caller())).release()
        before = server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
        await asyncio.gather(*(admit(limiter, caller(key_id)) for key_id in range(50)))
        assert server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"] - before <= 2


async def test_an_idle_key_leaves_nothing_behind(server):
    async with processes(server, 1) as [limiter]:
        (await admit(limiter, caller(requests_per_minute=60_000))).release()
        await limiter.renew()
        for _ in range(200):
            if not server.ask("KEYS", "*"):
                break
            await asyncio.sleep(0.01)
        assert server.ask("KEYS", "*") == []


async def test_a_client_that_leaves_while_it_waits_leaves_no_slot_taken(server):
    async with processes(server, 1) as [limiter]:
        for turns in range(4):
            waiting = asyncio.ensure_future(admit(limiter, caller()))
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        await limiter.renew()
        assert server.leases() == 0


async def test_leases_lapse_unless_they_are_renewed(server):
    one = caller(concurrent_requests=1)
    async with processes(server, 2, lease_seconds=0.3) as [living, other]:
        held = await admit(living, one)
        for _ in range(4):
            await asyncio.sleep(0.1)
            await living.renew()
        with pytest.raises(ConcurrencyExceeded):
            await admit(other, one)
        await asyncio.sleep(0.35)
        (await admit(other, one)).release()
        held.release()


HOLDER_OF_A_SLOT = """
import asyncio, sys
import django
django.setup()
from gateway.limits.quota import quota_of
from gateway.limits.shared import SharedLimiter
from tests.gateway.test_limits import caller

async def main():
    limiter = SharedLimiter(sys.argv[1], lease_seconds=1.0)
    await limiter.admit(caller(concurrent_requests=1), quota_of(600, 1, False))
    print("working", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def killed_process(server):
    """A process that was killed while it worked on a request; its lease had a second to live."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER_OF_A_SLOT, server.url],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"working\n"
    process.kill()
    process.communicate()


async def test_the_slots_of_a_killed_process_come_back(server, killed_process):
    one = caller(concurrent_requests=1)
    async with processes(server, 1) as [limiter]:
        with pytest.raises(ConcurrencyExceeded):
            await admit(limiter, one)
        await asyncio.sleep(1.05)
        await admit(limiter, one)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(shared, "TRY_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(shared, "TIMEOUT_SECONDS", 0.1)


async def test_without_redis_each_process_admits_a_share(server, caplog, impatient):
    who = caller(requests_per_minute=200, concurrent_requests=1000)  # a burst of 20
    async with processes(server, 1) as [limiter]:
        held = await admit(limiter, who)
        server.kill()
        outcomes = await admit_all([limiter], who, 20)
        assert len(admissions(outcomes)) == 5
        assert outcomes[-1].allowance.limit == 50
        held.release()
        assert caplog.text.count("Redis is away") == 1

        server.start_again()
        await asyncio.sleep(0.11)
        assert (await admit(limiter, who)).limit == 200
        assert caplog.text.count("Redis is back") == 1


async def test_a_redis_that_hangs_is_waited_for_only_once(server, impatient):
    async with processes(server, 1) as [limiter]:
        held = await admit(limiter, caller())
        server.ask("CLIENT", "PAUSE", "300")
        first = await admit(limiter, caller())
        assert first.limit == 150
        others = await asyncio.wait_for(admit_all([limiter], caller(), 3), 0.09)
        assert [admission.limit for admission in others] == [150] * 3
        for admission in (held, first, *others):
            admission.release()
        for _ in range(100):
            await asyncio.sleep(0.02)
            last = await admit(limiter, caller())
            last.release()
            if last.limit == 600:
                break
        # The connection that hung answers nobody else's question.
        assert (await admit(limiter, caller(2))).remaining == 59
        await limiter.renew()
        assert server.leases() == 0


async def test_the_setting_alone_makes_the_limit_shared(server, settings):
    settings.REDIS_URL = server.url
    admission = await limits.admit(caller())
    assert admission.remaining == 59
    assert server.leases() == 1
    await limits.renew_leases()
    assert server.leases() == 1
    admission.release()
    await limits.close()
    assert server.leases() == 0
