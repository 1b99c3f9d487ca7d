"""A gateway that really listens, and the people who call it: Alice has credits, Bob has his own, Charlie none."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
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
from gateway import jobs
from gateway.providers.sandbox import videos as sandbox_videos
from gateway.queue import worker
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


@dataclass(frozen=True)
class Gateway:
    url: str
    loop: asyncio.AbstractEventLoop


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """A gateway on the loopback, served by uvicorn from a thread of this process."""
    # Chores would ask for a database between the tests, too.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(runtime, "CHORES", ())
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="warning", server_header=False))
    loop: Future[asyncio.AbstractEventLoop] = Future()

    async def serve() -> None:
        loop.set_result(asyncio.get_running_loop())
        await server.serve([listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    yield Gateway(f"http://127.0.0.1:{listener.getsockname()[1]}", loop.result(timeout=10))
    server.should_exit = True
    thread.join(timeout=10)
    monkeypatch.undo()


@pytest.fixture(scope="session")
def gateway_url(gateway: Gateway) -> str:
    """The gateway's address."""
    return gateway.url


@pytest.fixture(scope="session")
def gateway_loop(gateway: Gateway) -> asyncio.AbstractEventLoop:
    """The gateway's event loop, for `asyncio.run_coroutine_threadsafe`: much of a process belongs to one loop."""
    return gateway.loop


@pytest.fixture
def job_loop(gateway_loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tasks are worked on, by the gateway itself and without its pauses."""
    monkeypatch.setattr(worker, "PAUSE", 0.02)
    monkeypatch.setattr(sandbox_videos, "SECONDS_OF_WORK", 0.0)
    monkeypatch.setattr(sandbox_videos, "LOOK_AGAIN_SECONDS", 0.05)

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(jobs.run())

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    task = asyncio.run_coroutine_threadsafe(start(), gateway_loop).result(10)
    yield
    asyncio.run_coroutine_threadsafe(end(), gateway_loop).result(30)


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
