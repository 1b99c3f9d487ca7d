"""The dashboard: from a sign-up in the browser to a key that works."""

import re

import pytest
from django.test import Client

from accounts.models import ApiKey, User
from billing.ledger import grant_signup_credits

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    user = User.objects.create_user("alice@example.com")
    grant_signup_credits(user)
    client = Client()
    client.force_login(user)
    return client


def test_strangers_are_asked_to_sign_in() -> None:
    for path in ("/dashboard/", "/keys/"):
        response = Client().get(path)
        assert response.status_code == 302
        assert response["location"].startswith("/accounts/login/")
    assert Client().get("/")["location"] == "/dashboard/"


def test_the_balance_is_shown(browser) -> None:
    assert "500 credits" in browser.get("/dashboard/").content.decode()


def test_the_address_that_error_messages_name_leads_to_the_keys(browser) -> None:
    assert browser.get("/keys/")["location"] == "/dashboard/"


def test_billing_tells_the_balance_and_where_to_ask(browser) -> None:
    page = browser.get("/billing/").content.decode()
    assert "500 credits" in page
    assert "Ask its operator" in page


def test_a_new_key_is_shown_once(browser) -> None:
    page = browser.post("/keys/", {"name": "my project"}).content.decode()
    secret = re.search(r"ark-[0-9A-Za-z]{40}", page)[0]
    assert page.count(secret) == 2  # the key, and in the call to copy
    again = browser.get("/dashboard/").content.decode()
    assert secret not in again
    assert "my project" in again
    assert f"…{secret[-4:]}" in again


def test_a_key_is_revoked_by_its_owner_alone(browser) -> None:
    browser.post("/keys/", {"name": "mine"})
    key = ApiKey.objects.get()
    bob = Client()
    bob.force_login(User.objects.create_user("bob@example.com"))
    assert bob.post(f"/keys/{key.pk}/revoke/").status_code == 404
    assert browser.post(f"/keys/{key.pk}/revoke/").status_code == 302
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_key_is_not_made_from_another_site(browser) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert strict.post("/keys/", {"name": "x"}).status_code == 403
    assert not ApiKey.objects.exists()
