"""Payers, banks and webhooks in random order: in the end each account has what its payments are worth, to the unit."""

import random
from dataclasses import dataclass, field

import pytest
from django.test import AsyncClient

from accounts.database import run_in_database_thread
from accounts.models import User
from billing.models import CreditAccount, Purchase
from billing.packs import find_pack
from billing.payments import checkout
from billing.payments.reconciliation import reconcile
from billing.payments.settlement import settle
from tests.billing.conftest import open_account
from tests.upstreams.stripe import Delivery, FakeStripe, shuffled

pytestmark = pytest.mark.usefixtures("audited", "stripe")

PATH = "/billing/webhooks/stripe/"
STEPS = 60


@dataclass
class Bought:
    """What the test knows of a purchase: money in cents."""

    purchase: Purchase
    state: str = "open"
    refunds: dict[str, int] = field(default_factory=dict)
    disputes: dict[str, int] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    @property
    def left(self) -> int:
        return self.purchase.price - sum(self.refunds.values()) - sum(self.disputes.values())

    @property
    def worth(self) -> int:
        """Millicredits that it should have brought."""
        if self.state != "paid":
            return 0
        taken = min(self.purchase.price, sum(self.refunds.values()) + sum(self.disputes.values()))
        return self.purchase.credits - self.purchase.credits * taken // self.purchase.price


class Story:
    """One random course of events."""

    def __init__(self, stripe: FakeStripe, user: User, seed: int) -> None:
        self.stripe, self.user, self.chance = stripe, user, random.Random(seed)
        self.bought: list[Bought] = []
        self.told: list[Delivery] = []

    async def run(self) -> None:
        steps = (self.begin, self.pay, self.pay_later, self.arrive, self.refund, self.lose_refund, self.dispute)
        for _ in range(STEPS):
            await self.chance.choice((*steps, self.close_dispute, self.leave, self.deliver, self.deliver, self.look))()

    def some(self, state: str) -> Bought | None:
        found = [one for one in self.bought if one.state == state]
        return self.chance.choice(found) if found else None

    async def begin(self) -> None:
        pack = find_pack(self.chance.choice(("250", "1000")))
        await checkout.begin(self.user, pack, success=lambda _: "https://a.test/", cancel=lambda _: "https://a.test/")
        self.bought.append(Bought(await Purchase.objects.filter(account=self.user.pk).alatest("created_at")))

    async def pay(self) -> None:
        if one := self.some("open"):
            self.stripe.pay(one.purchase.checkout_id)
            one.state = "paid"

    async def pay_later(self) -> None:
        if one := self.some("open"):
            self.stripe.pay_later(one.purchase.checkout_id)
            one.state = "pending"

    async def arrive(self) -> None:
        if one := self.some("pending"):
            one.state = self.chance.choice(("paid", "failed"))
            self.stripe.settle(one.purchase.checkout_id, ok=one.state == "paid")

    async def leave(self) -> None:
        if one := self.some("open"):
            self.stripe.expire(one.purchase.checkout_id)
            one.state = "expired"

    async def refund(self) -> None:
        one = self.some("paid")
        if one and one.left > 0 and not one.disputes:
            amount = self.chance.randint(1, one.left)
            one.refunds[self.stripe.refund(one.purchase.checkout_id, amount)] = amount

    async def lose_refund(self) -> None:
        one = self.some("paid")
        if one and (given := [refund for refund, amount in one.refunds.items() if amount]) and not one.disputes:
            refund = self.chance.choice(given)
            self.stripe.fail_refund(refund)
            one.refunds[refund] = 0

    async def dispute(self) -> None:
        one = self.some("paid")
        if one and not one.disputes and one.left > 0:
            one.disputes[self.stripe.dispute(one.purchase.checkout_id, one.left)] = one.left

    async def close_dispute(self) -> None:
        one = self.some("paid")
        if one and (under_way := one.disputes.keys() - one.closed):
            dispute, won = under_way.pop(), self.chance.random() < 0.5
            self.stripe.close_dispute(dispute, won=won)
            one.closed.add(dispute)
            if won:
                one.disputes[dispute] = 0

    async def deliver(self) -> None:
        """Some of what was told, twice or not at all, and something old once more."""
        self.told += self.stripe.webhooks.take()
        client = AsyncClient()
        for delivery in shuffled(self.told[-12:], self.chance.randrange(1000), copies=2, lost=0.5):
            headers = delivery.headers()
            answer = await client.post(
                PATH, delivery.payload, content_type=headers.pop("content-type"), headers=headers
            )
            assert answer.status_code == 200

    async def look(self) -> None:
        if self.bought:
            await settle(self.chance.choice(self.bought).purchase)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_the_balance_is_what_the_payments_are_worth(stripe: FakeStripe, seed: int) -> None:
    user = await User.objects.aget(pk=await run_in_database_thread(open_account, 0))
    story = Story(stripe, user, seed)
    await story.run()
    # What was lost on the way is found when everything is compared.
    first = await reconcile(user.date_joined)
    assert first.differences == []
    expected = sum(one.worth for one in story.bought)
    assert (await CreditAccount.objects.aget(pk=user.pk)).posted == expected
    again = await reconcile(user.date_joined)
    assert (again.booked, again.differences) == ([], [])
