"""The dashboard: first steps, the balance, and what was spent."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from accounts.keys import issue_key
from accounts.models import User
from billing.ledger import grant_signup_credits, open_account
from billing.models import CreditAccount
from dashboard.context import ACCOUNT_LINKS
from gateway.models import NoticePreferences
from tests.dashboard.receipts import make_failure, make_receipt

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    user = User.objects.create_user("alice@example.com")
    grant_signup_credits(user)
    return user


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def page_of(browser: Client, path: str = "/dashboard/") -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return unescape(response.content.decode())


def done(page: str) -> int:
    """How many of the first steps are ticked."""
    found = re.search(r"(\d) of 4", page)
    assert found
    return int(found[1])


def with_balance(user: User, available: int) -> None:
    CreditAccount.objects.filter(pk=user.pk).update(posted=available)


def test_strangers_are_asked_to_sign_in() -> None:
    for path in ("/dashboard/", "/billing/"):
        assert Client().get(path)["location"].startswith("/accounts/login/")


def test_the_first_steps_tick_themselves(browser, alice) -> None:
    assert done(page_of(browser)) == 1, "credits are there from the start"
    issue_key(alice, "first")
    assert done(page_of(browser)) == 2
    make_failure(alice, from_page=True)
    assert done(page_of(browser)) == 2, "a call that failed is none"
    make_receipt(alice, from_page=True)
    assert done(page_of(browser)) == 3
    make_receipt(alice)
    page = page_of(browser)
    assert done(page) == 4
    assert "You are set up" in page


def test_who_has_no_credits_is_told_to_get_some_first() -> None:
    user = User.objects.create_user("charlie@example.com")
    browser = Client()
    browser.force_login(user)
    page = page_of(browser)
    assert done(page) == 0
    assert page.index('aria-current="step"') < page.index("Get credits")
    assert "You have no credits left" in page


def test_the_first_steps_can_be_dismissed(browser) -> None:
    assert browser.post("/dashboard/checklist/dismiss/")["location"] == "/dashboard/"
    page = page_of(browser)
    assert "First steps" not in page
    assert "Make an image" in page, "then the empty page offers it"


def test_they_go_by_themselves_once_they_are_done_and_some_days_old(browser, alice) -> None:
    User.objects.filter(pk=alice.pk).update(date_joined=timezone.now() - timedelta(days=8))
    assert "First steps" in page_of(browser)
    make_receipt(alice)
    assert "first steps" not in page_of(browser).lower()


def test_30_days_are_added_up(browser, alice) -> None:
    make_receipt(alice, captured=1_500_500)
    make_failure(alice)
    make_receipt(alice, created_at=timezone.now() - timedelta(days=31))
    page = page_of(browser)
    figures = re.findall(r'<dd class="[^"]*text-2xl[^"]*">([\d,.]+)', page)
    assert figures == ["500", "1,500.5", "2", "1"]
    assert "50%" in page


def test_the_chart_is_grouped_by_what_the_address_says(browser, alice) -> None:
    make_receipt(alice, api_key_id=issue_key(alice, "backend").api_key.pk)
    assert "Credits spent by day and model" in page_of(browser)
    page = page_of(browser, "/dashboard/?by=key")
    assert "Credits spent by day and key" in page
    assert "backend: 1" in page
    assert "Credits spent by day and model" in page_of(browser, "/dashboard/?by=nonsense")


def test_recent_requests_lead_to_their_receipts(browser, alice) -> None:
    receipt = make_receipt(alice)
    assert f'href="/usage/requests/{receipt.pk}/"' in page_of(browser)


def test_a_low_balance_is_told_in_time(browser, alice) -> None:
    assert "credits left" not in page_of(browser)
    with_balance(alice, 9_000)
    assert "9 credits left" in page_of(browser)
    with_balance(alice, 100_000)
    assert "credits left" not in page_of(browser)
    make_receipt(alice, captured=350_000)
    assert "about 2 days" in page_of(browser), "at the rate of the last week"
    with_balance(alice, -1)
    assert "You have no credits left" in page_of(browser)


def test_other_pages_tell_it_too_below_what_the_user_has_chosen(browser, alice) -> None:
    with_balance(alice, 49_000)
    assert "49 credits left" in page_of(browser, "/usage/")
    assert "49 credits left" not in page_of(browser, "/models/"), "which is everybody's"
    NoticePreferences.objects.create(user=alice, thresholds=[20])
    assert "credits left" not in page_of(browser, "/keys/")


def test_the_account_menu_is_on_every_page_of_who_is_signed_in(browser) -> None:
    for path in ("/", "/models/", "/docs/quickstart/", "/keys/", "/accounts/email/"):
        menu = page_of(browser, path).partition('aria-label="Your account, menu"')[2].partition("</details>")[0]
        assert "500 credits" in menu, path
        assert 'action="/accounts/logout/"' in menu, path
        assert "csrfmiddlewaretoken" in menu, path
    assert "alice@example.com" in page_of(browser, "/")
    assert "Sign out" not in Client().get("/").content.decode()


def test_the_palette_finds_pages_models_and_who_is_signed_in_the_account(browser) -> None:
    def found(client: Client) -> set[str]:
        return {entry["url"] for entry in client.get("/search.json").json()["entries"]}

    assert found(browser) - found(Client()) == {url for _, url, _ in ACCOUNT_LINKS}
    assert {"/models/gpt-5.5/", "/docs/errors/", "/explorer/"} < found(Client())


def test_who_signs_in_after_pressing_a_button_is_led_back_to_its_page(browser) -> None:
    for path, page in (("/dashboard/checklist/dismiss/", "/dashboard/"), ("/gallery/image_1/delete/", "/gallery/")):
        assert Client().post(path)["location"] == f"/accounts/login/?next={path}"
        assert browser.get(path)["location"] == page


def test_it_is_few_queries_however_many_receipts_there_are(browser, alice, django_assert_max_num_queries) -> None:
    open_account(alice)
    for _ in range(20):
        make_receipt(alice)
    with django_assert_max_num_queries(18):
        page_of(browser)


def test_a_strict_content_security_policy_suits_it(browser, alice) -> None:
    make_receipt(alice)
    page = page_of(browser)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", page))
