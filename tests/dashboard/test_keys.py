"""The page of the API keys: made, shown once, limited, rolled, revoked."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.keys import issue_key, looks_valid, revoke_key
from accounts.models import ApiKey, User
from billing.ledger import grant_signup_credits
from gateway.models import Receipt

pytestmark = pytest.mark.django_db

SECRET = re.compile(r"ark-[0-9A-Za-z]{40}")


@pytest.fixture
def alice() -> User:
    user = User.objects.create_user("alice@example.com")
    grant_signup_credits(user)
    return user


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def page_of(browser: Client, path: str = "/keys/") -> str:
    return unescape(browser.get(path).content.decode())


def filled_in(browser: Client, path: str, **fields: Any) -> dict[str, Any]:
    """The form at `path` as a person sends it: with its token, and what is set beforehand."""
    token = re.search(r'name="form_token" value="([^"]+)"', page_of(browser, path))
    return {"form_token": token[1] if token else "", "expiry": "never", "credit_period": "month", **fields}


def create(browser: Client, **fields: Any) -> str:
    """The page that answers."""
    form = filled_in(browser, "/keys/new/", **{"name": "my project", **fields})
    return unescape(browser.post("/keys/new/", form).content.decode())


def test_strangers_are_asked_to_sign_in() -> None:
    for path in ("/keys/", "/keys/new/", "/keys/1/edit/"):
        assert Client().get(path)["location"].startswith("/accounts/login/")


def test_without_keys_the_page_says_what_a_key_is_and_how_to_make_one(browser) -> None:
    page = page_of(browser)
    assert "No key yet" in page
    assert 'href="/keys/new/"' in page


def test_a_new_key_is_shown_once_with_a_first_call(browser) -> None:
    page = create(browser)
    secret = SECRET.search(page)[0]
    assert looks_valid(secret)
    assert page.count(secret) == 4  # the key, and in the call with curl, Python and JavaScript
    assert "nano-banana-2" in page
    again = page_of(browser)
    assert secret not in again
    assert f"{secret[:8]}…{secret[-4:]}" in again


def test_the_first_call_is_one_that_the_key_may_make(browser) -> None:
    page = create(browser, allowed_models=["sandbox-chat"])
    assert "sandbox-chat" in page
    assert "nano-banana-2" not in page


def test_the_page_with_the_secret_is_stored_nowhere(browser) -> None:
    answer = browser.post("/keys/new/", filled_in(browser, "/keys/new/", name="x"))
    assert "no-store" in answer["cache-control"]
    secret = SECRET.search(answer.content.decode())[0]
    assert secret not in str(list(browser.session.items()))


def test_a_reload_of_the_answer_makes_no_second_key(browser) -> None:
    form = filled_in(browser, "/keys/new/", name="my project")
    browser.post("/keys/new/", form)
    again = unescape(browser.post("/keys/new/", form).content.decode())
    key = ApiKey.objects.get()
    assert not SECRET.search(again)
    assert "It made" in again
    assert key.masked in again
    assert f"/keys/{key.pk}/roll/" in again


def test_all_settings_of_a_new_key_are_kept(browser) -> None:
    create(
        browser,
        credit_limit="2.5",
        credit_period="week",
        expiry="30",
        requests_per_minute="60",
        concurrent_videos="1",
        allowed_models=["video", "nano-banana-2"],
        webhook_url="https://example.com/hook",
    )
    key = ApiKey.objects.get()
    assert (key.credit_limit, key.credit_period, key.requests_per_minute, key.concurrent_videos) == (
        2500,
        "week",
        60,
        1,
    )
    assert (sorted(key.allowed_models), key.webhook_url) == (["nano-banana-2", "video"], "https://example.com/hook")
    assert abs(key.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


def test_a_key_may_last_until_the_end_of_a_day(browser) -> None:
    day = timezone.now().date() + timedelta(days=3)
    create(browser, expiry="date", expires_on=str(day))
    assert ApiKey.objects.get().expires_at == datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "This field is required."),
        ({"credit_limit": "0"}, "greater than or equal to 0.001"),
        ({"expiry": "date"}, "Enter a date."),
        ({"expiry": "date", "expires_on": "2020-01-01"}, "This day is over."),
        ({"requests_per_minute": "601"}, "less than or equal to 600"),
        ({"concurrent_videos": "5"}, "less than or equal to 4"),
        ({"allowed_models": ["gpt-99"]}, "gpt-99 is not one of the available choices"),
        ({"webhook_url": "http://example.com/"}, "starts with https://"),
    ],
)
def test_what_cannot_be_is_told_at_its_field_and_makes_no_key(browser, fields, message) -> None:
    page = create(browser, **fields)
    assert message in page
    assert not SECRET.search(page)
    assert not ApiKey.objects.exists()


def test_limits_are_changed_and_taken_away(browser, alice) -> None:
    key = issue_key(alice, "batch", credit_limit=2000, credit_period="day", allowed_models=["gone-model"]).api_key
    path = f"/keys/{key.pk}/edit/"
    page = page_of(browser, path)
    assert 'value="2"' in page
    assert "Not in the catalogue" in page
    form = {"name": "nightly", "expiry": "never", "credit_limit": "", "allowed_models": ["gone-model", "chat"]}
    answer = browser.post(path, form, follow=True)
    assert "“nightly” hold from now on" in unescape(answer.content.decode())
    key.refresh_from_db()
    assert (key.name, key.credit_limit, key.credit_period) == ("nightly", None, "")
    assert sorted(key.allowed_models) == ["chat", "gone-model"]


def test_the_list_tells_spending_limits_and_state(browser, alice) -> None:
    key = issue_key(alice, "batch", credit_limit=4000, credit_period="day", allowed_models=["image"]).api_key
    issue_key(alice, "short", expires_at=timezone.now() + timedelta(days=7, hours=1))
    revoke_key(issue_key(alice, "gone").api_key)
    receipt = {"endpoint": "/v1/images/generations", "model": "x", "outcome": "succeeded", "milliseconds": 1}
    Receipt.objects.create(
        pk="req_1",
        account_id=alice.pk,
        api_key_id=key.pk,
        quote=1500,
        captured=1500,
        created_at=timezone.now(),
        **receipt,
    )
    page = page_of(browser)
    assert "1.5 of 4 credits today" in page
    assert "image models" in page
    assert "ends in 1\xa0week" in page
    assert "Revoked and expired (1)" in page


def test_a_rolled_key_has_the_same_settings_and_the_old_one_ends_later(browser, alice) -> None:
    old = issue_key(alice, "batch", credit_limit=2000, credit_period="day", requests_per_minute=7).api_key
    form = filled_in(browser, f"/keys/{old.pk}/roll/", overlap="3600")
    page = unescape(browser.post(f"/keys/{old.pk}/roll/", form).content.decode())
    assert SECRET.search(page)
    new = ApiKey.objects.exclude(pk=old.pk).get()
    assert (new.name, new.credit_limit, new.credit_period, new.requests_per_minute) == ("batch", 2000, "day", 7)
    assert (new.expires_at, new.origin) == (None, old)
    old.refresh_from_db()
    assert abs(old.expires_at - timezone.now() - timedelta(hours=1)) < timedelta(minutes=1)
    again = unescape(browser.post(f"/keys/{old.pk}/roll/", form).content.decode())
    assert "no second key" in again
    assert ApiKey.objects.count() == 2
    page = page_of(browser)
    assert "Rolled" in page
    assert "ends in" in page


def test_a_key_that_is_rolled_without_overlap_is_revoked(browser, alice) -> None:
    old = issue_key(alice, "leaked").api_key
    path = f"/keys/{old.pk}/roll/"
    form = filled_in(browser, path, overlap="0")
    assert "is refused from now on" in browser.post(path, form).content.decode()
    old.refresh_from_db()
    assert old.revoked_at
    assert "no second key" in browser.post(path, form).content.decode()
    assert browser.get(path).status_code == 404


def test_a_key_is_revoked_by_who_types_its_name(browser, alice) -> None:
    key = issue_key(alice, "my project").api_key
    path = f"/keys/{key.pk}/revoke/"
    assert "nothing was revoked" in browser.post(path, {"confirmation": "other"}).content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None
    assert browser.post(path, {"confirmation": "my project"})["location"] == "/keys/"
    key.refresh_from_db()
    assert key.revoked_at


def test_the_keys_of_others_are_not_found(browser) -> None:
    key = issue_key(User.objects.create_user("bob@example.com"), "his").api_key
    for action in ("edit", "roll", "revoke"):
        assert browser.get(f"/keys/{key.pk}/{action}/").status_code == 404
        assert browser.post(f"/keys/{key.pk}/{action}/", {"confirmation": "his"}).status_code == 404
    assert "his" not in re.findall(r"<th scope=\"row\".*?</th>", page_of(browser), re.S)


def test_a_dialog_is_given_the_form_alone(browser) -> None:
    part = browser.get("/keys/new/", headers={"x-fragment": "dialog"}).content.decode()
    assert "<html" not in part
    assert 'id="panel-title"' in part


def test_a_key_is_not_made_from_another_site(browser) -> None:
    form = filled_in(browser, "/keys/new/", name="x")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert strict.post("/keys/new/", form).status_code == 403
    assert not ApiKey.objects.exists()
