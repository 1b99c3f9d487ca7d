"""What a first visit costs: bytes over the wire, and how far the page moves under its reader's eyes."""

import pytest
from playwright.sync_api import BrowserContext, Page, Response

from tests.browser.conftest import take_session
from tests.browser.gateway import Gateway

# Bytes of style sheets and scripts.
MOST = 100_000
# Of the screen, by https://web.dev/articles/cls: up to it a page is good.
FURTHEST = 0.1
NOTE_SHIFTS = """
self.shifted = 0;
const note = (list) => list.getEntries().forEach((entry) => (self.shifted += entry.value));
new PerformanceObserver(note).observe({ type: "layout-shift", buffered: true });
"""
PAGES = ("/", "/models/", "/models/seedream-4.5/", "/docs/quickstart/", "/docs/api/", "/dashboard/", "/explorer/")


@pytest.mark.parametrize("path", PAGES)
def test_a_first_visit_is_light_and_nothing_moves(
    path: str, page: Page, context: BrowserContext, gateway: Gateway
) -> None:
    take_session(context, gateway, gateway.session("full"))
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.add_init_script(NOTE_SHIFTS)
    page.goto(path, wait_until="networkidle")
    loaded = [one.request for one in answers if one.request.resource_type in ("script", "stylesheet")]
    assert loaded
    assert sum(request.sizes()["responseBodySize"] for request in loaded) < MOST
    assert page.evaluate("shifted") < FURTHEST
