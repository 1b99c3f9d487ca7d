"""`manage.py reconcile_stripe`: what was missed is booked, once; what differs is told."""

import asyncio
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.database import run_in_database_thread
from accounts.models import User
from billing.ledger import MILLICREDITS
from billing.models import CreditAccount, LedgerEntry, Purchase
from billing.packs import find_pack
from billing.payments import checkout
from billing.payments.reconciliation import Report, reconcile
from tests.billing.conftest import open_account
from tests.upstreams.stripe import FakeStripe

pytestmark = pytest.mark.usefixtures("audited", "stripe")


@pytest.fixture
async def alice(stripe: FakeStripe) -> User:
    return await User.objects.aget(pk=await run_in_database_thread(open_account, 0, "alice@example.com"))


async def begin(user: User) -> Purchase:
    await checkout.begin(
        user, find_pack("250"), success=lambda _: "https://a.test/", cancel=lambda _: "https://a.test/"
    )
    return await Purchase.objects.alatest("created_at")


async def look() -> Report:
    return await reconcile(timezone.now() - timedelta(days=30))


async def balance_of(user: User) -> float:
    return (await CreditAccount.objects.aget(pk=user.pk)).posted / MILLICREDITS


async def test_payments_refunds_and_disputes_nobody_told_of_are_booked(stripe: FakeStripe, alice: User) -> None:
    paid, refunded, disputed, left = [await begin(alice) for _ in range(4)]
    for purchase in (paid, refunded, disputed):
        stripe.pay(purchase.checkout_id)
    stripe.refund(refunded.checkout_id, 400)
    stripe.dispute(disputed.checkout_id)
    stripe.expire(left.checkout_id)
    report = await look()
    assert report.differences == []
    assert len(report.booked) == 5
    assert await balance_of(alice) == 250 + 150
    again = await look()
    assert (again.booked, again.differences) == ([], [])


async def test_two_at_once_book_everything_once(stripe: FakeStripe, alice: User) -> None:
    for _ in range(5):
        stripe.pay((await begin(alice)).checkout_id)
    await asyncio.gather(look(), look(), look())
    assert await balance_of(alice) == 1250
    assert await LedgerEntry.objects.filter(account=alice.pk).acount() == 5


async def test_what_is_not_what_was_asked_for_is_told_and_not_booked(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    stripe.tamper(purchase.checkout_id, amount_subtotal=1)
    report = await look()
    assert report.booked == []
    [difference] = report.differences
    assert purchase.pk in difference
    assert await balance_of(alice) == 0


async def test_a_purchase_whose_entry_is_not_there_is_told(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    await Purchase.objects.filter(pk=purchase.pk).aupdate(state="paid", settled_at=timezone.now())
    [difference] = (await look()).differences
    assert "entered were 0" in difference


async def test_the_command_says_what_it_did_and_fails_where_something_differs(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    said, complaints = StringIO(), StringIO()
    await run_in_database_thread(lambda: call_command("reconcile_stripe", stdout=said, stderr=complaints))
    assert f"booked: checkout {purchase.checkout_id}" in said.getvalue()
    assert "1 booked that were missing, 0 differences" in said.getvalue()
    other = await begin(alice)
    stripe.pay(other.checkout_id)
    stripe.tamper(other.checkout_id, currency="jpy")
    with pytest.raises(SystemExit):
        await run_in_database_thread(lambda: call_command("reconcile_stripe", stdout=said, stderr=complaints))
    assert other.pk in complaints.getvalue()


async def test_without_a_key_it_says_so(stripe: FakeStripe, settings: object) -> None:
    settings.STRIPE_SECRET_KEY = ""  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="not sold here"):
        await run_in_database_thread(lambda: call_command("reconcile_stripe"))
