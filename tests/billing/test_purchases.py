"""Buying through Stripe: one payment is one credit, whatever is told of it, how often, and in which order.

L3 to L5, L11 and L12 of the money promises.
"""

import asyncio
from typing import Any

import pytest
from django.db import OperationalError
from django.test import AsyncClient
from django.utils import timezone

from accounts.database import run_in_database_thread
from accounts.models import User
from billing.ledger import MILLICREDITS, open_account
from billing.models import CreditAccount, LedgerEntry, Purchase, StripeEvent
from billing.packs import find_pack
from billing.payments import booking, checkout, events, stripe_gateway
from billing.payments.errors import PaymentsUnavailable
from billing.payments.settlement import settle
from tests.billing.conftest import post
from tests.upstreams.stripe import SECRET, Delivery, FakeStripe, shuffled

pytestmark = pytest.mark.usefixtures("audited", "stripe")

PATH = "/billing/webhooks/stripe/"
State = Purchase.State
Kind = LedgerEntry.Kind


@pytest.fixture
def alice(audited: None) -> User:
    user = User.objects.create_user("alice@example.com")
    open_account(user)
    return user


async def begin(user: User, pack: str = "1000") -> Purchase:
    """A purchase whose page at Stripe is open."""
    await checkout.begin(
        user, find_pack(pack), success=lambda one: "https://a.test/", cancel=lambda one: "https://a.test/"
    )
    return await Purchase.objects.filter(account=user.pk).alatest("created_at")


async def deliver(*deliveries: Delivery, at_once: int = 1) -> list[int]:
    """Sends them to the webhook, some at the same time; the statuses of the answers."""
    client, room = AsyncClient(), asyncio.Semaphore(at_once)

    async def send(delivery: Delivery) -> int:
        async with room:
            headers = delivery.headers()
            answer = await client.post(
                PATH, delivery.payload, content_type=headers.pop("content-type"), headers=headers
            )
            return answer.status_code

    return list(await asyncio.gather(*map(send, deliveries)))


async def credits_of(user: User) -> float:
    account = await CreditAccount.objects.aget(pk=user.pk)
    return account.posted / MILLICREDITS


async def entries_of(user: User, kind: Kind) -> list[float]:
    return [entry.amount / MILLICREDITS async for entry in LedgerEntry.objects.filter(account=user.pk, kind=kind)]


async def fresh(purchase: Purchase) -> Purchase:
    return await Purchase.objects.aget(pk=purchase.pk)


# --- One purchase, one credit -----------------------------------------------------------------------------------------


async def test_what_is_paid_is_credited_when_stripe_tells_of_it(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    assert await credits_of(alice) == 0
    assert set(await deliver(*stripe.webhooks.take())) == {200}
    assert await credits_of(alice) == 1000
    paid = await fresh(purchase)
    assert (paid.state, paid.paid) == (State.PAID, 3800)
    assert paid.receipt_url
    assert paid.invoice_url


async def test_the_page_after_paying_credits_it_where_the_webhook_is_lost(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    client = AsyncClient()
    await client.aforce_login(alice)
    page = await client.get(f"/billing/purchases/{purchase.pk}/")
    assert "Your credits are here" in page.content.decode()
    assert await credits_of(alice) == 1000


async def test_what_nobody_tells_of_is_looked_up(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    assert await checkout.look_after_unsettled() == 0
    await Purchase.objects.filter(pk=purchase.pk).aupdate(next_look_at=timezone.now())
    assert await checkout.look_after_unsettled() == 1
    assert await credits_of(alice) == 1000


async def test_l4_events_twice_shuffled_and_at_once_beside_the_page_are_one_credit(
    stripe: FakeStripe, alice: User
) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    storm = shuffled(stripe.webhooks.take(), seed=7, copies=4)
    statuses, *_ = await asyncio.gather(deliver(*storm, at_once=8), settle(purchase), settle(purchase))
    assert set(statuses) == {200}
    assert await entries_of(alice, Kind.PURCHASE) == [1000]


async def test_l4_five_hundred_events_three_times_over_are_all_taken_and_booked_once(
    stripe: FakeStripe, alice: User
) -> None:
    bob = await run_in_database_thread(User.objects.create_user, "bob@example.com")
    await run_in_database_thread(open_account, bob)
    expected = {alice: 0.0, bob: 0.0}
    deliveries: list[Delivery] = []
    number = 0
    while len(deliveries) < 500:
        user, number = (alice, bob)[number % 2], number + 1
        purchase = await begin(user, "250")
        deliveries += stripe.webhooks.take()
        match number % 5:
            case 0:
                stripe.expire(purchase.checkout_id)
            case 1:
                stripe.pay(purchase.checkout_id)
                stripe.refund(purchase.checkout_id, 400)
                expected[user] += 150
            case 2:
                stripe.pay_later(purchase.checkout_id)
                stripe.settle(purchase.checkout_id, ok=number % 4 == 0)
                expected[user] += 250 if number % 4 == 0 else 0
            case 3:
                stripe.pay(purchase.checkout_id)
                stripe.close_dispute(stripe.dispute(purchase.checkout_id), won=number % 2 == 0)
                expected[user] += 250 if number % 2 == 0 else 0
            case _:
                stripe.pay(purchase.checkout_id)
                expected[user] += 250
        deliveries += stripe.webhooks.take()
    statuses = await deliver(*shuffled(deliveries, seed=1, copies=3), at_once=6)
    assert len(statuses) >= 1500
    assert set(statuses) == {200}
    assert {user: await credits_of(user) for user in expected} == expected
    assert not await StripeEvent.objects.filter(handled_at=None).aexists()


async def test_an_event_that_comes_before_the_answer_that_made_it_is_not_lost(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    # As if the process had died before it could note what Stripe answered.
    await Purchase.objects.filter(pk=purchase.pk).aupdate(checkout_id=None)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 1000


# --- What is not paid -------------------------------------------------------------------------------------------------


async def test_l5_nothing_is_credited_for_what_is_unpaid_expired_or_failed(stripe: FakeStripe, alice: User) -> None:
    unpaid, left, failed = [await begin(alice) for _ in range(3)]
    stripe.pay_later(unpaid.checkout_id)
    stripe.expire(left.checkout_id)
    stripe.pay_later(failed.checkout_id)
    stripe.settle(failed.checkout_id, ok=False)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 0
    states = [(await fresh(one)).state for one in (unpaid, left, failed)]
    assert states == [State.PENDING, State.EXPIRED, State.FAILED]
    stripe.settle(unpaid.checkout_id)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 1000


@pytest.mark.parametrize(
    "lie",
    [
        {"amount_subtotal": 100},
        {"currency": "jpy"},
        {"livemode": True},
        {"client_reference_id": "pur_of_somebody_else"},
        {"customer": "cus_of_somebody_else"},
    ],
    ids=lambda lie: next(iter(lie)),
)
async def test_l5_nothing_is_credited_for_another_payment_than_was_asked_for(
    stripe: FakeStripe, alice: User, lie: dict[str, Any]
) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    stripe.tamper(purchase.checkout_id, **lie)
    assert set(await deliver(*stripe.webhooks.take())) == {200}
    assert await credits_of(alice) == 0
    found = await fresh(purchase)
    assert found.state == State.OPEN
    assert found.problem


async def test_l5_an_event_of_an_object_that_is_not_ours_changes_nothing(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    paid = stripe.webhooks.take("checkout.session.completed")[0]
    other = await begin(alice)
    stripe.webhooks.take()
    # What an event tells of an object is not believed: it is read again.
    lie = paid.altered(id="evt_lie", object={"id": other.checkout_id, "payment_status": "paid"})
    unknown = paid.altered(id="evt_unknown", object={"id": "cs_test_of_another_site"})
    assert await deliver(lie, unknown) == [200, 200]
    assert await credits_of(alice) == 0


# --- Deliveries that are not Stripe's ---------------------------------------------------------------------------------


async def test_only_what_stripe_signed_lately_in_this_mode_is_read(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    paid = stripe.webhooks.take("checkout.session.completed")[0]
    now = timezone.now().timestamp()
    refused = [
        paid.headers(at=now - 3600),
        paid.headers(at=now + 3600),
        paid.headers(secrets=["whsec_wrong"]),
        {"content-type": "application/json", "stripe-signature": "nonsense"},
        {"content-type": "application/json"},
    ]
    client = AsyncClient()
    for headers in refused:
        answer = await client.post(PATH, paid.payload, content_type=headers.pop("content-type"), headers=headers)
        assert answer.status_code == 400
    assert await deliver(paid.altered(livemode=True)) == [400]
    assert await deliver(paid.altered(object={"description": "x" * 70_000})) == [413]
    assert not await StripeEvent.objects.aexists()
    assert await credits_of(alice) == 0


async def test_a_secret_is_replaced_while_both_are_known(stripe: FakeStripe, alice: User, settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", SECRET]
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 1000


async def test_a_delivery_is_kept_as_it_came_and_tried_again_where_stripe_does_not_answer(
    stripe: FakeStripe, alice: User
) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    paid = stripe.webhooks.take("checkout.session.completed")[0]
    # The library itself tries three times.
    stripe.trouble("GET /v1/checkout/sessions", status=500, times=3)
    assert await deliver(paid) == [200]
    kept = await StripeEvent.objects.aget()
    assert bytes(kept.payload) == paid.payload
    assert (kept.handled_at, kept.attempts) == (None, 1)
    assert await credits_of(alice) == 0
    assert await events.work_off() == 0
    await StripeEvent.objects.aupdate(next_at=timezone.now())
    assert await events.work_off() == 1
    assert await credits_of(alice) == 1000


async def test_l12_a_crash_between_the_store_and_the_effect_is_made_good(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    paid = stripe.webhooks.take("checkout.session.completed")[0]
    event = stripe_gateway.read_delivery(paid.payload, paid.headers()["stripe-signature"])
    await run_in_database_thread(events._store, event, paid.payload)
    await StripeEvent.objects.aupdate(next_at=timezone.now())
    await asyncio.gather(events.work_off(), events.work_off(), events.work_off())
    assert await entries_of(alice, Kind.PURCHASE) == [1000]


async def test_where_it_cannot_be_stored_stripe_is_told_to_send_it_again(
    stripe: FakeStripe, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    paid = stripe.webhooks.take("checkout.session.completed")

    def locked(*args: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as broken:
        broken.setattr(events, "_store", locked)
        assert await deliver(*paid) == [503]
    assert await deliver(*paid) == [200]
    assert await credits_of(alice) == 1000


# --- What takes it back -----------------------------------------------------------------------------------------------


async def test_l11_three_partial_refunds_take_back_what_was_bought_and_no_more(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    for amount in (1266, 1267, 1267):
        stripe.refund(purchase.checkout_id, amount)
    await deliver(*shuffled(stripe.webhooks.take(), seed=3, copies=2), at_once=4)
    assert await credits_of(alice) == 0
    assert len(await entries_of(alice, Kind.REFUND)) == 3


async def test_l11_a_dispute_after_a_refund_takes_the_rest(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    stripe.refund(purchase.checkout_id, 1900)
    dispute = stripe.dispute(purchase.checkout_id, 1900)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 0
    stripe.close_dispute(dispute, won=True)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 500
    assert (await fresh(purchase)).reversed == 500 * MILLICREDITS


async def test_l11_credits_that_were_spent_are_owed(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice, "250")
    stripe.pay(purchase.checkout_id)
    await deliver(*stripe.webhooks.take())
    await run_in_database_thread(post, alice.pk, -200 * MILLICREDITS, "adjustment")
    stripe.refund(purchase.checkout_id)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == -200


async def test_a_refund_that_fails_and_an_inquiry_leave_the_credits(stripe: FakeStripe, alice: User) -> None:
    purchase = await begin(alice)
    stripe.pay(purchase.checkout_id)
    refund = stripe.refund(purchase.checkout_id, 3800)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 0
    stripe.fail_refund(refund)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 1000
    stripe.dispute(purchase.checkout_id, status="warning_needs_response")
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 1000


# --- Prices -----------------------------------------------------------------------------------------------------------


async def test_tax_and_discounts_are_between_stripe_and_the_payer(
    stripe: FakeStripe, alice: User, settings: Any
) -> None:
    settings.STRIPE_AUTOMATIC_TAX = settings.STRIPE_PROMOTION_CODES = True
    stripe.tax(20)
    stripe.discount("HALF", 50)
    taxed, halved = await begin(alice), await begin(alice)
    stripe.pay(taxed.checkout_id)
    stripe.pay(halved.checkout_id, promotion_code="HALF")
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 2000
    assert [(await fresh(one)).paid for one in (taxed, halved)] == [4560, 2280]
    # Half of what was paid is half of what it bought.
    stripe.refund(taxed.checkout_id, 2280)
    await deliver(*stripe.webhooks.take())
    assert await credits_of(alice) == 1500


async def test_nothing_is_begun_where_stripe_does_not_answer(stripe: FakeStripe, alice: User) -> None:
    stripe.trouble("POST /v1/checkout/sessions", cut="before", times=3)
    with pytest.raises(PaymentsUnavailable, match="Nothing was charged"):
        await begin(alice)


async def test_the_test_checkout_is_the_accounts_own_and_counts_once(alice: User) -> None:
    bob = await run_in_database_thread(User.objects.create_user, "bob@example.com")
    purchase = await run_in_database_thread(checkout.begin_in_test, alice, find_pack("250"))
    assert await run_in_database_thread(booking.pay_in_test, purchase.pk, bob.pk) is None
    await asyncio.gather(*(run_in_database_thread(booking.pay_in_test, purchase.pk, alice.pk) for _ in range(3)))
    assert await credits_of(alice) == 250
