"""People with accounts, whose credits are committed where other threads and processes see them."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone
from stripe import HTTPClient

from accounts.models import User
from billing import group_commit, ledger
from billing.audit import find_errors
from billing.models import CreditAccount, LedgerEntry
from billing.payments import stripe_gateway
from billing.verbs import Post
from tests.upstreams.stripe import SECRET, FakeStripe

_numbers = count()


def open_account(amount: int = 0, email: str = "") -> int:
    """The id of a new account with so many millicredits."""
    account = ledger.open_account(User.objects.create_user(email or f"user-{next(_numbers)}@example.com"))
    if amount:
        post(account.pk, amount)
    return account.pk


def post(account_id: int, amount: int, kind: str = "grant", cause: str = "") -> None:
    verb = Post(account_id=account_id, amount=amount, kind=kind, cause=cause or f"test:{next(_numbers)}")
    ledger.apply_now([verb])


def balance_of(account_id: int) -> tuple[int, int]:
    """Posted and held, as the database says."""
    return CreditAccount.objects.values_list("posted", "held").get(pk=account_id)


def entries_of(account_id: int) -> list[tuple[str, int, str]]:
    entries = LedgerEntry.objects.filter(account=account_id).order_by("id")
    return [(entry.kind, entry.amount, entry.cause) for entry in entries]


def in_a_minute() -> datetime:
    return timezone.now() + timedelta(minutes=1)


@pytest.fixture
def audited(transactional_db: None) -> Iterator[None]:
    """As everywhere, but for receipts, which the ledger does not know of."""
    yield
    group_commit.close()
    assert list(find_errors()) == []


@pytest.fixture
def alice(audited: None) -> int:
    return open_account(10_000, "alice@example.com")


@pytest.fixture
def bob(audited: None) -> int:
    return open_account(10_000, "bob@example.com")


@pytest.fixture
async def stripe(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeStripe]:
    """A Stripe whose key is set; its library does not wait long between its own tries."""
    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(HTTPClient, "MAX_DELAY", 0.01)
    with FakeStripe() as fake:
        settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = fake.origin, fake.test_key
        settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
        yield fake
        await stripe_gateway.close()
