"""Automatic top-ups: credits are bought when they run low, never twice for one reason, and it stops when it fails."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from accounts.database import run_in_database_thread
from accounts.models import User
from billing.ledger import MILLICREDITS
from billing.models import AutoTopUp, CreditAccount, Customer, LedgerEntry, Purchase
from billing.payments import checkout, top_up
from billing.payments.errors import PaymentsUnavailable
from billing.payments.settlement import settle_payment
from tests.billing.conftest import open_account
from tests.upstreams.stripe import FakeStripe

pytestmark = pytest.mark.usefixtures("audited", "stripe")

State = Purchase.State
DOLLAR = 100


@pytest.fixture
async def alice(stripe: FakeStripe) -> int:
    """Her account: 10 credits, a card on file, and top-ups of 20 dollars below 100 credits, 100 dollars a month."""
    account_id = await run_in_database_thread(open_account, 10 * MILLICREDITS, "alice@example.com")
    user = await User.objects.aget(pk=account_id)
    customer = await checkout.find_customer(user)
    stripe.save_card(customer.stripe_id)
    await checkout.refresh_cards(user)
    await AutoTopUp.objects.acreate(
        account_id=account_id,
        enabled=True,
        threshold=100 * MILLICREDITS,
        price=20 * DOLLAR,
        monthly_cap=100 * DOLLAR,
    )
    return account_id


async def balance_of(account_id: int) -> float:
    return (await CreditAccount.objects.aget(pk=account_id)).posted / MILLICREDITS


async def row() -> AutoTopUp:
    return await AutoTopUp.objects.aget()


async def is_due_again() -> None:
    await AutoTopUp.objects.aupdate(next_at=None)


async def test_low_credits_are_topped_up_once(stripe: FakeStripe, alice: int) -> None:
    await top_up.run()
    assert await balance_of(alice) == 510
    await top_up.run()
    assert await balance_of(alice) == 510
    assert len(stripe.all("payment_intent")) == 1
    bought = await Purchase.objects.aget()
    assert (bought.origin, bought.state, bought.paid) == ("top_up", State.PAID, 2000)
    assert (await row()).purchase_id is None


@pytest.mark.parametrize(
    "unlike", [{"enabled": False}, {"threshold": 5 * MILLICREDITS}], ids=["it is off", "there is enough"]
)
async def test_nothing_is_bought_where(stripe: FakeStripe, alice: int, unlike: dict[str, Any]) -> None:
    await AutoTopUp.objects.aupdate(**unlike)
    await top_up.run()
    assert not await Purchase.objects.aexists()


async def test_credits_that_are_held_are_not_left(stripe: FakeStripe, alice: int) -> None:
    await AutoTopUp.objects.aupdate(threshold=10 * MILLICREDITS)
    await top_up.run()
    assert await balance_of(alice) == 10
    await CreditAccount.objects.filter(pk=alice).aupdate(held=1)
    try:
        await top_up.run()
        assert await balance_of(alice) == 510
    finally:
        await CreditAccount.objects.filter(pk=alice).aupdate(held=0)


async def test_many_at_once_make_one_payment(stripe: FakeStripe, alice: int) -> None:
    await asyncio.gather(*(top_up.run() for _ in range(6)))
    assert await balance_of(alice) == 510
    assert len(stripe.all("payment_intent")) == 1


async def test_an_attempt_whose_answer_is_lost_is_asked_for_again_and_is_one_payment(
    stripe: FakeStripe, alice: int
) -> None:
    stripe.trouble("POST /v1/payment_intents", cut="after", times=3)
    with pytest.raises(PaymentsUnavailable):
        await top_up.run()
    assert await balance_of(alice) == 10
    await is_due_again()
    await top_up.run()
    assert await balance_of(alice) == 510
    assert len(stripe.all("payment_intent")) == 1


async def test_an_attempt_is_asked_for_again_as_it_was_begun(stripe: FakeStripe, alice: int) -> None:
    """Under the same key another amount, or another card, would be refused for ever."""
    stripe.trouble("POST /v1/payment_intents", cut="after", times=3)
    with pytest.raises(PaymentsUnavailable):
        await top_up.run()
    await AutoTopUp.objects.aupdate(price=50 * DOLLAR)
    await Customer.objects.aupdate(payment_method=stripe.save_card((await Customer.objects.aget()).stripe_id))
    await is_due_again()
    await top_up.run()
    assert await balance_of(alice) == 510
    assert len(stripe.all("payment_intent")) == 1


async def test_an_attempt_that_stripe_may_have_forgotten_is_not_repeated(stripe: FakeStripe, alice: int) -> None:
    stripe.trouble("POST /v1/payment_intents", cut="after", times=3)
    with pytest.raises(PaymentsUnavailable):
        await top_up.run()
    await Purchase.objects.aupdate(created_at=timezone.now() - timedelta(days=2))
    await is_due_again()
    await top_up.run()
    stopped = await row()
    assert not stopped.enabled
    assert "not known" in stopped.problem
    assert len(stripe.all("payment_intent")) == 1
    # What it was all the same is booked when Stripe tells of it.
    await settle_payment(stripe.all("payment_intent")[0]["id"])
    assert await balance_of(alice) == 510


async def test_a_webhook_that_is_quicker_than_the_answer_books_it_once(stripe: FakeStripe, alice: int) -> None:
    stripe.trouble("POST /v1/payment_intents", cut="after", times=3)
    with pytest.raises(PaymentsUnavailable):
        await top_up.run()
    await settle_payment(stripe.all("payment_intent")[0]["id"])
    assert await balance_of(alice) == 510
    await is_due_again()
    await top_up.run()
    assert await balance_of(alice) == 510
    assert await LedgerEntry.objects.filter(account=alice, kind="purchase").acount() == 1
    assert (await row()).purchase_id is None


async def test_a_payment_that_takes_days_is_waited_for(stripe: FakeStripe, alice: int) -> None:
    stripe.next_charge(takes_days=True)
    await top_up.run()
    for _ in range(2):
        await is_due_again()
        await top_up.run()
    assert len(stripe.all("payment_intent")) == 1
    stripe.settle(stripe.all("payment_intent")[0]["id"])
    await is_due_again()
    await top_up.run()
    assert await balance_of(alice) == 510
    assert (await row()).purchase_id is None


async def test_it_stops_after_three_refusals_and_says_so(stripe: FakeStripe, alice: int) -> None:
    stripe.next_charge(declines="card_declined", times=3)
    for failures in (1, 2):
        await top_up.run()
        found = await row()
        assert (found.enabled, found.failures) == (True, failures)
        await top_up.run()
        assert (await row()).failures == failures, "it waits before it tries again"
        await is_due_again()
    assert mail.outbox == []
    await top_up.run()
    stopped = await row()
    assert (stopped.enabled, stopped.failures) == (False, 3)
    assert [message.subject for message in mail.outbox] == ["Automatic top-ups are off"]
    await is_due_again()
    await top_up.run()
    assert await balance_of(alice) == 10
    assert [one.state async for one in Purchase.objects.all()] == [State.FAILED] * 3


async def test_a_bank_that_wants_to_see_its_customer_is_told_of_by_mail(stripe: FakeStripe, alice: int) -> None:
    stripe.next_charge(declines="authentication_required")
    await top_up.run()
    [message] = mail.outbox
    assert message.subject == "Your bank asks you to confirm a payment"
    assert "/billing/" in message.body
    assert stripe.all("payment_intent")[0]["status"] == "canceled", "nobody confirms it later by chance"
    assert await balance_of(alice) == 10


async def test_a_month_has_a_cap(stripe: FakeStripe, alice: int) -> None:
    await AutoTopUp.objects.aupdate(monthly_cap=50 * DOLLAR, threshold=10_000 * MILLICREDITS)
    for _ in range(4):
        await top_up.run()
    assert await balance_of(alice) == 1010
    found = await row()
    assert found.enabled
    assert "limit is reached" in found.problem
    assert found.next_at is not None
    assert found.next_at > timezone.now()
    assert [message.subject for message in mail.outbox] == ["This month's limit of automatic top-ups is reached"]


async def test_without_a_card_it_stops(stripe: FakeStripe, alice: int) -> None:
    customer = await Customer.objects.aget()
    stripe.remove_card(customer.payment_method)
    await checkout.refresh_cards(await User.objects.aget(pk=alice))
    await top_up.run()
    assert not (await row()).enabled
    assert "no card" in (await row()).problem
