"""Authenticator apps and recovery codes, and the admin's door, which asks staff for a second factor."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _nobody_was_counted_yet():
    cache.clear()


@pytest.fixture
def root():
    user = User.objects.create_superuser("root@example.com", PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def browser(root):
    return signed_in()


def signed_in():
    client = Client()
    client.post("/accounts/login/", {"login": "root@example.com", "password": PASSWORD})
    return client


def code_of(secret):
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def turn_app_on(browser):
    """Returns the secret that the app would keep."""
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = browser.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page)[1]
    assert browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}).status_code == 302
    return secret


@pytest.mark.django_db(transaction=True)
def test_an_app_is_turned_on_after_the_password_was_asked_for_again(browser):
    asked = browser.get("/accounts/2fa/totp/activate/")
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    turn_app_on(browser)
    assert [message.subject for message in mail.outbox] == ["ArkRoute: Authenticator app turned on"]
    assert "Turn off" in browser.get("/accounts/2fa/").content.decode()


def test_a_recovery_code_signs_in_once_in_place_of_the_app(browser):
    turn_app_on(browser)
    page = browser.get("/accounts/2fa/recovery-codes/").content.decode()
    code = re.search(r"<li>(\d{8})</li>", page)[1]
    client = signed_in()
    assert client.get("/settings/").status_code == 302
    assert "Use a passkey" not in client.get("/accounts/2fa/authenticate/").content.decode()
    assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert client.get("/settings/").status_code == 200
    again = signed_in()
    again.post("/accounts/2fa/authenticate/", {"code": code})
    assert again.get("/settings/").status_code == 302


def test_the_admin_waits_for_a_second_factor_of_staff(browser, settings):
    settings.STAFF_NEED_SECOND_FACTOR = True
    answer = browser.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/2fa/"
    assert "open to staff with a second factor" in answer.content.decode()
    assert browser.get("/admin/accounts/user/").status_code == 302
    turn_app_on(browser)
    assert browser.get("/admin/").status_code == 200


def test_recovery_codes_alone_are_no_second_factor(browser, root, settings):
    settings.STAFF_NEED_SECOND_FACTOR = True
    Authenticator.objects.create(user=root, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "x"})
    assert browser.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    "path", ["2fa/", "2fa/webauthn/", "2fa/webauthn/add/", "2fa/totp/activate/", "sessions/", "password/change/"]
)
def test_every_page_of_protection_has_one_heading_and_nothing_inline(browser, path):
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = browser.get(f"/accounts/{path}").content.decode()
    assert page.count("<h1") == 1
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in script or "application/json" in script for script in re.findall(r"<script[^>]*>", page))
