"""Where did the credits go? The ledger of an account, with its balance after each entry."""

from collections.abc import Iterable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from billing.admin.ledger import LedgerEntryAdmin
from billing.models import LedgerEntry
from tests.billing.conftest import open_account, post

pytestmark = pytest.mark.django_db
LEDGER = reverse("admin:billing_ledgerentry_changelist")


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com"))
    return client


@pytest.fixture
def alice() -> int:
    account = open_account(10_000, "alice@example.com")
    for amount, kind in ((5_000, "purchase"), (-250, "adjustment"), (-1_000, "expiry"), (3_000, "purchase")):
        post(account, amount, kind)
    return account


def shown(staff: Client, **params: object) -> list[tuple[int, int | None]]:
    rows: Iterable = staff.get(LEDGER, params).context["cl"].result_list
    return [(row.amount, row.balance) for row in rows]


@pytest.mark.database
def test_each_entry_of_an_account_tells_the_balance_after_it(staff: Client, alice: int, monkeypatch) -> None:
    whole = [(3_000, 16_750), (-1_000, 13_750), (-250, 14_750), (5_000, 15_000), (10_000, 10_000)]
    assert shown(staff, account=alice) == whole
    # What is left out counts all the same.
    assert shown(staff, account=alice, kind__exact="purchase") == [whole[0], whole[3]]
    monkeypatch.setattr(LedgerEntryAdmin, "list_per_page", 2)
    assert [shown(staff, account=alice, p=page) for page in (1, 2, 3)] == [whole[:2], whole[2:4], whole[4:]]
    assert "16.75" in staff.get(LEDGER, {"account": alice}).content.decode()


def test_entries_are_found_by_owner_account_cause_and_day(staff: Client, alice: int) -> None:
    open_account(1, "bob@example.com")
    cause = LedgerEntry.objects.filter(account_id=alice, kind="expiry").get().cause
    today = LedgerEntry.objects.latest("pk").created_at.date().isoformat()
    assert len(shown(staff, q="alice@")) == len(shown(staff, q=alice)) == 5
    assert [amount for amount, _ in shown(staff, q=cause)] == [1_000, -1_000]
    assert len(shown(staff, account=alice, since=today, until=today)) == 5
    assert shown(staff, account=alice, until="2020-01-01") == shown(staff, q="nobody") == []


@pytest.mark.parametrize("wrong", [{"account": "x"}, {"account": "9" * 30}, {"since": "yesterday"}])
def test_a_filter_that_is_none_leads_back_to_the_list(staff: Client, wrong: dict[str, str]) -> None:
    assert staff.get(LEDGER, wrong)["Location"].endswith("?e=1")


@pytest.mark.parametrize("name", ["ledgerentry", "hold", "adjustment", "creditaccount"])
def test_a_list_costs_the_same_queries_however_long_and_counts_no_table(staff: Client, name: str) -> None:
    costs = []
    for more in (0, 1, 12):
        for _ in range(more):
            open_account(1_000)
        with CaptureQueriesContext(connection) as queries:
            assert staff.get(reverse(f"admin:billing_{name}_changelist")).status_code == 200
        costs.append(len(queries))
        counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        assert counts
        assert all("LIMIT" in sql for sql in counts)
    # The first request of a session costs one more.
    assert costs[1] == costs[2]


def test_an_account_without_permission_shows_nothing(client: Client, alice: int) -> None:
    client.force_login(User.objects.create_user("staff@example.com", is_staff=True))
    assert client.get(LEDGER).status_code == 403
    assert client.get(reverse("admin:billing_creditaccount_change", args=[alice])).status_code == 403
