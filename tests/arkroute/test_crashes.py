"""A gateway that is killed in the middle of calls: what is held comes back, what is charged adds up."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from accounts.keys import issue_key
from accounts.models import User
from arkroute.management.commands.audit_ledger import RECEIPTS
from billing import group_commit, ledger
from billing.audit import CHECKS, find_errors
from billing.models import CreditAccount, Hold
from gateway.models import Receipt
from tests.arkroute.conftest import Running, run_manage
from tests.upstreams.openai import FakeOpenAI
from tests.upstreams.openai_behaviour import Behaviour

pytestmark = pytest.mark.django_db(transaction=True)


class Gateway:
    """A gateway of its own process, and what its books say."""

    def __init__(self, serve: Callable[..., Running], environment: dict[str, str]) -> None:
        self.environment = environment
        self._serve = serve
        self._user = User.objects.create_user("alice@example.com")
        ledger.grant_signup_credits(self._user, credits=500)
        self.headers = {"authorization": f"Bearer {issue_key(self._user, 'test').secret}"}
        self.running = serve(environment, "--no-jobs")

    def ask(self, *, stream: bool = False, text: str = "Hello!") -> None:
        """One call, whose answer may never come."""
        try:
            self.answer(stream=stream, text=text)
        except httpx.TransportError:
            return

    def answer(self, *, stream: bool = False, text: str = "Hello!") -> httpx.Response:
        body = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": text}], "stream": stream}
        return httpx.post(f"{self.running.url}/v1/chat/completions", json=body, headers=self.headers, timeout=30)

    def kill(self) -> None:
        self.running.kill()

    def books(self) -> dict[str, int]:
        """After a sweep that comes when every lease has ended. The audit must agree."""
        open_before = Hold.objects.filter(state="open").count()
        swept = asyncio.run(ledger.sweep(now=timezone.now() + timedelta(minutes=3)))
        group_commit.close()
        account = CreditAccount.objects.get(pk=self._user.pk)
        charged = Receipt.objects.filter(captured__gt=0).count()
        assert list(find_errors((*CHECKS, *RECEIPTS))) == []
        return {
            **{"open_before": open_before, "swept": swept},
            **{"posted": account.posted, "held": account.held, "charged": charged},
        }

    def serves_again(self) -> bool:
        self.running = self._serve(self.environment, "--no-jobs")
        return httpx.get(f"{self.running.url}/v1/account", headers=self.headers).json()["credits"]["held"] == 0


@pytest.fixture
def upstream():
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
def gateway(serve, beside, upstream) -> Gateway:
    return Gateway(serve, beside | {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": upstream.base_url})


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_killed_with_calls_in_flight_their_holds_come_back(gateway, upstream) -> None:
    """One while the provider works, one in the middle of a stream."""
    calls = [
        threading.Thread(target=gateway.ask, kwargs={"text": "upstream:hang"}),
        threading.Thread(target=gateway.ask, kwargs={"text": "upstream:stall_after=2", "stream": True}),
    ]
    for call in calls:
        call.start()
    wait_for(lambda: len(upstream.requests) == len(calls))
    time.sleep(0.2)
    gateway.kill()
    for call in calls:
        call.join()

    assert gateway.books() == {"open_before": 2, "swept": 2, "posted": 500_000, "held": 0, "charged": 0}
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


AGE = """
from datetime import timedelta
from django.utils import timezone
from gateway.models import IdempotentCall
IdempotentCall.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
"""


def test_killed_with_a_keyed_call_in_flight_the_key_is_free_when_its_hold_has_come_back(gateway, upstream) -> None:
    upstream.behaviour = Behaviour(hang=True)
    gateway.headers["idempotency-key"] = "mine"
    call = threading.Thread(target=gateway.ask)
    call.start()
    wait_for(lambda: upstream.requests)
    time.sleep(0.2)
    gateway.kill()
    call.join()
    upstream.behaviour = Behaviour()
    # Two minutes later.
    run_manage(gateway.environment, "shell", "-c", AGE)
    assert gateway.serves_again() is False, "the hold is there until it is swept"
    answers = [gateway.answer()]
    assert gateway.books()["swept"] == 1
    answers += [gateway.answer() for _ in range(2)]
    assert [(one.status_code, one.headers.get("idempotent-replayed")) for one in answers] == [
        (409, None),
        (200, None),
        (200, "true"),
    ]
    account = httpx.get(f"{gateway.running.url}/v1/account", headers=gateway.headers).json()
    assert account["credits"] == {"balance": 499, "held": 0, "available": 499}
