"""`manage.py audit_ledger` finds what does not add up, and names the account."""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from billing import audit, ledger
from billing.models import CreditAccount, Hold, LedgerEntry
from billing.verbs import Capture
from billing.verbs import Hold as HoldVerb
from tests.billing.conftest import in_a_minute, open_account
from tests.billing.test_ledger import make_receipt

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def run_audit() -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("audit_ledger", stdout=out, stderr=err)
    except SystemExit as exit_:
        return int(exit_.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def account() -> int:
    """10 credits granted, 2 spent beyond a hold of 3 captured whole, 1 held."""
    account = open_account(10_000)
    receipt = make_receipt("r1", account, captured=3_000, overrun=2_000)
    ledger.apply_now(
        [
            HoldVerb(account_id=account, hold_id="r1", amount=3_000, deadline=in_a_minute()),
            Capture(account_id=account, hold_id="r1", amount=3_000, overrun=2_000, also=[receipt]),
            HoldVerb(account_id=account, hold_id="r2", amount=1_000, deadline=in_a_minute()),
        ]
    )
    return account


def test_books_that_add_up(account: int) -> None:
    code, out, err = run_audit()
    assert (code, err) == (0, "")
    assert "1 accounts, 6 entries, 1 open holds; 5 credits posted, 1 held" in out
    assert "credits spent on calls: 5" in out
    assert "Everything adds up." in out


def enter(account: int, amount: int, kind: str = "grant", cause: str = "forged") -> None:
    LedgerEntry.objects.create(account_id=account, amount=amount, kind=kind, cause=cause, created_at=timezone.now())


def forge_receipt(account: int, **fields: int) -> None:
    make_receipt("forged", account, **fields).save(force_insert=True)


@pytest.mark.parametrize(
    ("forge", "difference"),
    [
        (lambda account: CreditAccount.objects.filter(pk=account).update(posted=5_007), 7),
        (lambda account: CreditAccount.objects.filter(pk=account).update(held=993), -7),
        (lambda account: enter(account, 7), 7),
        (lambda account: Hold.objects.filter(pk="r1").update(captured=2_993), 7),
        (lambda account: Hold.objects.filter(pk="r2").update(state="released", resolved_at=timezone.now()), 1_000),
        (lambda account: forge_receipt(account, captured=7), 7),
        (lambda account: forge_receipt(account, overrun=7), 7),
        (lambda account: enter(account, -7, "capture"), 7),
    ],
)
def test_a_forged_sum_is_found(account: int, forge: Callable[[int], None], difference: int) -> None:
    forge(account)
    code, _, err = run_audit()
    assert code == 1
    assert f"account {account}" in err
    assert f"difference {difference:+}" in err


def test_entries_and_holds_of_nobody_are_found() -> None:
    for account in (987_654, -3):
        enter(account, 7 if account > 0 else -7)
    Hold.objects.create(id="lost", account_id=987_654, amount=7, deadline=timezone.now(), created_at=timezone.now())
    errors = list(audit.find_errors())
    assert [error.split(":")[1].strip() for error in errors] == [
        "every entry belongs to an account",
        "every hold belongs to an account",
    ]


def test_a_balance_below_zero_without_reason_is_found(account: int) -> None:
    poor = open_account()
    enter(poor, -7, "adjustment")
    enter(-5, 7, "adjustment")
    CreditAccount.objects.filter(pk=poor).update(posted=-7)
    assert [error.startswith(f"account {poor}: only a refund") for error in audit.find_errors()] == [True]


@pytest.mark.django_db(transaction=True)
def test_the_audit_sees_one_moment_and_keeps_nobody_from_writing(alice: int) -> None:
    with audit.one_moment():
        assert CreditAccount.objects.get(pk=alice).posted == 10_000
        with ThreadPoolExecutor(1) as other:
            other.submit(asyncio.run, ledger.grant(alice, 1, "meanwhile")).result()
        assert CreditAccount.objects.get(pk=alice).posted == 10_000
    assert not connection.in_atomic_block
    assert CreditAccount.objects.get(pk=alice).posted == 10_001
