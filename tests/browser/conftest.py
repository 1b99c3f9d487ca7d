"""A gateway for each test process, a browser for each, and pages that fail a test when they complain.

The browser lives as long as tests of this package follow one another, and no longer: Playwright keeps an event loop
running in the thread of the tests, in which those of other packages could not run theirs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.chromium import launch
from tests.browser.gateway import Gateway, seed, serve_seeded
from tests.browser.watch import Watch

# Milliseconds that a page may take to show something, on a machine that is busy.
PATIENCE = 15_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.getbasetemp()
    # Each process of xdist has a folder of its own in that of the run.
    return seed((folder.parent if hasattr(request.config, "workerinput") else folder) / "browser-seed")


@pytest.fixture(scope="session")
def gateway(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve_seeded(seeded, tmp_path_factory.mktemp("browser")) as gateway:
        yield gateway


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def new_context(browser: Browser, gateway: Gateway) -> Callable[[], BrowserContext]:
    """Makes a browser that nobody has used yet, without animations."""

    def new_context() -> BrowserContext:
        context = browser.new_context(
            base_url=gateway.url,
            viewport={"width": 1280, "height": 800},
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(PATIENCE)
        return context

    return new_context


@pytest.fixture
def context(new_context: Callable[[], BrowserContext]) -> Iterator[BrowserContext]:
    context = new_context()
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext, gateway: Gateway) -> Iterator[Watch]:
    """What goes wrong in the browser fails the test at its end."""
    watch = Watch(context, gateway.url)
    yield watch
    assert watch.take() == []


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Page:
    """A page of somebody who is not signed in."""
    return context.new_page()


@pytest.fixture
def sign_in(context: BrowserContext, gateway: Gateway) -> Callable[[str], None]:
    """Signs the browser in as `full`, `empty` or `guarded`, whom other tests use, too."""

    def sign_in(name: str) -> None:
        take_session(context, gateway, gateway.session(name))

    return sign_in


@dataclass(frozen=True)
class Newcomer:
    """Somebody whom no other test knows."""

    email: str
    session: str
    gateway: Gateway

    def make_key(self) -> str:
        return self.gateway.make_key(self.session)


@pytest.fixture
def newcomer(context: BrowserContext, gateway: Gateway) -> Newcomer:
    """Somebody who has just signed up, whom the browser is signed in as."""
    email = f"{token_hex(8)}@example.com"
    session = gateway.sign_up(email)
    take_session(context, gateway, session)
    return Newcomer(email, session, gateway)


@pytest.fixture(scope="package")
def visit(new_context: Callable[[], BrowserContext], gateway: Gateway) -> Callable[[str, str], tuple[Page, Watch]]:
    """Opens a path as one of the people of the seed, or as nobody; each has one page, used again and again.

    For tests that only look: a browser of its own costs a test more than looking does.
    """
    pages: dict[str, tuple[Page, Watch]] = {}

    def visit(path: str, who: str) -> tuple[Page, Watch]:
        if who not in pages:
            context = new_context()
            watch = Watch(context, gateway.url)
            pages[who] = context.new_page(), watch
        page, watch = pages[who]
        if who:
            take_session(page.context, gateway, gateway.session(who))
        watch.take()
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200
        return page, watch

    return visit


def take_session(context: BrowserContext, gateway: Gateway, session: str) -> None:
    context.add_cookies([{"name": "sessionid", "value": session, "url": gateway.url}])
