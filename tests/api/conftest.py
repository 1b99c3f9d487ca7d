"""A gateway that really listens, and the people who call it: Alice has credits, Bob has his own, Charlie none."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn

from accounts.keys import issue_key
from accounts.models import User
from arkroute import runtime
from arkroute.asgi import application
from billing import ledger
from billing.models import CreditAccount, LedgerEntry
from tests.upstreams.openai import FakeOpenAI


@dataclass(frozen=True)
class Person:
    """A user with a key. `money()` is what the books say of them: posted, held, number of entries."""

    user: User
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def money(self) -> tuple[int, int, int]:
        account = CreditAccount.objects.get(pk=self.user.pk)
        return account.posted, account.held, LedgerEntry.objects.filter(account=account).count()


@pytest.fixture
def make_person(transactional_db: None) -> Callable[..., Person]:
    def make(email: str, *, credits: int = 500, **limits: int) -> Person:
        user = User.objects.create_user(email)
        ledger.grant_signup_credits(user, credits=credits)
        return Person(user=user, key=issue_key(user, "test", **limits).secret)

    return make


@pytest.fixture
def alice(make_person: Callable[..., Person]) -> Person:
    return make_person("alice@example.com")


@pytest.fixture
def charlie(make_person: Callable[..., Person]) -> Person:
    """Has a key and no credits."""
    return make_person("charlie@example.com", credits=0)


@pytest.fixture(scope="session")
def gateway_url() -> Iterator[str]:
    """The address of a gateway on the loopback, served by uvicorn from a thread of this process."""
    # Chores would ask for a database between the tests, too.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(runtime, "CHORES", ())
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="warning", server_header=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)
    monkeypatch.undo()


@pytest.fixture
def http(gateway_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway_url, timeout=30) as client:
        yield client


@pytest.fixture
def upstream(settings) -> Iterator[FakeOpenAI]:
    """A stand-in for api.openai.com, to which the provider `openai` points."""
    with FakeOpenAI() as fake:
        settings.PROVIDERS = {"openai": {"api_keys": ["sk-test"], "base_url": fake.base_url}}
        yield fake


@pytest.fixture
def dead_upstream(settings) -> None:
    """The provider `openai` points to a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings.PROVIDERS = {"openai": {"api_keys": ["sk-test"], "base_url": f"http://127.0.0.1:{port}/v1"}}
