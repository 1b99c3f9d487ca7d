"""Payments and promotion codes as the staff sees them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.grants import redeem
from billing.ledger import open_account
from billing.models import PromotionCode, Purchase, StripeEvent
from billing.packs import find_pack
from billing.payments import booking, checkout

pytestmark = pytest.mark.usefixtures("audited")

SignIn = Callable[..., Client]


@pytest.fixture
def purchase(transactional_db: None) -> Purchase:
    alice = User.objects.create_user("alice@example.com")
    open_account(alice)
    begun = checkout.begin_in_test(alice, find_pack("1000"))
    paid = booking.pay_in_test(begun.pk, alice.pk)
    assert paid is not None
    return paid


def text(response: Any) -> str:
    assert response.status_code == 200, response
    return response.content.decode()


def test_a_payment_is_shown_in_credits_and_money_and_found_by_its_id(sign_in: SignIn, purchase: Purchase) -> None:
    staff = sign_in("view_purchase")
    page = text(staff.get(f"/admin/billing/purchase/{purchase.pk}/change/"))
    assert "38.00 USD" in page
    assert ">1000<" in page
    assert purchase.pk in text(staff.get("/admin/billing/purchase/", {"q": purchase.pk}))
    assert f"{purchase.pk} | View purchase" in text(staff.post("/admin/find/", {"q": purchase.pk}, follow=True))


def test_nobody_sees_payments_without_the_right_to(sign_in: SignIn, purchase: Purchase) -> None:
    staff = sign_in("view_receipt")
    assert staff.get("/admin/billing/purchase/").status_code == 403
    assert staff.get("/admin/billing/promotioncode/add/").status_code == 403


def test_payments_and_events_cannot_be_changed(sign_in: SignIn, purchase: Purchase) -> None:
    event = StripeEvent.objects.create(id="evt_1", type="charge.refunded", about="pi_1", payload=b'{"id": "evt_1"}')
    staff = sign_in("view_purchase", "change_purchase", "delete_purchase", "view_stripeevent", "change_stripeevent")
    for path in (f"purchase/{purchase.pk}", f"stripeevent/{event.pk}"):
        assert "evt_1" in text(staff.get(f"/admin/billing/{path}/change/")) or purchase.pk in path
        assert staff.post(f"/admin/billing/{path}/change/", {"state": "open"}).status_code == 403
        assert staff.post(f"/admin/billing/{path}/delete/", {"post": "yes"}).status_code == 403


def test_a_code_is_made_in_credits_and_kept_once_it_was_used(sign_in: SignIn, purchase: Purchase) -> None:
    staff = sign_in(*(f"{verb}_promotioncode" for verb in ("view", "add", "change", "delete")))
    made = staff.post("/admin/billing/promotioncode/add/", {"code": " welcome ", "worth": "2.5", "valid_days": "30"})
    assert made.status_code == 302, made.content
    code = PromotionCode.objects.get()
    assert (code.code, code.credits, code.valid_days, code.redemptions_left) == ("WELCOME", 2_500, 30, None)
    redeem(purchase.account, "welcome")
    assert staff.post(f"/admin/billing/promotioncode/{code.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_first_page_says_what_was_paid_and_not_booked(sign_in: SignIn, purchase: Purchase, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    staff = sign_in("view_purchase")
    assert "all booked" in text(staff.get("/admin/"))
    Purchase.objects.create(
        account=purchase.account, origin="checkout", credits=1, price=1, paid=1, currency="usd", livemode=False
    )
    assert "1 paid at Stripe and not booked" in text(staff.get("/admin/"))
