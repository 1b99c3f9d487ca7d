"""The page of usage: sums of receipts, and the same as CSV."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient, Client

from accounts.keys import issue_key
from accounts.models import ApiKey, User
from billing.ledger import open_account
from dashboard import tallies
from dashboard.models import DayOfUsage
from dashboard.receipts import Filters, break_down, read_filters
from dashboard.tables import safe_cell
from gateway.models import Receipt
from tests.dashboard.receipts import make_failure, make_receipt

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def alice() -> User:
    user = User.objects.create_user("alice@example.com")
    open_account(user)
    return user


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def named_key(user: User, name: str) -> ApiKey:
    return issue_key(user, name).api_key


def filters_of(**params: str) -> Filters:
    return read_filters(params)


def page_of(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_what_is_charged_counts_with_what_went_beyond_the_hold(alice) -> None:
    make_receipt(alice, captured=4000, overrun=500)
    total = break_down(alice, filters_of(), "model").total
    assert (total.requests, total.errors, total.spent) == (1, 0, 4500)


def test_calls_are_grouped_by_model_by_key_and_by_type(alice) -> None:
    key = named_key(alice, "backend")
    make_receipt(alice, api_key_id=key.pk)
    make_receipt(alice, api_key_id=key.pk, model="sandbox-image", endpoint="/v1/images/edits", captured=2000)
    make_receipt(alice, api_key_id=key.pk, model="sandbox-image", endpoint="/mcp/generate_image", captured=3000)
    make_receipt(alice, api_key_id=999, endpoint="/v1/responses")

    def names(by: str) -> list[tuple[str, int]]:
        return [(group.name, group.sums.spent) for group in break_down(alice, filters_of(), by).groups]

    assert names("model") == [("sandbox-image", 5000), ("sandbox-chat", 2000)]
    assert names("key") == [("backend", 6000), ("deleted key 999", 1000)]
    assert names("type") == [("Image", 5000), ("Chat", 2000)]


def test_keys_of_one_name_are_told_apart(alice) -> None:
    for key in (named_key(alice, "laptop"), named_key(alice, "laptop"), named_key(alice, "")):
        make_receipt(alice, api_key_id=key.pk)
    names = [group.name for group in break_down(alice, filters_of(), "key").groups]
    assert len(set(names)) == 3


def test_a_client_that_leaves_is_no_error(alice) -> None:
    make_failure(alice)
    make_failure(alice, "cancelled")
    make_receipt(alice, outcome=Receipt.Outcome.LATE, captured=0)
    total = break_down(alice, filters_of(), "model").total
    assert (total.requests, total.errors) == (3, 2)


def test_filters_are_kept_to_and_others_receipts_are_never_seen(alice) -> None:
    bob = User.objects.create_user("bob@example.com")
    open_account(bob)
    make_receipt(bob)
    key = named_key(alice, "backend")
    make_receipt(alice, model="sandbox-image", api_key_id=key.pk)
    make_receipt(alice, model="sandbox-image")
    make_receipt(alice, created_at=datetime.now(UTC) - timedelta(days=40))

    def count(**params: str) -> int:
        return break_down(alice, filters_of(**params), "model").total.requests

    assert count() == 2
    assert count(model="sandbox-image", key=str(key.pk)) == 1
    assert count(model="sandbox-chat") == 0
    assert count(key="1; DROP TABLE", model="sandbox-image\0") == 2, "what cannot be a filter is none"


def test_queries_do_not_grow_with_receipts(alice, django_assert_num_queries) -> None:
    for _ in range(5):
        make_receipt(alice)
    with django_assert_num_queries(3):  # days that are known, the others, and the names of keys
        break_down(alice, filters_of(), "key")


def test_days_with_many_calls_are_remembered_once_they_are_over(alice, monkeypatch, django_assert_num_queries) -> None:
    monkeypatch.setattr(tallies, "MANY_CALLS", 2)
    now = datetime.now(UTC)
    for days in (0, 0, 3, 3, 5, 9, 9):
        make_receipt(alice, created_at=now - timedelta(days=days))
    make_failure(alice, created_at=now - timedelta(days=3))
    before = break_down(alice, filters_of(), "model")
    assert (before.total.requests, before.total.errors) == (8, 1)
    days = [row.day for row in DayOfUsage.objects.order_by("day")]
    assert days == [(now - timedelta(days=days)).date() for days in (9, 3)], "not today, nor a day with few calls"
    make_receipt(alice)
    after = break_down(alice, filters_of(), "model")
    assert after.total.requests == 9
    assert after.groups[0].steps.keys() == before.groups[0].steps.keys()
    assert break_down(alice, filters_of(status="error"), "model").total.requests == 1
    assert break_down(alice, filters_of(range="7d"), "model").total.requests == 7
    with django_assert_num_queries(4):  # the days that are known, and the three spans around them
        break_down(alice, filters_of(), "model")


def test_the_database_finds_them_by_the_index_of_an_account(alice) -> None:
    plan = filters_of().find(alice).explain()
    assert "receipts_of_an_account" in plan or connection.vendor != "sqlite"


def test_the_page_shows_chart_and_totals_and_keeps_its_state_in_its_links(browser, alice) -> None:
    make_receipt(alice, captured=1_234_500)
    page = page_of(browser, "/usage/?range=7d&by=type&show=requests")
    assert re.search(r">1,234\.5 <span[^>]*>credits<", page)
    assert "Requests by type, the last 7 days" in page
    assert "/usage/usage.csv?range=7d&by=type" in page
    assert "/usage/?range=7d&by=model&show=requests" in page
    assert not any(mark in page for mark in ("style=", "onclick="))


def test_the_page_tells_the_error_rate_and_the_latency(browser, alice) -> None:
    for milliseconds in (1000, 2000, 9000):
        make_receipt(alice, milliseconds=milliseconds)
    make_failure(alice)
    page = page_of(browser, "/usage/")
    assert re.search(r"Error rate.*?>25%<", page, re.DOTALL)
    assert re.search(r"Median latency.*?>2\.0 s<.*?95th percentile 8\.3 s", page, re.DOTALL)


def test_a_page_without_receipts_says_what_to_do(browser) -> None:
    assert "Nothing in this period" in page_of(browser, "/usage/")
    assert "Clear filters" in page_of(browser, "/usage/?model=sandbox-chat")
    assert "Give both days" in page_of(browser, "/usage/?range=custom")


async def read_csv(user: User, path: str) -> list[dict[str, str]]:
    client = AsyncClient()
    await client.aforce_login(user)
    response = await client.get(path)
    assert response["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["content-disposition"]
    body = b"".join([piece async for piece in response]).decode()
    return list(csv.DictReader(io.StringIO(body)))


@pytest.mark.django_db(transaction=True)
async def test_csv_has_a_line_for_each_group_of_each_day() -> None:
    alice = await User.objects.acreate(email="alice@example.com")
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    await _make_two(alice)
    lines = await read_csv(alice, "/usage/usage.csv?by=model&model=sandbox-chat")
    assert lines == [{"day_utc": day, "model": "sandbox-chat", "requests": "1", "errors": "0", "credits": "1"}]


async def _make_two(user: User) -> None:
    def make() -> None:
        open_account(user)
        make_receipt(user)
        make_receipt(user, model="sandbox-image")

    await sync_to_async(make)()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_numbers_and_plain_texts_stay_as_they_are() -> None:
    assert [safe_cell(cell) for cell in (-1, 0.5, "a=b", "")] == [-1, 0.5, "a=b", ""]
