"""A purchase from the page of packs to the credits, at a Stripe that is paid by a browser and tells of it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import take_session
from tests.browser.gateway import Gateway, serve_seeded
from tests.browser.watch import Watch
from tests.upstreams.stripe import DECLINED, SECRET, VISA, FakeStripe


@pytest.fixture(scope="module")
def stripe() -> Iterator[FakeStripe]:
    with FakeStripe() as fake:
        yield fake


@pytest.fixture(scope="module")
def shop(seeded: Path, stripe: FakeStripe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One of its own, which sells."""
    payments = {
        "STRIPE_SECRET_KEY": stripe.test_key,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_BASE": stripe.origin,
    }
    with serve_seeded(seeded, tmp_path_factory.mktemp("selling"), settings=payments) as shop:
        yield shop


@pytest.fixture
def buyer(context: BrowserContext, shop: Gateway, watch: Watch, stripe: FakeStripe) -> Page:
    """Somebody who has just signed up."""
    watch.home(stripe.origin)
    watch.home(shop.url)
    take_session(context, shop, shop.sign_up("buyer@example.com"))
    return context.new_page()


def test_a_pack_is_paid_on_stripes_page_and_the_credits_are_there(
    buyer: Page, shop: Gateway, stripe: FakeStripe
) -> None:
    buyer.goto(f"{shop.url}/billing/")
    expect(buyer.get_by_text("Stripe's test mode")).to_be_visible()
    buyer.get_by_role("button", name=re.compile("^1,000 credits")).click()
    buyer.get_by_label("Card number").fill(DECLINED)
    buyer.get_by_role("button", name="Pay").click()
    expect(buyer.get_by_text("declined")).to_be_visible()
    buyer.get_by_label("Card number").fill(VISA)
    buyer.get_by_role("button", name="Pay").click()
    expect(buyer.get_by_role("heading", name="Your credits are here")).to_be_visible()
    expect(buyer.get_by_text("You have 1,500 now.")).to_be_visible()
    assert set(stripe.webhooks.flush(f"{shop.url}/billing/webhooks/stripe/")) == {200}
    buyer.reload()
    expect(buyer.get_by_text("You have 1,500 now.")).to_be_visible()
    buyer.get_by_role("link", name="Billing").last.click()
    expect(buyer.get_by_role("cell", name="1,000 credits")).to_be_visible()
    expect(buyer.get_by_role("link", name="Receipt")).to_be_visible()
    buyer.get_by_role("link", name="Every movement").click()
    expect(buyer.get_by_role("row", name=re.compile("Bought Payment .*1,000 1,500"))).to_be_visible()
