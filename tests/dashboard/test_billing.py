"""The pages about money."""

import re
from typing import Any

import pytest
from django.test import AsyncClient, Client

from accounts.models import User
from billing.ledger import grant_signup_credits, open_account
from billing.models import AutoTopUp, PromotionCode, Purchase
from dashboard.billing.money import locale_of, money
from tests.billing.conftest import post

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def alice(transactional_db: None) -> User:
    user = User.objects.create_user("alice@example.com")
    grant_signup_credits(user)
    return user


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def text_of(response: Any) -> str:
    """The page as it is read: one space where there are many, and no tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def buy(browser: Client, **choice: str) -> str:
    """The address of the test checkout's page."""
    response = browser.post("/billing/checkout/", choice)
    assert response.status_code == 303
    return response["location"]


def test_a_pack_is_bought_in_the_test_checkout(browser: Client, alice: User) -> None:
    page = browser.get("/billing/").content.decode()
    assert re.findall(r'name="pack" value="(\w+)"', page) == ["250", "1000", "5000"]
    checkout = buy(browser, pack="1000")
    assert "Nobody pays anything" in text_of(browser.get(checkout))
    paid = browser.post(checkout, follow=True)
    assert "1,000 credits were added. You have 1,500 now." in text_of(paid)
    assert "1,000 credits, test" in text_of(browser.get("/billing/"))
    # Once more on the same page changes nothing.
    browser.post(checkout)
    assert open_account(alice).posted == 1_500_000


def test_any_whole_amount_is_bought_at_the_price_of_a_credit(browser: Client, alice: User) -> None:
    browser.post(buy(browser, amount="7"))
    assert open_account(alice).posted == 675_000


@pytest.mark.parametrize("amount", ["4", "1001", "7.5", "-7", "", "seven", "٧", "9" * 30])
def test_what_is_not_sold_is_said(browser: Client, alice: User, amount: str) -> None:
    assert buy(browser, amount=amount) == "/billing/"
    assert "Enter a whole number of dollars from 5 to 1,000." in text_of(browser.get("/billing/"))
    assert not Purchase.objects.exists()


def test_without_a_key_and_stand_ins_nothing_is_sold_and_it_is_said_how_to_change_that(
    browser: Client, settings: Any
) -> None:
    settings.ARKROUTE_STAND_INS = False
    page = text_of(browser.get("/billing/"))
    assert "Credits are not sold on this site yet" in page
    assert buy(browser, pack="250") == "/billing/"
    assert browser.get("/billing/test-checkout/pur_1/").status_code == 404


def test_left_and_not_paid_is_told_as_it_is(browser: Client) -> None:
    checkout = buy(browser, pack="250")
    page = browser.get(checkout).content.decode()
    [left] = re.findall(r'href="([^"]+\?left)"', page)
    assert "Nothing was bought" in text_of(browser.get(left))


def test_purchases_of_others_are_not_there(browser: Client) -> None:
    checkout = buy(browser, pack="250")
    other = Client()
    other.force_login(User.objects.create_user("bob@example.com"))
    purchase = Purchase.objects.get()
    for address in (checkout, f"/billing/purchases/{purchase.pk}/"):
        assert other.get(address).status_code == 404
    assert other.post(checkout).status_code == 404
    for path in ("/billing/", "/billing/ledger/", "/billing/ledger.csv"):
        assert Client().get(path).status_code == 302


def test_a_code_is_redeemed_or_refused_in_words(browser: Client) -> None:
    PromotionCode.objects.create(code="HELLO", credits=5_000)
    browser.post("/billing/codes/", {"code": "hello"})
    assert "5 credits were added." in text_of(browser.get("/billing/"))
    browser.post("/billing/codes/", {"code": "hello"})
    assert "You have used this code already." in text_of(browser.get("/billing/"))


def test_the_ledger_has_the_balance_after_each_movement_whatever_is_shown(browser: Client, alice: User) -> None:
    for number in range(3):
        post(alice.pk, 10_000, "grant", f"test:{number}")
        post(alice.pk, -1_000, "adjustment", f"correction:{number}")
    rows = re.findall(r"<tr>(.*?)</tr>", browser.get("/billing/ledger/").content.decode(), re.DOTALL)[1:]
    balances = [re.findall(r"tabular-nums\">([\d,.]+)</td>", row)[-1] for row in rows]
    assert balances == ["527", "528", "518", "519", "509", "510", "500"]
    narrowed = browser.get("/billing/ledger/?kind=adjustment").content.decode()
    rows = re.findall(r"<tr>(.*?)</tr>", narrowed, re.DOTALL)[1:]
    assert [re.findall(r"tabular-nums\">([\d,.]+)</td>", row)[-1] for row in rows] == ["527", "518", "509"]


async def test_the_ledger_as_csv_has_the_same(alice: User) -> None:
    client = AsyncClient()
    await client.aforce_login(alice)
    response = await client.get("/billing/ledger.csv")
    lines = b"".join([part async for part in response]).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "time_utc,kind,credits,balance,cause,entry_id"
    assert lines[1].split(",")[1:5] == ["grant", "500", "500", f"signup:{alice.pk}"]


def test_the_ledger_leads_to_the_purchase(browser: Client) -> None:
    browser.post(buy(browser, pack="250"))
    assert f'href="/billing/purchases/{Purchase.objects.get().pk}/"' in browser.get("/billing/ledger/").content.decode()


def test_a_top_up_that_cannot_be_is_refused_beside_its_field(browser: Client, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    response = browser.post(
        "/billing/top-up/", {"enabled": "", "threshold": "100", "amount": "50", "monthly_cap": "20"}
    )
    assert response.status_code == 422
    assert "This must be at least what is bought at a time." in text_of(response)
    assert not AutoTopUp.objects.exists()
    browser.post("/billing/top-up/", {"threshold": "100", "amount": "20", "monthly_cap": "50"})
    saved = AutoTopUp.objects.get()
    assert (saved.enabled, saved.threshold, saved.price, saved.monthly_cap) == (False, 100_000, 2000, 5000)


def test_money_is_written_as_its_reader_does(rf: Any) -> None:
    assert money(130_000, "usd", "en_US") == "$1,300.00"
    assert money(130_000, "usd", "de") == "1.300,00\xa0$"
    assert money(130_000, "usd", "ja") == "$1,300.00"
    languages = {"de-AT,en;q=0.8": "de_AT", "xx-nonsense, fr": "fr", "*": "en_US", "": "en_US", "a" * 5000: "en_US"}
    for named, locale in languages.items():
        assert locale_of(rf.get("/", headers={"accept-language": named})) == locale
