"""The fake of Stripe, held against its official library: what the tests of payments stand on."""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import httpx
import pytest
import stripe

from billing.packs import find_pack
from billing.payments import stripe_gateway
from billing.payments.errors import AuthenticationNeeded, BadDelivery, NotFound, PaymentRefused, PaymentsUnavailable
from tests.upstreams import stripe as fake
from tests.upstreams.stripe import CardDeclined, FakeStripe
from tests.upstreams.stripe.account import API_VERSION

SUCCESS, CANCEL = "http://testserver/success?id={CHECKOUT_SESSION_ID}", "http://testserver/cancel"
PACK = find_pack("1000")
CLASSES = {
    "billing_portal.session": stripe.billing_portal.Session,
    "checkout.session": stripe.checkout.Session,
    "charge": stripe.Charge,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "refund": stripe.Refund,
}


@pytest.fixture
def upstream(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStripe]:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.01)
    with FakeStripe() as upstream:
        settings.STRIPE_SECRET_KEY = upstream.test_key
        settings.STRIPE_API_BASE = upstream.origin
        settings.STRIPE_WEBHOOK_SECRETS = [fake.SECRET]
        settings.STRIPE_PROMOTION_CODES = True
        settings.STRIPE_AUTOMATIC_TAX = False
        yield upstream


@pytest.fixture
async def gateway(upstream: FakeStripe) -> AsyncIterator[FakeStripe]:
    """For tests that ask through our own code."""
    yield upstream
    await stripe_gateway.close()


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(verify=False) as browser:
        yield browser


@cache
def connections() -> stripe.HTTPXClient:
    """Made once: it reads all certificates."""
    return stripe.HTTPXClient(allow_sync_methods=True)


def client(upstream: FakeStripe, *, key: str = "") -> stripe.StripeClient:
    return stripe.StripeClient(
        key or upstream.test_key,
        stripe_version=API_VERSION,
        base_addresses={"api": upstream.origin},
        max_network_retries=0,
        http_client=connections(),
    )


def open_checkout(upstream: FakeStripe, more: dict[str, Any] | None = None, **params: Any) -> stripe.checkout.Session:
    price = {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "250 credits"}}
    usual = {"mode": "payment", "line_items": [{"quantity": 1, "price_data": price}], "success_url": SUCCESS}
    return client(upstream).v1.checkout.sessions.create(usual | {"cancel_url": CANCEL} | params | (more or {}))  # type: ignore[arg-type]


async def buy(purchase_id: str = "pur_1", number: int = 1) -> stripe_gateway.Checkout:
    customer = await stripe_gateway.create_customer(number, "alice@example.com")
    return await stripe_gateway.create_checkout(
        purchase_id, PACK, customer=customer, success_url=SUCCESS, cancel_url=CANCEL
    )


async def test_a_purchase_goes_through_our_own_gateway(gateway: FakeStripe) -> None:
    opened = await buy()
    again = await buy()
    before = await stripe_gateway.read_checkout(opened.id)
    gateway.pay(opened.id, save=True)
    after = await stripe_gateway.read_checkout(opened.id)

    assert opened.id == again.id
    assert (before.status, before.payment_status, before.payment_intent) == ("open", "unpaid", None)
    assert (after.status, after.payment_status, after.url) == ("complete", "paid", None)
    assert after.amount_subtotal == after.amount_total == PACK.price
    assert after.client_reference_id == "pur_1"
    assert after.invoice is not None
    assert after.payment_intent is not None
    assert after.payment_intent.amount_received == PACK.price
    assert after.payment_intent.latest_charge is not None
    assert after.payment_intent.latest_charge.receipt_url
    assert [card.label for card in await stripe_gateway.list_cards(after.customer or "")] == ["Visa ending in 4242"]
    assert [delivery.type for delivery in gateway.webhooks.take()] == [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
        "payment_method.attached",
        *(f"invoice.{what}" for what in ("created", "finalized", "paid", "payment_succeeded")),
        "checkout.session.completed",
    ]
    listed = [one.id async for one in stripe_gateway.all_checkouts(0)]
    assert listed == [opened.id]
    with pytest.raises(NotFound):
        await stripe_gateway.read_checkout("cs_test_unknown")


async def test_a_page_that_was_paid_on_cannot_expire_and_one_that_expired_cannot_be_paid_on(
    gateway: FakeStripe,
) -> None:
    paid, left = await buy("pur_1"), await buy("pur_2")
    gateway.pay(paid.id)
    await stripe_gateway.expire_checkout(paid.id)
    await stripe_gateway.expire_checkout(left.id)

    assert gateway.get(paid.id)["status"] == "complete"
    assert gateway.get(left.id)["status"] == "expired"
    with pytest.raises(fake.Refusal):
        gateway.pay(left.id)


async def test_a_saved_card_is_charged_refused_and_asks_for_its_owner(gateway: FakeStripe) -> None:
    customer = await stripe_gateway.create_customer(1, "alice@example.com")
    card = gateway.save_card(customer)

    async def charge(purchase_id: str, payment_method: str = card) -> stripe_gateway.Payment:
        return await stripe_gateway.charge_card(
            purchase_id, PACK, customer=customer, payment_method=payment_method, attempt=1
        )

    made, again = await charge("pur_1"), await charge("pur_1")
    assert (made.id, made.status, made.amount_received) == (again.id, "succeeded", PACK.price)
    gateway.next_charge(declines="authentication_required")
    with pytest.raises(AuthenticationNeeded) as needed:
        await charge("pur_2")
    with pytest.raises(AuthenticationNeeded):
        await charge("pur_2")  # which is the same payment
    assert (await stripe_gateway.read_payment(needed.value.payment_id)).status == "requires_payment_method"
    await stripe_gateway.cancel_payment(needed.value.payment_id)
    assert gateway.get(needed.value.payment_id)["status"] == "canceled"
    with pytest.raises(PaymentRefused, match="insufficient funds"):
        await charge("pur_3", gateway.save_card(customer, fake.INSUFFICIENT_FUNDS))
    gateway.next_charge(takes_days=True)
    pending = await charge("pur_4")
    assert pending.status == "processing"
    gateway.settle(pending.id, ok=False)
    failed = await stripe_gateway.read_payment(pending.id)
    assert (failed.status, failed.amount_received) == ("requires_payment_method", 0)
    assert len(gateway.all("payment_intent")) == 4


async def test_refunds_and_disputes_move_what_is_left(gateway: FakeStripe) -> None:
    checkout = await buy()
    payment = gateway.pay(checkout.id)["payment_intent"]
    gateway.webhooks.take()
    gateway.refund(payment, 1000)
    failing = gateway.refund(payment, 800, "pending")
    gateway.fail_refund(failing)
    with pytest.raises(fake.Refusal, match="greater than"):
        gateway.refund(payment, PACK.price)
    dispute = gateway.dispute(payment, 2800)
    with pytest.raises(fake.Refusal, match="charged back"):
        gateway.refund(payment)
    gateway.close_dispute(dispute, won=True)

    refunds = {(one.amount, one.status) for one in await stripe_gateway.list_refunds(payment)}
    assert refunds == {(1000, "succeeded"), (800, "failed")}
    assert [(one.amount, one.status) for one in await stripe_gateway.list_disputes(payment)] == [(2800, "won")]
    charge = (await stripe_gateway.read_payment(payment)).latest_charge
    assert charge is not None
    assert (charge.amount_refunded, charge.disputed) == (1000, True)
    assert [delivery.type for delivery in gateway.webhooks.take()] == [
        *("refund.created", "charge.refunded", "refund.created", "charge.refunded"),
        *("refund.failed", "refund.updated", "charge.refund.updated"),
        *("charge.dispute.created", "charge.dispute.funds_withdrawn"),
        *("charge.dispute.closed", "charge.dispute.funds_reinstated"),
    ]


async def test_an_answer_that_was_lost_is_given_again(gateway: FakeStripe) -> None:
    gateway.trouble("POST /v1/checkout", cut="after")
    gateway.trouble("POST /v1/checkout", status=500)
    checkout = await buy()
    gateway.trouble("GET /v1/checkout", status=429)
    with pytest.raises(PaymentsUnavailable):
        await stripe_gateway.read_checkout(checkout.id)

    assert len(gateway.all("checkout.session")) == 1
    assert len([request for request in gateway.requests if request.path == "/v1/checkout/sessions"]) == 3


def test_webhooks_are_signed_as_our_gateway_reads_them(upstream: FakeStripe) -> None:
    session = open_checkout(upstream)
    upstream.pay(session.id)
    [delivery] = upstream.webhooks.take("checkout.session.completed")
    event = stripe_gateway.read_delivery(delivery.payload, delivery.headers()["stripe-signature"])
    rolled = delivery.headers(secrets=("whsec_other", fake.SECRET))

    assert (event.id, event.data.object.id) == (delivery.event["id"], session.id)
    assert stripe_gateway.read_delivery(delivery.payload, rolled["stripe-signature"]) == event
    for headers in (delivery.headers(at=1), delivery.headers(at=9e9), delivery.headers(secrets=["whsec_other"])):
        with pytest.raises(BadDelivery):
            stripe_gateway.read_delivery(delivery.payload, headers["stripe-signature"])
    live = delivery.altered(livemode=True, object={"amount_total": 1})
    with pytest.raises(BadDelivery, match="mode"):
        stripe_gateway.read_delivery(live.payload, live.headers()["stripe-signature"])
    # By the time that it arrives, a snapshot may be of the past.
    upstream.refund(session.id)
    [charged] = upstream.webhooks.take("charge.succeeded")
    assert charged.event["data"]["object"]["amount_refunded"] == 0


def test_a_webhook_can_be_there_before_the_answer_whose_request_is_in_flight_then(upstream: FakeStripe) -> None:
    seen = []

    def receive(payload: bytes, headers: dict[str, str]) -> int:
        event = stripe.Webhook.construct_event(payload, headers["stripe-signature"], fake.SECRET)
        customer = client(upstream).v1.customers.retrieve(event.data.object["id"])
        with pytest.raises(stripe.APIError, match="in-progress") as error:
            client(upstream).v1.customers.create({"name": "Alice"}, {"idempotency_key": "once"})
        seen.append((event.type, customer.name, error.value.http_status))
        return 200 if len(seen) > 1 else 500

    upstream.webhooks.send_at_once(receive)
    client(upstream).v1.customers.create({"name": "Alice"}, {"idempotency_key": "once"})
    assert seen == [("customer.created", "Alice", 409)]
    upstream.webhooks.send_at_once(None)
    assert upstream.webhooks.flush(lambda payload, headers: 204) == [204]  # as it was not taken the first time
    assert upstream.webhooks.take() == []


def test_requests_are_refused_in_stripes_words(upstream: FakeStripe) -> None:
    api = client(upstream).v1
    customer = api.customers.create({"name": "Alice"}, {"idempotency_key": "one"})

    def error_of(ask: Any, *arguments: Any) -> tuple[int | None, str | None, str | None]:
        with pytest.raises(stripe.StripeError) as error:
            ask(*arguments)
        return error.value.http_status, error.value.code, getattr(error.value, "param", None)

    intent = {"amount": 1000, "currency": "usd"}
    create = api.payment_intents.create
    assert error_of(create, intent | {"colour": "red"}) == (400, "parameter_unknown", "colour")
    assert error_of(create, intent | {"amount": "much"}) == (400, "parameter_invalid_integer", "amount")
    types = {"payment_method_types": ["card"]}
    no_longer = (400, "payment_method_types_no_longer_supported", "payment_method_types")
    assert error_of(create, intent | types) == error_of(open_checkout, upstream, types) == no_longer
    assert error_of(create, {"currency": "usd"}) == (400, "parameter_missing", "amount")
    assert error_of(create, intent | {"customer": "cus_1"}) == (400, "resource_missing", "customer")
    assert error_of(api.payment_intents.retrieve, "pi_1") == (404, "resource_missing", "id")
    nested = {"mode": "payment", "line_items": [{"price_data": {"currency": "usd", "unit": 1}}]}
    unknown = (400, "parameter_unknown", "line_items[0][price_data][unit]")
    assert error_of(api.checkout.sessions.create, nested) == unknown
    assert error_of(client(upstream, key="sk_test_wrong").v1.customers.list)[0] == 401
    live = client(upstream, key=upstream.live_key).v1
    assert error_of(live.customers.retrieve, customer.id) == (404, "resource_missing", "id")
    assert error_of(api.customers.create, {"name": "Bob"}, {"idempotency_key": "one"})[0] == 400
    assert error_of(api.refunds.create, {"payment_intent": create(intent).id})[0] == 400
    method = upstream.save_card(customer.id, fake.DECLINED)
    params = intent | {"customer": customer.id, "payment_method": method, "confirm": True, "off_session": True}
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        create(params)  # type: ignore[arg-type]
    with pytest.raises(stripe.CardError) as declined:
        create(params | {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}})  # type: ignore[arg-type]
    error = declined.value.json_body["error"]
    assert (error["code"], error["decline_code"]) == ("card_declined", "generic_decline")
    assert error["payment_intent"]["status"] == "requires_payment_method"


def test_lists_are_paged_filtered_and_expanded(upstream: FakeStripe) -> None:
    api = client(upstream).v1
    sessions = [open_checkout(upstream) for _ in range(5)]
    for session in sessions[:2]:
        upstream.pay(session.id)
    upstream.tamper(sessions[0].id, created=1000)
    wanted = {"limit": 2, "created": {"gte": 1001}, "expand": ["data.payment_intent.latest_charge"]}
    found = list(api.checkout.sessions.list(wanted).auto_paging_iter())  # type: ignore[arg-type]

    assert [one.id for one in found] == [session.id for session in reversed(sessions[1:])]
    assert found[-1].payment_intent.latest_charge.paid
    assert isinstance(upstream.get(sessions[1].id)["payment_intent"], str)
    shown = api.checkout.sessions.retrieve(sessions[1].id, {"expand": ["line_items", "payment_intent"]})
    assert shown.line_items.data[0].amount_total == 1000
    assert isinstance(shown.payment_intent.latest_charge, str)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        api.checkout.sessions.retrieve(sessions[1].id, {"expand": ["currency"]})
    times = [event.created for event in api.events.list({"limit": 100}).data]
    assert all(later >= earlier for later, earlier in pairwise(times))


def test_people_pay_on_the_page(upstream: FakeStripe, browser: httpx.Client) -> None:
    upstream.discount("HALF", 50)
    upstream.tax(10)
    customer = client(upstream).v1.customers.create({"email": "alice@example.com"}).id
    session = open_checkout(
        upstream,
        customer=customer,
        allow_promotion_codes=True,
        automatic_tax={"enabled": True},
        customer_update={"address": "auto"},
        saved_payment_method_options={"payment_method_save": "enabled"},
    )
    page = str(session.url)
    assert CANCEL in browser.get(page).text
    assert "declined" in browser.post(page, data={"card": fake.DECLINED}).text
    form = {"card": fake.ALWAYS_AUTHENTICATE, "save": "on", "promotion_code": "HALF"}
    assert "Complete authentication" in browser.post(page, data=form).text
    assert "unable to authenticate" in browser.post(page, data=form | {"authenticated": "no"}).text
    paid = browser.post(page, data=form | {"authenticated": "yes"})

    assert paid.headers["location"] == SUCCESS.replace("{CHECKOUT_SESSION_ID}", session.id)
    assert browser.post(page, data={"card": fake.VISA}).status_code == 303
    assert upstream.get(session.id)["amount_total"] == 550
    [payment] = upstream.all("payment_intent")
    assert (payment["amount_received"], payment["status"]) == (550, "succeeded")
    [card] = upstream.all("payment_method", customer=customer)
    assert card["card"]["last4"] == "3184"


def test_people_keep_their_cards_in_the_portal(upstream: FakeStripe, browser: httpx.Client) -> None:
    customer = client(upstream).v1.customers.create({"email": "alice@example.com"}).id
    card = upstream.save_card(customer)
    portal = client(upstream).v1.billing_portal.sessions.create({"customer": customer, "return_url": CANCEL})

    shown = browser.get(portal.url).text
    assert "4242" in shown
    assert CANCEL in shown
    assert "4242" not in browser.post(portal.url, data={"remove": card}).text
    assert "4444" in browser.post(portal.url, data={"card": "5555 5555 5555 4444"}).text


def test_a_bank_debit_takes_days(upstream: FakeStripe, browser: httpx.Client) -> None:
    arriving, failing = open_checkout(upstream), open_checkout(upstream)
    assert browser.post(str(arriving.url), data={"method": "bank"}).status_code == 303
    assert upstream.pay_later(failing.id)["payment_status"] == "unpaid"
    assert upstream.get(arriving.id)["status"] == "complete"
    upstream.webhooks.take()
    upstream.settle(arriving.id)
    upstream.settle(failing.id, ok=False)

    assert [upstream.get(one.id)["payment_status"] for one in (arriving, failing)] == ["paid", "unpaid"]
    types = [delivery.type for delivery in upstream.webhooks.take()]
    assert types.index("checkout.session.async_payment_succeeded") == types.index("charge.updated") + 1
    assert types[-3:] == ["charge.failed", "payment_intent.payment_failed", "checkout.session.async_payment_failed"]


def test_pages_that_are_open_for_a_day_expire(upstream: FakeStripe, browser: httpx.Client) -> None:
    session = open_checkout(upstream)
    with pytest.raises(CardDeclined):
        upstream.pay(session.id, fake.DECLINED)
    upstream.webhooks.take()
    upstream.pass_time(24 * 3600 + 1)

    assert [delivery.type for delivery in upstream.webhooks.take()] == [
        *("payment_intent.canceled", "checkout.session.expired")
    ]
    assert "expired" in browser.get(f"{upstream.origin}/c/pay/{session.id}").text


def test_objects_have_the_fields_that_the_library_knows(upstream: FakeStripe) -> None:
    session = open_checkout(upstream, customer_creation="always", invoice_creation={"enabled": True})
    upstream.pay(session.id)
    upstream.refund(session.id, 10)
    upstream.dispute(session.id, 10)
    customer = upstream.get(session.id)["customer"]
    client(upstream).v1.billing_portal.sessions.create({"customer": customer})

    for kind, known in CLASSES.items():
        found = upstream.all(kind)
        assert found, kind
        for one in found:
            assert one.keys() <= known.__annotations__.keys(), kind
