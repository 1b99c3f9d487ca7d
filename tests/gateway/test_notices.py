"""Mails about what users would want to know: each told once, to those who want it, whatever mail servers do."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any, ClassVar

import pytest
from allauth.account.models import EmailAddress
from asgiref.sync import async_to_sync, sync_to_async
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.keys import Caller, issue_key, revoke_key, roll_key
from accounts.models import ApiKey, User
from gateway.call import Call
from gateway.errors import KeyCreditsSpent
from gateway.limits import spending
from gateway.models import Notice, NoticeLook, NoticePreferences, VideoTask, WebhookDelivery
from gateway.notices import sending, spent_keys
from gateway.notices.looking import look
from gateway.notices.preferences import low_balance_below, off_link
from tests.billing.conftest import open_account, post
from tests.gateway.test_tasks import make_task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def everything_in_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own: what is done in threads would not see it, and to empty all tables takes a second."""

    async def run_here(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return await sync_to_async(function)(*args, **options)

    for module in (sending, spending, spent_keys):
        monkeypatch.setattr(module, "run_in_database_thread", run_here)


def new_user(email: str, credits: int = 0, *, verified: bool = True) -> User:
    user = User.objects.get(pk=open_account(credits * 1000, email))
    EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)
    return user


@pytest.fixture
def alice() -> User:
    user = new_user("alice@example.com", 500)
    a_minute_later()  # the first look begins with what is there
    return user


def want(user: User, **preferences: Any) -> None:
    NoticePreferences.objects.update_or_create(user=user, defaults=preferences)


def a_minute_later() -> list[mail.EmailMessage]:
    """The mails of one round of the chore."""
    mail.outbox.clear()
    NoticeLook.objects.update(next_at=timezone.now())
    Notice.objects.filter(state="pending").update(next_at=timezone.now())
    async_to_sync(sending.tell)()
    return list(mail.outbox)


def subjects(mails: list[mail.EmailMessage]) -> list[str]:
    return [one.subject.removeprefix("ArkRoute: ") for one in mails]


def test_a_low_balance_is_told_once_and_again_after_it_has_risen(alice: User) -> None:
    assert low_balance_below(alice.pk) == 50_000
    post(alice.pk, -451_000, "adjustment")
    (told,) = a_minute_later()
    assert told.to == ["alice@example.com"]
    assert told.subject == "ArkRoute: 49 credits left"
    assert "fell below 50 credits" in told.body
    assert "http://testserver/billing/" in told.body
    post(alice.pk, -1_000, "adjustment")
    assert a_minute_later() == []
    post(alice.pk, 100_000)
    assert a_minute_later() == []
    post(alice.pk, -100_000, "adjustment")
    assert subjects(a_minute_later()) == ["48 credits left"]


def test_of_thresholds_that_are_crossed_at_once_the_lowest_is_told(alice: User) -> None:
    want(alice, thresholds=[200, 100, 10])
    post(alice.pk, -450_000, "adjustment")
    (told,) = a_minute_later()
    assert "fell below 100 credits" in told.body
    post(alice.pk, -45_000, "adjustment")
    assert subjects(a_minute_later()) == ["5 credits left"]
    assert low_balance_below(alice.pk) == 10_000


def test_nobody_is_told_who_does_not_want_it_or_has_no_verified_address(alice: User) -> None:
    want(alice, thresholds=[])
    bob = new_user("bob@example.com", 100, verified=False)
    charlie = new_user("charlie@example.com", 100)
    User.objects.filter(pk=charlie.pk).update(is_active=False)
    for user in (alice, bob, charlie):
        post(user.pk, -90_000 if user != alice else -490_000, "adjustment")
    assert a_minute_later() == []
    assert low_balance_below(alice.pk) is None
    assert set(Notice.objects.values_list("user_id", "state")) == {(bob.pk, "dropped"), (charlie.pk, "dropped")}


def test_a_key_that_expires_within_a_week_is_told_once_for_each_date(alice: User) -> None:
    _, key = issue_key(alice, "nightly", expires_at=timezone.now() + timedelta(days=8))
    assert a_minute_later() == []
    soon = timezone.now() + timedelta(days=6)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=soon, updated_at=timezone.now())
    (told,) = a_minute_later()
    assert f"“nightly” ({key.masked})" in told.subject
    assert f"{soon:%Y at %H:%M} UTC" in told.body
    assert a_minute_later() == []
    ApiKey.objects.filter(pk=key.pk).update(expires_at=soon - timedelta(days=2), updated_at=timezone.now())
    assert len(a_minute_later()) == 1


def test_a_key_comes_near_its_end_by_time_alone(alice: User) -> None:
    _, key = issue_key(alice, expires_at=timezone.now() + timedelta(days=7, hours=1))
    long_ago = timezone.now() - timedelta(days=30)
    ApiKey.objects.filter(pk=key.pk).update(updated_at=long_ago)
    assert a_minute_later() == []
    NoticeLook.objects.update(keys_until=timezone.now() + timedelta(days=6))
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() + timedelta(days=6, hours=23))
    assert len(a_minute_later()) == 1


def test_a_key_that_was_rolled_or_revoked_is_not_told(alice: User) -> None:
    end = timezone.now() + timedelta(days=3)
    roll_key(issue_key(alice, expires_at=end).api_key, timedelta(days=1))
    ApiKey.objects.filter(origin__isnull=False).update(expires_at=None)
    revoke_key(issue_key(alice, expires_at=end).api_key)
    assert a_minute_later() == []


def test_a_key_that_was_refused_for_its_limit_is_told_once_a_period(alice: User) -> None:
    key = issue_key(alice, "nightly", credit_limit=1_000, credit_period="day").api_key
    caller = Caller(
        key_id=key.pk,
        user_id=alice.pk,
        email=alice.email,
        key_name=key.name,
        key_prefix=key.prefix,
        requests_per_minute=600,
        concurrent_requests=50,
        concurrent_videos=4,
        credit_limit=1_000,
        credit_period="day",
        line_id=key.pk,
    )

    async def ask() -> None:
        with pytest.raises(KeyCreditsSpent):
            await spending.check_left(Call(caller=caller, endpoint="/v1/images/generations"), 2_000)
        await spent_keys.note_spent_keys()

    async_to_sync(ask)()
    (told,) = a_minute_later()
    assert told.subject.endswith("has reached its limit")
    assert "may spend 1 credits a day" in told.body
    async_to_sync(ask)()
    assert a_minute_later() == []


def test_webhooks_that_were_given_up_are_one_mail_a_day(alice: User) -> None:
    make_task(VideoTask.State.COMPLETED, account_id=alice.pk).save(force_insert=True)

    def give_up(id_: str) -> None:
        now = timezone.now()
        values = {"type": "video.completed", "url": "https://alice.example/hook?token=hunter2", "body": "{}"}
        WebhookDelivery.objects.create(
            id=id_, account_id=alice.pk, task_id="video_1", state="failed", tries=8, next_at=now, created_at=now,
            last_error="its server answered 500", **values,
        )  # fmt: skip

    give_up("evt_1")
    give_up("evt_2")
    (told,) = a_minute_later()
    assert told.subject == "ArkRoute: A webhook to alice.example was given up"
    assert "its server answered 500" in told.body
    assert "hunter2" not in told.body
    give_up("evt_3")
    assert a_minute_later() == []


def test_videos_that_ended_are_told_together_to_those_who_want_it(alice: User) -> None:
    bob = new_user("bob@example.com")
    want(alice, video_ended=True)
    now = datetime.now(UTC)
    for id_, user, state in (("1", alice, "COMPLETED"), ("2", alice, "FAILED"), ("3", bob, "COMPLETED")):
        task = make_task(VideoTask.State[state], id=f"video_{id_}", request_id=f"req_{id_}", account_id=user.pk)
        task.ended_at = now
        task.save(force_insert=True)
    (told,) = a_minute_later()
    assert told.subject == "ArkRoute: 2 videos have ended"
    assert "is ready (video_1)" in told.body
    assert "has failed (video_2)" in told.body
    assert a_minute_later() == []


def test_one_click_turns_off_that_kind_and_no_other_without_signing_in(alice: User) -> None:
    post(alice.pk, -451_000, "adjustment")
    (told,) = a_minute_later()
    assert told.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.fullmatch(r"<http://testserver(.+)>", told.extra_headers["List-Unsubscribe"])[1]
    assert link in told.body
    browser = Client(enforce_csrf_checks=True)
    assert "Turn off these mails?" in browser.get(link).content.decode()
    assert low_balance_below(alice.pk) == 50_000, "a look at the link is no click"
    assert browser.post(link, {"List-Unsubscribe": "One-Click"}).status_code == 200
    preferences = NoticePreferences.objects.get(user=alice)
    assert (preferences.thresholds, preferences.key_expires, preferences.webhook_failed) == ([], True, True)
    assert browser.post(f"{link[:-5]}xxxx/").status_code == 404
    other = off_link(alice.pk, "key_limit").removeprefix("http://testserver")
    assert "limits of keys" in browser.post(other).content.decode()
    preferences.refresh_from_db()
    assert not preferences.key_limit


class MailServer(EmailBackend):
    """One that answers as `failures` say, one mail after the other, and takes the rest."""

    failures: ClassVar[list[Exception]] = []

    def send_messages(self, messages: Any) -> int:
        if self.failures:
            raise self.failures.pop(0)
        return super().send_messages(messages)


@pytest.fixture
def fail(settings, monkeypatch) -> Callable[..., None]:
    settings.EMAIL_BACKEND = f"{__name__}.MailServer"
    return lambda *failures: monkeypatch.setattr(MailServer, "failures", list(failures))


def test_a_mail_server_that_is_away_is_asked_again_until_it_is_no_news(alice: User, fail) -> None:
    post(alice.pk, -451_000, "adjustment")
    fail(SMTPServerDisconnected("gone"))
    assert a_minute_later() == []
    notice = Notice.objects.get()
    assert (notice.state, notice.tries, notice.claim) == ("pending", 1, "")
    assert subjects(a_minute_later()) == ["49 credits left"]
    notice.refresh_from_db()
    assert (notice.state, notice.facts) == ("sent", {})

    post(alice.pk, 100_000)
    a_minute_later()
    post(alice.pk, -100_000, "adjustment")
    fail(*[ConnectionRefusedError("away")] * 10)
    for _ in range(len(sending.PAUSES) + 1):
        assert a_minute_later() == []
    assert Notice.objects.get().state == "failed"
    fail()
    assert a_minute_later() == []


def test_an_address_that_is_refused_keeps_no_other_mail_waiting(alice: User, fail) -> None:
    bob = new_user("bob@example.com", 100)
    post(alice.pk, -451_000, "adjustment")
    post(bob.pk, -90_000, "adjustment")
    fail(SMTPRecipientsRefused({}))
    assert len(a_minute_later()) == 1


def test_of_two_processes_that_look_and_send_one_tells(alice: User) -> None:
    post(alice.pk, -451_000, "adjustment")
    NoticeLook.objects.update(next_at=timezone.now())
    assert (look(), look()) == (1, 0)
    NoticeLook.objects.update(next_at=timezone.now())  # one that broke off in the middle, and another
    look()
    mail.outbox.clear()
    async_to_sync(sending.tell)()
    async_to_sync(sending.tell)()
    assert len(mail.outbox) == 1


def test_a_look_reads_nothing_of_accounts_that_did_not_move(alice: User) -> None:
    NoticeLook.objects.update(next_at=timezone.now())
    a_minute_later()
    NoticeLook.objects.update(next_at=timezone.now())
    with CaptureQueriesContext(connection) as asked:
        look()
    statements = " ".join(query["sql"] for query in asked)
    assert "billing_creditaccount" not in statements


@pytest.mark.parametrize("html", ["<b>Eve</b>", "Eve\nBcc: bob@example.com"])
def test_what_users_name_things_is_text_in_a_mail(alice: User, html: str) -> None:
    issue_key(alice, html, expires_at=timezone.now() + timedelta(days=6))
    (told,) = a_minute_later()
    assert "<b>Eve" not in told.alternatives[0][0]
    assert "\n" not in told.subject
    assert told.recipients() == ["alice@example.com"]
