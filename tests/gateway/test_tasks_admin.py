"""My video is stuck: the staff has it looked at, or ends it and gives the credits back."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing import ledger
from billing.models import CreditAccount
from gateway.call import new_request_id
from gateway.models import Receipt, VideoTask, WebhookDelivery
from gateway.tasks import life, money

LIST = reverse("admin:gateway_videotask_changelist")
State = VideoTask.State


@pytest.fixture
def alice(audited: None) -> User:
    user = User.objects.create_user("alice@example.com")
    ledger.grant_signup_credits(user)
    return user


def begin(user: User, state: State = State.RUNNING, **fields: Any) -> VideoTask:
    """A task with its hold of 8 credits; one that runs is at a provider of whom no key is ours any more."""
    now = timezone.now()
    at_provider = {"served_by": "kling/kling-v1", "served_model_id": "kling-v1", "provider_task_id": "867"}
    task = VideoTask(
        id=f"video_{VideoTask.objects.count():044x}",
        request_id=new_request_id(),
        account_id=user.pk,
        api_key_id=1,
        endpoint="/v1/video/generations",
        model="kling-v1",
        model_id="kling-v1",
        seconds=5,
        ratio="16:9",
        resolution="720p",
        body={"prompt": "a fox that nobody else knows of"},
        webhook_url="https://example.com/hook",
        cost=8_000,
        state=state,
        next_at=now + timedelta(minutes=5),
        deadline=now + timedelta(minutes=30),
        created_at=now,
        **({**at_provider, "started_at": now} if state == State.RUNNING else {}),
        **fields,
    )
    events = life.begin(task, now)
    ledger.apply_now([money.hold(task, also=(task, *events))])
    return task


def act(client: Client, action: str, *tasks: VideoTask, **more: str) -> str:
    form = {"action": action, "_selected_action": [task.pk for task in tasks], **more}
    return client.post(LIST, form, follow=True).content.decode()


def held(user: User) -> int:
    return CreditAccount.objects.get(pk=user.pk).held


def page_of(task: VideoTask) -> str:
    return reverse("admin:gateway_videotask_change", args=[task.pk])


def test_a_task_is_failed_and_its_credits_released_after_a_question(alice, sign_in) -> None:
    task = begin(alice)
    client = sign_in("view_videotask", "fail_videotask")
    asked = act(client, "fail_and_release", task)
    assert "fails for good" in asked
    assert task.pk in asked
    assert held(alice) == 8_000

    page = act(client, "fail_and_release", task, confirmed="yes")
    assert f"Failed: {task.pk}. 8 credits are available to alice@example.com again." in page
    task.refresh_from_db()
    assert (task.state, task.error_code, task.body, held(alice)) == ("failed", "internal_error", {}, 0)
    receipt = Receipt.objects.get(pk=task.request_id)
    assert (receipt.outcome, receipt.captured) == ("failed", 0)
    assert WebhookDelivery.objects.get().type == "video.failed"
    assert LogEntry.objects.get().object_id == task.pk
    assert "Our staff ended this video" in page
    assert "had ended before" in act(client, "fail_and_release", task, confirmed="yes")


def test_a_task_is_looked_at_now_where_that_is_of_use(alice, sign_in) -> None:
    running, queued, claimed = begin(alice), begin(alice, State.QUEUED), begin(alice, claim="a-worker")
    client = sign_in("view_videotask", "change_videotask")
    page = act(client, "look_now", running, queued, claimed)
    assert "1 will be looked at within a second or two." in page
    assert "2 left as they were" in page
    for task in (running, queued, claimed):
        task.refresh_from_db()
    now = timezone.now()
    assert [task.next_at <= now for task in (running, queued, claimed)] == [True, False, False]
    assert LogEntry.objects.get().object_id == running.pk


def test_who_may_only_look_at_the_list_does_nothing(alice, sign_in) -> None:
    task = begin(alice)
    client = sign_in("view_videotask")
    pages = client.get(LIST).content.decode() + client.get(page_of(task)).content.decode()
    assert "Look now" not in pages
    assert "Fail and release" not in pages
    for action in ("look_now", "fail_and_release"):
        act(client, action, task, confirmed="yes")
    kept = VideoTask.objects.get()
    assert (kept.state, kept.next_at, held(alice)) == ("running", task.next_at, 8_000)


@pytest.mark.parametrize(
    ("right", "action"), [("change_videotask", "fail_and_release"), ("fail_videotask", "look_now")]
)
def test_one_right_is_not_the_other(alice, sign_in, right, action) -> None:
    task = begin(alice)
    client = sign_in("view_videotask", right)
    assert f'value="{action}"' not in client.get(page_of(task)).content.decode()
    act(client, action, task, confirmed="yes")
    kept = VideoTask.objects.get()
    assert (kept.state, kept.next_at) == ("running", task.next_at)


def test_its_page_tells_what_happened_in_order_and_not_what_was_asked_of_the_model(alice, sign_in) -> None:
    task = begin(alice, attempts=[{"served_by": "kling/kling-v1", "milliseconds": 900, "error": ""}])
    client = sign_in("view_videotask", "change_videotask", "fail_videotask")
    page = client.get(page_of(task)).content.decode()
    for shown in ("video.queued", "kling/kling-v1", "900 ms", "took it on", "8 held", "Look now", "Fail and release"):
        assert shown in page, shown
    assert "a fox" not in page
    assert client.post(page_of(task), {"state": "completed"}).status_code == 403
    act(client, "fail_and_release", task, confirmed="yes")
    page = client.get(page_of(task)).content.decode()
    assert page.index("video.queued") < page.index("video.failed")
    assert "Look now" not in page


def test_overdue_ones_are_told_from_those_that_go_on(alice, sign_in) -> None:
    past = timezone.now() - timedelta(minutes=10)
    begin(alice)
    late = begin(alice)
    VideoTask.objects.filter(pk=late.pk).update(next_at=past)
    client = sign_in("view_videotask")
    assert [task.pk for task in client.get(LIST, {"open": "overdue"}).context["cl"].result_list] == [late.pk]
    page = client.get(LIST, {"open": "yes"})
    assert len(page.context["cl"].result_list) == 2
    assert "10 minutes ago: overdue" in page.content.decode().replace("\xa0", " ")
