"""A gateway that is killed in the middle of calls: what is held comes back, what is charged adds up."""

import random
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from tests.arkroute.conftest import Running, run_manage
from tests.upstreams.openai import Behaviour, FakeOpenAI

SWEEP = """
from asyncio import run
from datetime import timedelta
from django.utils import timezone
from billing import group_commit, ledger
from billing.models import CreditAccount, Hold
from gateway.models import Receipt
open_before = Hold.objects.filter(state="open").count()
later = timezone.now() + timedelta(minutes=3)
async def sweep():
    return await ledger.sweep(now=later)
swept = run(sweep())
group_commit.close()
account = CreditAccount.objects.get(pk__gt=0)
print("RESULT", open_before, swept, account.posted, account.held, Receipt.objects.filter(captured__gt=0).count())
"""


class Gateway:
    """A gateway of its own process, and what its books say."""

    def __init__(self, serve: Callable[..., Running], environment: dict[str, str]) -> None:
        self.environment = environment
        self._serve = serve
        key = run_manage(environment, "issue_key", "--email", "alice@example.com").stdout.strip().splitlines()[-1]
        self.headers = {"authorization": f"Bearer {key}"}
        self.running = serve(environment, "--no-jobs")

    def ask(self, *, stream: bool = False) -> None:
        """One call, whose answer may never come."""
        body = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello!"}], "stream": stream}
        try:
            httpx.post(f"{self.running.url}/v1/chat/completions", json=body, headers=self.headers, timeout=30)
        except httpx.TransportError:
            return

    def kill(self) -> None:
        self.running.kill()

    def books(self) -> dict[str, int]:
        """After a sweep that comes when every lease has ended. The audit must agree."""
        result = run_manage(self.environment, "shell", "-c", SWEEP).stdout
        numbers = result[result.index("RESULT") :].split()[1:]
        audit = run_manage(self.environment, "audit_ledger")
        assert audit.returncode == 0, audit.stdout
        names = ("open_before", "swept", "posted", "held", "charged")
        return dict(zip(names, map(int, numbers), strict=True))

    def serves_again(self) -> bool:
        self.running = self._serve(self.environment, "--no-jobs")
        return httpx.get(f"{self.running.url}/v1/account", headers=self.headers).json()["credits"]["held"] == 0


@pytest.fixture
def upstream():
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
def gateway(serve, development, upstream) -> Gateway:
    return Gateway(serve, development | {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": upstream.base_url})


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("behaviour", "stream"),
    [(Behaviour(hang=True), False), (Behaviour(reply="word " * 500, chunk_delay=0.02), True)],
    ids=["while the provider works", "in the middle of a stream"],
)
def test_killed_with_a_call_in_flight_its_hold_comes_back(gateway, upstream, behaviour, stream) -> None:
    upstream.behaviour = behaviour
    call = threading.Thread(target=gateway.ask, kwargs={"stream": stream})
    call.start()
    wait_for(lambda: upstream.requests)
    time.sleep(0.2)
    gateway.kill()
    call.join()

    assert gateway.books() == {"open_before": 1, "swept": 1, "posted": 500_000, "held": 0, "charged": 0}
    assert gateway.serves_again()


def test_killed_at_any_moment_under_load_everything_adds_up(gateway, upstream) -> None:
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            gateway.ask()

    callers = [threading.Thread(target=keep_asking) for _ in range(8)]
    for caller in callers:
        caller.start()
    wait_for(lambda: len(upstream.requests) > 20)
    time.sleep(random.uniform(0, 0.2))
    gateway.kill()
    over.set()
    for caller in callers:
        caller.join()

    books = gateway.books()
    assert books["open_before"] == books["swept"] <= len(callers)
    assert books["held"] == 0
    assert books["posted"] == 500_000 - 1_000 * books["charged"]
    assert gateway.serves_again()
