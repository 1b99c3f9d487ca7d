"""The settings: what they show, the export, and deleting an account."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync
from django.core import mail
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.test import Client

from accounts.keys import find_key, issue_key
from accounts.known_keys import InvalidApiKey
from accounts.models import ApiKey, User, WelcomedAddress
from billing import ledger
from billing.ledger import grant_signup_credits
from billing.models import CreditAccount, Hold, LedgerEntry
from gateway.models import (
    KeptInput,
    NoticePreferences,
    Receipt,
    StoredPicture,
    VideoTask,
    WebhookDelivery,
    WebhookSecret,
)
from gateway.tasks import life, money
from gateway.webhooks.secrets import roll_secret
from tests.gateway.test_tasks import make_task

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"
PICTURE = "ab/picture.png"


@pytest.fixture(autouse=True)
def _nobody_was_counted_yet() -> None:
    cache.clear()


@pytest.fixture
def alice() -> User:
    user = User.objects.create_user("alice@example.com", PASSWORD, first_name="Alice")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    grant_signup_credits(user)
    return user


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in()


def signed_in() -> Client:
    client = Client(headers={"user-agent": "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"})
    client.post("/accounts/login/", {"login": "alice@example.com", "password": PASSWORD})
    return client


def prove_who_it_is(browser: Client) -> None:
    assert browser.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302


def row_of(page: str, name: str) -> str:
    """The text of one row of the settings."""
    row = re.search(rf"<h3[^>]*>{name}.*?</div>\s*(<a.*?</a>)?", page, re.DOTALL)
    assert row, f"no row {name}"
    return " ".join(re.sub(r"<[^>]+>", " ", row[0]).split())


def test_strangers_are_asked_to_sign_in() -> None:
    for path in ("/settings/", "/settings/export/", "/settings/delete/"):
        assert Client().get(path)["location"] == f"/accounts/login/?next={path}"


def test_each_setting_says_how_it_is_and_leads_to_its_change(browser: Client, alice: User, settings) -> None:
    settings.MEDIA_FILE_DAYS = 7
    page = browser.get("/settings/").content.decode()
    assert row_of(page, "E-mail address") == "E-mail address Verified alice@example.com Change E-mail address"
    assert row_of(page, "Authenticator app").startswith("Authenticator app Off")
    assert row_of(page, "Passkeys").startswith("Passkeys None")
    assert row_of(page, "Browsers").startswith("Browsers 1")
    assert "Recovery codes" not in page
    assert "7 days" in page
    assert 'aria-current="page"' in page

    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "x"})
    signed_in()  # gets no further than the second factor
    page = browser.get("/settings/").content.decode()
    assert row_of(page, "Authenticator app").startswith("Authenticator app On")
    assert row_of(page, "Recovery codes").startswith("Recovery codes None")


def test_browsers_are_listed_and_the_others_signed_out(browser: Client) -> None:
    other = signed_in()
    page = browser.get("/accounts/sessions/").content.decode()
    assert page.count("Firefox on Windows") == 2
    assert page.count("This one") == 1
    browser.post("/accounts/sessions/")
    assert other.get("/settings/").status_code == 302
    assert browser.get("/settings/").status_code == 200


def test_a_name_is_saved_and_addresses_mails(browser: Client, alice: User) -> None:
    assert 'value="Alice"' in browser.get("/settings/").content.decode()
    browser.post("/settings/profile/", {"name": "Alice Liddell"})
    alice.refresh_from_db()
    assert alice.get_full_name() == "Alice Liddell"
    assert "at most 150 characters" in browser.post("/settings/profile/", {"name": "a" * 151}).content.decode()


def test_each_kind_of_mail_is_shown_as_it_will_be_and_turned_on_and_off(browser: Client, alice: User) -> None:
    page = browser.get("/settings/").content.decode()
    assert "ArkRoute: 48.2 credits left" in page
    assert "security (password, address, passkeys, second factor) always come" in page
    assert re.search(r'name="low_balance" value="50"', page)
    browser.post("/settings/notifications/", {"low_balance": "50, 200;50", "video_ended": "on"})
    chosen = NoticePreferences.objects.get(user=alice)
    assert chosen.thresholds == [200, 50]
    assert (chosen.key_expires, chosen.key_limit, chosen.webhook_failed, chosen.video_ended) == (False,) * 3 + (True,)
    assert re.search(r'name="low_balance" value="200, 50"', browser.get("/settings/").content.decode())


@pytest.mark.parametrize("nonsense", ["soon", "0", "-5", "1,2,3,4,5,6", "9999999", "1.5"])
def test_thresholds_that_are_none_are_refused_beside_their_field(nonsense: str, browser: Client, alice: User) -> None:
    page = browser.post("/settings/notifications/", {"low_balance": nonsense}).content.decode()
    assert 'aria-describedby="id_low_balance_helptext id_low_balance_error"' in page
    assert f'value="{nonsense}"' in page
    assert not NoticePreferences.objects.exists()


def test_prompts_are_kept_only_where_that_is_on_and_erased_when_it_is_turned_off(browser: Client, alice: User) -> None:
    bob = User.objects.create_user("bob@example.com")
    key = issue_key(alice, "laptop").api_key
    for id_, user in (("req_1", alice), ("req_2", bob)):
        KeptInput.objects.create(id=id_, account_id=user.pk, body="{}", created_at=datetime.now(UTC))
    assert "Nothing of what your requests say is kept" in browser.get("/settings/").content.decode()
    before = key.updated_at
    page = browser.post("/settings/inputs/", {"keep": "on"}, follow=True).content.decode()
    assert "for 30 days" in page
    assert "1 request kept so far" in page
    alice.refresh_from_db()
    key.refresh_from_db()
    assert alice.keeps_inputs
    assert key.updated_at > before, "other processes learn of it"
    page = browser.post("/settings/inputs/", follow=True).content.decode()
    assert "Those of 1 request were erased" in page
    assert [one.pk for one in KeptInput.objects.all()] == ["req_2"]


def test_deleting_an_account_asks_who_it_is_and_for_the_address(browser: Client, alice: User) -> None:
    asked = browser.post("/settings/delete/", {"email": "alice@example.com"})
    assert asked["location"].startswith("/accounts/reauthenticate/")
    prove_who_it_is(browser)
    page = browser.post("/settings/delete/", {"email": "bob@example.com"}).content.decode()
    assert 'aria-describedby="id_email_error"' in page
    assert "This is not the address of this account" in page
    alice.refresh_from_db()
    assert alice.is_active


def test_a_deleted_account_is_nobodys_and_its_ledger_stays(audited, browser: Client, alice: User) -> None:
    secret, _ = issue_key(alice, "Alice's laptop", webhook_url="https://alice.example/hook")
    elsewhere = signed_in()
    alice.is_staff = True
    alice.save()
    Authenticator.objects.create(user=alice, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "x"})
    roll_secret(alice.pk)
    queued = make_task(VideoTask.State.QUEUED, account_id=alice.pk, deadline=datetime.now(UTC) + timedelta(hours=1))
    with transaction.atomic():
        ledger.apply_now([money.hold(queued, also=(queued, *life.begin(queued, queued.created_at)))])
    clip = make_task(VideoTask.State.COMPLETED, id="video_2", request_id="req_2", account_id=alice.pk)
    clip.save(force_insert=True)
    for name in (clip.media, PICTURE):
        default_storage.delete(name)
        default_storage.save(name, ContentFile(b"x"))
    picture = {"id": "image_1", "request_id": "req_3", "name": PICTURE, "mime": "image/png"}
    StoredPicture.objects.create(account_id=alice.pk, created_at=datetime.now(UTC), **picture)
    prove_who_it_is(browser)
    mail.outbox.clear()

    gone = browser.post("/settings/delete/", {"email": " Alice@Example.com"}, follow=True)
    assert "Your account is deleted" in gone.content.decode()

    assert [message.to for message in mail.outbox] == [["alice@example.com"]]
    for page in (browser, elsewhere):
        assert page.get("/settings/").status_code == 302
    alice.refresh_from_db()
    assert re.fullmatch(r"deleted-[0-9a-f]{32}@deleted\.invalid", alice.email)
    assert alice.first_name == ""
    assert (alice.is_active, alice.is_staff, alice.has_usable_password()) == (False, False, False)
    assert not EmailAddress.objects.exists()
    assert not Authenticator.objects.exists()
    assert signed_in().get("/settings/").status_code == 302

    with pytest.raises(InvalidApiKey):
        async_to_sync(find_key)(secret)
    key = ApiKey.objects.get()
    assert (key.name, key.webhook_url) == ("", "")
    assert not WebhookSecret.objects.exists()
    assert not WebhookDelivery.objects.exists()
    assert not StoredPicture.objects.exists()
    assert not default_storage.exists(PICTURE)
    assert not default_storage.exists(clip.media)
    queued.refresh_from_db()
    assert (queued.state, queued.body, queued.forgotten) == ("cancelled", {}, True)
    assert Hold.objects.get().state == Hold.State.RELEASED
    assert CreditAccount.objects.get(pk=alice.pk).posted == LedgerEntry.objects.get(account_id=alice.pk).amount


def test_a_deleted_address_may_sign_up_again_and_is_not_welcomed_with_credits_twice(
    transactional_db, settings, browser: Client
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    for credits in (500_000, 0):
        client = Client()
        client.post("/accounts/signup/", {"email": "carol@example.com", "password1": PASSWORD})
        carol = User.objects.get(email="carol@example.com")
        assert CreditAccount.objects.get(owner=carol).posted == credits
        client.post("/accounts/reauthenticate/", {"password": PASSWORD})
        assert "500 welcome credits come once" in client.get("/settings/delete/").content.decode()
        client.post("/settings/delete/", {"email": "Carol@example.com"})
        carol.refresh_from_db()
        assert not carol.is_active
    assert not WelcomedAddress.objects.filter(digest__contains="carol").exists()


def test_a_receipt_shows_what_was_kept_of_its_request(browser: Client, alice: User) -> None:
    now = datetime.now(UTC)
    call = {"api_key_id": 1, "endpoint": "/v1/images/generations", "model": "nano-banana-2", "outcome": "succeeded"}
    Receipt.objects.create(id="req_1", account_id=alice.pk, quote=2000, milliseconds=12, created_at=now, **call)
    assert "What you sent" not in browser.get("/usage/requests/req_1/").content.decode()
    KeptInput.objects.create(id="req_1", account_id=alice.pk, body='{"prompt":"<b>a cat"}', created_at=now)
    page = browser.get("/usage/requests/req_1/").content.decode()
    assert "{&quot;prompt&quot;:&quot;&lt;b&gt;a cat&quot;}" in page
    assert "Kept for 30 days" in page
