"""The settings: what they show, the export, and deleting an account."""

import json
import re
from collections.abc import AsyncIterator
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
from accounts.models import ApiKey, User
from billing import ledger
from billing.ledger import grant_signup_credits
from billing.models import CreditAccount, Hold, LedgerEntry
from gateway.media import store
from gateway.models import Receipt, StoredPicture, VideoTask, WebhookDelivery, WebhookSecret
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


def test_the_export_has_what_is_ones_own_and_no_secret(browser: Client, alice: User) -> None:
    secret, key = issue_key(alice, "laptop")
    issue_key(User.objects.create_user("bob@example.com"), "of Bob")
    now = datetime.now(UTC)
    for id_, account in (("req_1", alice.pk), ("req_2", 999)):
        Receipt.objects.create(
            id=id_,
            account_id=account,
            api_key_id=key.pk,
            endpoint="/v1/images/generations",
            model="nano-banana-2",
            outcome="succeeded",
            quote=2000,
            captured=2000,
            milliseconds=12,
            created_at=now,
        )
    picture = {"id": "image_1", "request_id": "req_1", "name": async_to_sync(store)(b"x", "image/png")}
    StoredPicture.objects.create(account_id=alice.pk, mime="image/png", created_at=now, **picture)
    make_task(VideoTask.State.RUNNING, account_id=alice.pk).save(force_insert=True)
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "hush-hush"})

    response = browser.get("/settings/export/")
    assert re.fullmatch(r'attachment; filename="arkroute-\d{4}-\d\d-\d\d\.json"', response["content-disposition"])
    text = async_to_sync(whole)(response.streaming_content)
    assert secret not in text
    assert key.digest not in text
    assert "hush-hush" not in text
    assert "of Bob" not in text

    data = json.loads(text)
    assert data["user"]["email"] == "alice@example.com"
    assert [(one["key"], one["name"]) for one in data["api_keys"]] == [(key.masked, "laptop")]
    assert [(one["kind"], one["credits"]) for one in data["ledger"]] == [("grant", 500)]
    assert [(one["request_id"], one["credits"]) for one in data["receipts"]] == [("req_1", 2)]
    assert data["videos"][0]["request"] == {"prompt": "a secret"}
    assert [one["kind"] for one in data["second_factors"]] == ["totp"]
    assert browser.get(data["pictures"][0]["link"]).status_code == 200


async def whole(pieces: AsyncIterator[bytes]) -> str:
    return b"".join([piece async for piece in pieces]).decode()


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


def test_a_deleted_address_may_sign_up_again(transactional_db, browser: Client, alice: User) -> None:
    prove_who_it_is(browser)
    browser.post("/settings/delete/", {"email": "alice@example.com"})
    Client().post("/accounts/signup/", {"email": "alice@example.com", "password1": PASSWORD})
    assert User.objects.get(email="alice@example.com").pk != alice.pk
