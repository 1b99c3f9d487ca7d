"""`manage.py pools`: what people see of their servers, and how they take one out of service."""

import asyncio
import json
from io import StringIO

import httpx
import pytest
from django.core.management import CommandError, call_command

from accounts.keys import issue_key
from accounts.models import User
from billing.ledger import grant_signup_credits
from gateway.models import PoolReplica
from gateway.pools import find_pool, reports
from gateway.pools.replica import Health
from tests.arkroute.conftest import find_free_port, run_manage
from tests.upstreams.replica import FakeReplica

A, B = "http://gpu-1:8000/v1", "http://gpu-2:8000/v1"


@pytest.fixture
def gpus(transactional_db, settings, monkeypatch):
    """A pool of two that a process reports: one at work, one that is down. The engine is not there."""
    monkeypatch.setattr(reports, "_written", reports._Written())
    settings.ENGINE_URL, settings.ENGINE_IS_IMPLIED = "http://127.0.0.1:9", True
    settings.SELFHOSTED_POOLS = {"gpus": {"replicas": [A, B], "models": {"llama": {}, "qwen": {}}}}
    busy, down = find_pool("gpus").replicas
    busy.note_health(Health.UP)
    busy.in_flight, busy.sessions, busy.slots, busy.models = 3, 17, 4, frozenset({"llama"})
    down.note_health(Health.DOWN)
    down.models = frozenset({"llama"})


def pools(*arguments: str, **options: str) -> str:
    out = StringIO()
    call_command("pools", *arguments, stdout=out, stderr=out, no_color=True, **options)
    return out.getvalue()


def test_it_shows_what_the_processes_report(gpus) -> None:
    asyncio.run(reports.report())
    heading, busy, down, fault = pools().splitlines()
    assert heading.split()[:5] == ["POOL", "REPLICA", "HEALTH", "IN", "FLIGHT"]
    assert busy.split() == ["gpus", A, "up", "██████··", "3", "17", "4", "llama", "0", "s", "ago"]
    assert down.split()[:4] == ["gpus", B, "down", "········"]
    assert "`qwen`" in fault
    assert "`llama`" not in fault


def test_where_no_process_reports_it_asks_the_servers_itself(transactional_db, settings) -> None:
    with FakeReplica("a", kind="llama.cpp", slots=2, models=("llama", "qwen")) as up, FakeReplica("b") as dead:
        dead.kill()
        urls = [up.base_url, dead.base_url]
        settings.SELFHOSTED_POOLS = {"gpus": {"replicas": urls, "models": {"llama": {}}}}
        _, _, *lines = pools().splitlines()  # below the engine's
    assert lines[0].split() == ["gpus", up.base_url, "up", "-", "-", "2", "llama,", "qwen", "asked", "just", "now"]
    assert lines[1].split() == ["gpus", dead.base_url, "down", "-", "-", "-", "-", "asked", "just", "now"]


def test_many_models_are_shortened(gpus) -> None:
    find_pool("gpus").replicas[0].models = frozenset(f"a-model-of-some-length-{number}" for number in range(9))
    asyncio.run(reports.report())
    assert "a-model-of-some-length-0 +8" in pools()


def test_without_pools_and_without_an_engine_it_says_so(transactional_db, settings) -> None:
    settings.ENGINE_URL, settings.ENGINE_IS_IMPLIED = "http://127.0.0.1:9", True
    assert pools().startswith("There are no pools")


@pytest.mark.parametrize("address", [A, f"{A}/", "http://gpu-1:8000"])
def test_drain_and_undrain_are_kept_for_all_processes(gpus, address) -> None:
    assert "undrain" in pools("drain", address)
    asyncio.run(reports.report())
    assert "up, draining" in pools()
    assert PoolReplica.objects.get(draining=True).url == A

    pools("undrain", address)
    assert not PoolReplica.objects.filter(draining=True).exists()


def test_draining_the_last_one_is_done_with_a_warning(gpus) -> None:
    assert "the last one" not in pools("drain", A)
    assert "the last one" in pools("drain", B)


def test_an_address_that_is_none_is_answered_with_those_there_are(gpus) -> None:
    with pytest.raises(CommandError, match=f"(?s)http://gpu-9.*{A}.*{B}"):
        pools("drain", "http://gpu-9:8000/v1")
    with pytest.raises(CommandError, match="Which replica"):
        pools("drain")


def test_where_two_pools_share_an_address_the_pool_is_asked_for(transactional_db, settings) -> None:
    settings.SELFHOSTED_POOLS = {
        "chats": {"replicas": [A], "models": {"llama": {}}},
        "vectors": {"replicas": [A], "models": {"bge": {"type": "embedding"}}},
    }
    with pytest.raises(CommandError, match="--pool"):
        pools("drain", A)
    pools("drain", A, pool="vectors")
    assert PoolReplica.objects.get(draining=True).pool == "vectors"


@pytest.mark.django_db(transaction=True)
def test_a_running_gateway_reports_and_follows(serve, beside, settings) -> None:
    """Two processes: what one writes the other reads."""
    with FakeReplica("a", models=("llama",)) as one, FakeReplica("b", models=("llama",)) as other:
        pool = {"replicas": [one.base_url, other.base_url], "models": {"llama": {}}}
        settings.SELFHOSTED_POOLS = {"gpus": pool}
        settings.ENGINE_URL = f"http://127.0.0.1:{find_free_port()}"
        environment = beside | {
            "SELFHOSTED_POOLS": json.dumps(settings.SELFHOSTED_POOLS),
            "ENGINE_URL": settings.ENGINE_URL,
            "SESSIONS_ENABLED": "off",
        }
        alice = User.objects.create_user("alice@example.com")
        grant_signup_credits(alice)
        key = issue_key(alice, "test", requests_per_minute=100_000).secret
        headers = {"authorization": f"Bearer {key}"}
        running = serve(environment)
        body = {"model": "llama", "messages": [{"role": "user", "content": "Hello!"}]}

        def is_left_alone(replica: FakeReplica) -> bool:
            before = replica.chats
            for _ in range(20):
                answer = httpx.post(f"{running.url}/v1/chat/completions", json=body, headers=headers)
                assert answer.status_code == 200, answer.text
            return replica.chats == before

        assert not is_left_alone(one)
        pools("drain", one.base_url)
        running.wait_until(lambda: is_left_alone(one))
        assert other.chats
        shown = pools()
        assert "up, draining" in shown
        assert "asked" not in shown, "the running process had told"
        assert httpx.get(f"{running.url}/readyz").json()["pool:gpus"] == "ok"


@pytest.mark.parametrize("name", ["SELFHOSTED_POOLS", "MODEL_ALIASES"])
def test_json_that_is_none_is_said_without_a_traceback(development, name) -> None:
    ended = run_manage(development | {name: '{"gpus": '}, "check")
    assert ended.returncode != 0
    assert name in ended.stdout
    assert "HINT" in ended.stdout
    assert "Traceback" not in ended.stdout
