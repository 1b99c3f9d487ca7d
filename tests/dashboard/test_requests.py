"""The log of requests, and receipts."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client

from accounts.keys import issue_key
from accounts.models import User
from billing.ledger import open_account
from dashboard import requests
from dashboard.receipts import duration_text
from dashboard.skeletons import BODIES, FORMS
from gateway.models import Receipt
from tests.dashboard.receipts import make_failure, make_receipt

pytestmark = pytest.mark.django_db

LOG = "/usage/requests/"


@pytest.fixture
def alice() -> User:
    user = User.objects.create_user("alice@example.com")
    open_account(user)
    return user


@pytest.fixture
def bob() -> User:
    user = User.objects.create_user("bob@example.com")
    open_account(user)
    return user


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def page_of(browser: Client, path: str = LOG) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return unescape(response.content.decode())


def ids_on(page: str) -> list[str]:
    return re.findall(r'href="/usage/requests/(req_\w+)/"', page)


def receipt_page(browser: Client, receipt: Receipt) -> str:
    return page_of(browser, f"{LOG}{receipt.pk}/")


def test_the_newest_comes_first_and_only_ones_own(browser, alice, bob) -> None:
    make_receipt(bob)
    old = make_receipt(alice, created_at=datetime.now(UTC) - timedelta(hours=1))
    new = make_receipt(alice)
    assert ids_on(page_of(browser)) == [new.pk, old.pk]


def test_a_line_tells_model_status_latency_credits_and_key(browser, alice) -> None:
    key = issue_key(alice, "backend").api_key
    make_failure(alice, "overloaded", api_key_id=key.pk, model="nano-banana-2", milliseconds=3210)
    page = page_of(browser)
    for shown in ("nano-banana-2", "overloaded", "3.2 s", "backend", "Error"):
        assert shown in page


def test_filters_stand_in_the_address_and_choose_the_lines(browser, alice) -> None:
    fine, failed, left = make_receipt(alice), make_failure(alice), make_failure(alice, "cancelled")
    assert ids_on(page_of(browser, f"{LOG}?status=error")) == [failed.pk]
    assert ids_on(page_of(browser, f"{LOG}?status=cancelled")) == [left.pk]
    page = page_of(browser, f"{LOG}?status=succeeded&range=24h")
    assert ids_on(page) == [fine.pk]
    assert "/usage/requests.csv?range=24h&status=succeeded" in page


def test_pages_follow_each_other_without_gap_or_repetition(browser, alice, monkeypatch) -> None:
    monkeypatch.setattr(requests, "PAGE", 3)
    # Several of one moment: the id decides then.
    moments = [datetime.now(UTC) - timedelta(minutes=at // 4) for at in range(10)]
    made = {make_receipt(alice, created_at=moment).pk for moment in moments}
    seen, path = [], LOG
    while path:
        page = page_of(browser, path)
        seen += ids_on(page)
        older = re.search(r'href="(\?[^"]*before=[^"]*)" rel="next"', page)
        path = f"{LOG}{older[1]}" if older else ""
    assert len(seen) == 10
    assert set(seen) == made


@pytest.mark.parametrize(
    "cursor", ["x", "2026-13-45~req", "2026-11-01T00:00:00~r", "~", "2026-11-01T00:00:00+00:00~\0"]
)
def test_a_cursor_that_is_none_shows_the_newest(browser, alice, cursor: str) -> None:
    receipt = make_receipt(alice)
    assert ids_on(page_of(browser, f"{LOG}?before={cursor.replace('+', '%2B')}")) == [receipt.pk]


def test_a_request_is_found_by_its_id(browser, alice, bob) -> None:
    mine, hers = make_receipt(alice, created_at=datetime.now(UTC) - timedelta(days=300)), make_receipt(bob)
    assert browser.get(LOG, {"id": f" {mine.pk} "})["location"] == f"{LOG}{mine.pk}/"
    for unknown in (hers.pk, "nonsense", "\0"):
        assert "No receipt of yours has this id" in page_of(browser, f"{LOG}?id={unknown}")


def test_another_users_receipt_looks_like_none(browser, bob) -> None:
    assert browser.get(f"{LOG}{make_receipt(bob).pk}/").status_code == 404
    assert browser.get(f"{LOG}req_none/").status_code == 404
    assert browser.get(f"{LOG}%00/").status_code == 404, "which Postgres would fail at"


def test_a_receipt_tells_how_the_hold_became_the_charge(browser, alice) -> None:
    page = receipt_page(browser, make_receipt(alice, quote=4000, captured=4000, overrun=250))
    assert re.search(r"Used beyond the hold</dt><dd[^>]*>\+0\.25<", page)
    assert re.search(r"Charged</dt><dd[^>]*>4\.25<", page)
    page = receipt_page(browser, make_receipt(alice, quote=4000, captured=1000))
    assert re.search(r"Released when it ended</dt><dd[^>]*>-3<", page)


def test_a_receipt_tells_who_was_asked_for_how_long_and_what_was_used(browser, alice) -> None:
    attempts = [
        {"served_by": "openai/gpt-5", "milliseconds": 250, "error": "overloaded"},
        {"served_by": "google/gemini", "milliseconds": 750, "error": ""},
    ]
    usage = {"input_tokens": 1234, "seconds": 2.5, "reported": False}
    page = receipt_page(browser, make_receipt(alice, attempts=attempts, usage=usage, overhead_microseconds=1800))
    for shown in ("openai/gpt-5", "google/gemini", "answered, 750 ms", "1,234", "2.5", "As we counted it", "1.8 ms"):
        assert shown in page
    assert re.search(r'x="25\.0" y="0" width="75\.0"', page)


def test_a_failure_says_that_nothing_was_charged(browser, alice) -> None:
    page = receipt_page(browser, make_failure(alice, "content_policy_violation"))
    assert "content_policy_violation" in page
    assert "The provider refuses this content." in page, "which is what the code means"
    assert "Nothing was charged" in page


def test_what_was_cut_in_the_middle_says_so(browser, alice) -> None:
    partial = make_receipt(alice, outcome=Receipt.Outcome.PARTIAL, error_code="provider_error")
    assert "What was delivered until then is charged" in receipt_page(browser, partial)


def test_the_call_can_be_copied_without_what_was_said(browser, alice) -> None:
    page = receipt_page(browser, make_receipt(alice))
    assert "curl http://testserver/v1/chat/completions" in page
    assert '"content": "…"' in page
    assert "does not keep what you sent" in page


@pytest.mark.parametrize("endpoint", [*BODIES, *FORMS, "/v1/something/else"])
def test_every_endpoint_has_a_receipt_that_can_be_shown(browser, alice, endpoint: str) -> None:
    assert endpoint in receipt_page(browser, make_receipt(alice, endpoint=endpoint))


def test_a_receipt_is_a_page_of_its_own_and_an_article_for_the_sheet(browser, alice) -> None:
    page = receipt_page(browser, make_receipt(alice))
    assert page.count("<h1") == page.count("data-sheet-article") == 1


def test_strangers_are_asked_to_sign_in() -> None:
    for path in (LOG, "/usage/", "/usage/usage.csv", "/usage/requests.csv", f"{LOG}req_1/", "/gallery/"):
        assert Client().get(path)["location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (59_949, "59.9 s"), (59_990, "1 min 0 s"), (125_000, "2 min 5 s")],
)
def test_durations_are_written_as_people_read_them(milliseconds: int, text: str) -> None:
    assert duration_text(milliseconds) == text


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
async def test_csv_has_all_that_the_filters_find_and_no_formula() -> None:
    alice = await User.objects.acreate(email="alice@example.com")

    def make() -> None:
        open_account(alice)
        key = issue_key(alice, '=HYPERLINK("http://evil")').api_key
        for at in range(requests.PAGE + 5):
            make_receipt(alice, api_key_id=key.pk, milliseconds=at)
        make_failure(alice)

    await sync_to_async(make)()
    client = AsyncClient()
    await client.aforce_login(alice)
    response = await client.get("/usage/requests.csv?status=succeeded")
    body = b"".join([piece async for piece in response]).decode()
    lines = list(csv.DictReader(io.StringIO(body)))
    assert len(lines) == requests.PAGE + 5
    assert {line["key"] for line in lines} == {'\'=HYPERLINK("http://evil")'}
    assert {line["credits"] for line in lines} == {"1"}
