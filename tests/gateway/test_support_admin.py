"""What support asks of the gateway: why a request failed and what it cost, whether a provider is down, how it fares."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.keys import issue_key
from accounts.models import User
from billing import ledger
from billing.models import Hold as HoldRow
from billing.verbs import Capture, Hold
from gateway.admin import asked
from gateway.call import new_request_id
from gateway.errors import ProviderError, ProviderFault
from gateway.models import DisabledKey, Receipt, StoredPicture, VideoTask, WebhookDelivery
from gateway.routing import health
from gateway.routing.keys import fingerprint
from tests.dashboard.receipts import make_failure, make_receipt

RECEIPTS = reverse("admin:gateway_receipt_changelist")
PROVIDERS = reverse("admin:gateway_providers")
ANSWERED = {"served_by": "openai/gpt-5.5", "milliseconds": 1500, "error": ""}
BUSY = {"served_by": "google/gemini-2.5-flash", "milliseconds": 40, "error": "overloaded"}


@pytest.fixture
def alice(transactional_db: None) -> User:
    user = User.objects.create_user("alice@example.com")
    ledger.grant_signup_credits(user)
    return user


@pytest.fixture
def root(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com"))
    return client


def charged_call(user: User) -> Receipt:
    """A receipt with the hold and the entries that belong to it."""
    call = new_request_id()
    deadline = timezone.now() + timedelta(minutes=2)
    ledger.apply_now([Hold(account_id=user.pk, hold_id=call, amount=4_000, deadline=deadline)])
    ledger.apply_now([Capture(account_id=user.pk, hold_id=call, amount=1_234)])
    key = issue_key(user, "laptop").api_key
    return make_receipt(
        user,
        id=call,
        api_key_id=key.pk,
        captured=1_234,
        served_by="openai/gpt-5.5",
        attempts=[BUSY, ANSWERED],
        usage={"input_tokens": 812, "output_tokens": 0, "reported": True},
        overhead_microseconds=2_900,
    )


def make_task(user: User, **fields: object) -> VideoTask:
    now = timezone.now()
    values = {
        "id": f"video_{int(now.timestamp() * 1000):012x}{'0' * 31}{VideoTask.objects.count()}",
        "request_id": new_request_id(),
        "account_id": user.pk,
        "api_key_id": 1,
        "endpoint": "/v1/video/generations",
        "model": "kling-v1",
        "model_id": "kling-v1",
        "seconds": 5,
        "ratio": "16:9",
        "resolution": "720p",
        "cost": 8_000,
        "next_at": now,
        "deadline": now + timedelta(minutes=30),
        "created_at": now,
        **fields,
    }
    return VideoTask.objects.create(**values)


def test_a_receipts_page_tells_what_it_cost_and_who_was_tried(alice, root) -> None:
    receipt = charged_call(alice)
    page = root.get(reverse("admin:gateway_receipt_change", args=[receipt.pk])).content.decode()
    for shown in ("<td>4</td>", "<td>-2.766</td>", "<td>1.234</td>", "capture -1.234", "812 input tokens", "laptop"):
        assert shown in page, shown
    for shown in ("google/gemini-2.5-flash", "overloaded", "40 ms", "1.5 s", "2.9 ms spent here", "a program with"):
        assert shown in page, shown


def test_a_request_id_in_the_box_finds_all_that_is_under_it(alice, root, sign_in) -> None:
    receipt = charged_call(alice)
    found = root.get("/admin/find/", {"q": receipt.pk}).context["found"]
    assert [one.what for one in found] == ["Receipt", "Hold", "Ledger entry"]
    assert all(root.get(one.url).status_code == 200 for one in found)
    only = sign_in("view_receipt").get("/admin/find/", {"q": receipt.pk})
    assert only["Location"] == reverse("admin:gateway_receipt_change", args=[receipt.pk])


def test_the_box_finds_videos_pictures_and_messages(alice, root) -> None:
    task = make_task(alice, provider_task_id="8675309")
    now = timezone.now()
    picture = StoredPicture.objects.create(
        id="image_1", account_id=alice.pk, request_id="r", name="ab/c.png", mime="image/png", created_at=now
    )
    message = WebhookDelivery.objects.create(
        id="evt_1", account_id=alice.pk, task=task, type="video.failed", url="u", body="{}", next_at=now, created_at=now
    )
    for words, model, row in (
        *((words, "videotask", task) for words in (task.pk, task.request_id, "8675309")),
        ("image_1", "storedpicture", picture),
        ("evt_1", "webhookdelivery", message),
    ):
        page = reverse(f"admin:gateway_{model}_change", args=[row.pk])
        assert root.get("/admin/find/", {"q": words})["Location"] == page, words
        assert root.get(page).status_code == 200


def test_receipts_are_filtered_by_what_support_asks_for(alice, root) -> None:
    good = charged_call(alice)
    failed = make_failure(alice, model="gpt-5.5", from_page=True, endpoint="/v1/responses")
    left = make_failure(alice, "cancelled")
    today = timezone.now().date().isoformat()

    def shown(**params: object) -> list[str]:
        return [receipt.pk for receipt in root.get(RECEIPTS, params).context["cl"].result_list]

    assert shown() == shown(account=alice.pk) == shown(since=today, until=today) == [left.pk, failed.pk, good.pk]
    assert shown(status="succeeded") == shown(provider="openai") == [good.pk]
    assert shown(status="failed") == shown(model="gpt-5.5") == shown(endpoint="/v1/responses") == [failed.pk]
    assert shown(status="cancelled") == [left.pk]
    assert shown(from_page__exact="1") == [failed.pk]
    assert shown(until="2026-01-01") == shown(q="bob@") == shown(provider="kling") == []


@pytest.mark.parametrize("name", ["receipt", "videotask", "storedpicture", "webhookdelivery"])
def test_a_list_costs_the_same_queries_however_long_and_counts_no_table(alice, root, name) -> None:
    costs = []
    for more in (1, 1, 12):
        for _ in range(more):
            make_receipt(alice)
            make_task(alice)
        with CaptureQueriesContext(connection) as queries:
            assert root.get(reverse(f"admin:gateway_{name}_changelist")).status_code == 200
        costs.append(len(queries))
        assert all("LIMIT" in query["sql"] for query in queries if "COUNT(" in query["sql"])
    # The first request of a session costs one more.
    assert costs[1] == costs[2]


def test_receipts_are_not_edited(alice, root) -> None:
    page = reverse("admin:gateway_receipt_change", args=[make_receipt(alice).pk])
    assert root.post(page, {"captured": "0"}).status_code == 403
    assert root.get(reverse("admin:gateway_receipt_add")).status_code == 403


def test_the_providers_page_says_how_each_is(alice, root, settings, monkeypatch) -> None:
    settings.PROVIDERS = {
        "openai": {"api_keys": ["sk-good-9xQz"], "base_url": "http://127.0.0.1:9"},
        "kling": {"api_keys": [], "base_url": "http://127.0.0.1:9"},
        "google": {"api_keys": ["g-1"], "base_url": "http://127.0.0.1:9"},
    }
    monkeypatch.setattr(health, "_circuits", {})
    now = timezone.now()
    DisabledKey.objects.create(
        provider="openai",
        fingerprint=fingerprint("sk-good-9xQz"),
        last_four="9xQz",
        reason="auth",
        message="Incorrect API key provided.",
        since=now,
        until=now + timedelta(minutes=9),
    )
    for _ in range(health.FAULTS_IN_A_ROW):
        health.note_error("google/gemini-2.5-flash", ProviderError(ProviderFault.OVERLOADED, "busy"))
    make_receipt(alice, attempts=[BUSY, ANSWERED])
    make_failure(alice, attempts=[BUSY])
    make_receipt(alice, id=f"req_{'0' * 44}", attempts=[BUSY])  # long ago

    answer = root.get(PROVIDERS)
    states = {state.name: state for state in answer.context["providers"]}
    assert [states[name].level for name in ("openai", "kling", "google")] == ["bad", "off", "warning"]
    assert states["google"].lines[0].errors == "overloaded 2"
    assert states["google"].lines[0].failed == "2 (100 %)"
    assert states["openai"].lines[0].failed == "0 (0 %)"
    assert "failed again and again" in states["google"].notes[0]
    page = answer.content.decode()
    assert "Incorrect API key provided." in page
    assert "sk-good" not in page


def test_who_may_only_look_sees_no_button_and_without_receipts_no_tries(alice, sign_in) -> None:
    now = timezone.now()
    DisabledKey.objects.create(
        provider="openai", fingerprint="f", last_four="9xQz", reason="auth", since=now, until=now + timedelta(minutes=9)
    )
    make_receipt(alice, attempts=[ANSWERED])
    page = sign_in("view_disabledkey").get(PROVIDERS).content.decode()
    assert "9xQz" in page
    assert "Use again" not in page
    assert "gpt-5.5" not in page


def test_a_key_is_used_again_from_there_by_who_may(alice, sign_in) -> None:
    now = timezone.now()
    row = DisabledKey.objects.create(
        provider="openai", fingerprint="f", last_four="9xQz", reason="auth", since=now, until=now + timedelta(minutes=9)
    )
    client = sign_in("view_disabledkey", "change_disabledkey")
    assert "Use …9xQz again" in client.get(PROVIDERS).content.decode()
    client.post(
        reverse("admin:gateway_disabledkey_changelist"), {"action": "use_again", "_selected_action": [str(row.pk)]}
    )
    assert not DisabledKey.objects.exists()
    assert LogEntry.objects.get().change_message == "Used again."


def test_the_providers_page_is_for_who_may_see_their_keys(sign_in) -> None:
    assert sign_in("view_receipt").get(PROVIDERS).status_code == 403


def test_the_first_page_says_how_it_fares(alice, root, settings, monkeypatch) -> None:
    settings.ENGINE_IS_IMPLIED = True
    levels = {sign.name: sign.level for sign in root.get("/admin/").context["signs"]}
    assert set(levels.values()) == {"good"}

    past = timezone.now() - timedelta(minutes=20)
    overdue = make_task(alice, next_at=past)
    terms: dict[str, Any] = {"amount": 1_000, "deadline": timezone.now() + timedelta(minutes=2)}
    ledger.apply_now([Hold(account_id=alice.pk, hold_id="r1", **terms)])
    ledger.apply_now([Hold(account_id=alice.pk, hold_id=overdue.request_id, **terms)])
    HoldRow.objects.update(created_at=past)
    DisabledKey.objects.create(
        provider="openai", fingerprint="f", last_four="9xQz", reason="auth", since=past, until=terms["deadline"]
    )
    WebhookDelivery.objects.create(
        id="evt_1",
        account_id=alice.pk,
        task=overdue,
        type="video.failed",
        url="u",
        body="{}",
        state="failed",
        next_at=past,
        created_at=past,
    )
    for _ in range(3):
        make_failure(alice, attempts=[BUSY])
    signs = {sign.name: sign for sign in root.get("/admin/").context["signs"]}
    assert signs["Held credits"].text.startswith("1 calls hold")
    assert {sign.level for sign in signs.values()} == {"warning", "bad"}
    # Each leads to what it counts.
    for sign in signs.values():
        assert root.get(sign.url).status_code == 200
    assert [task.pk for task in root.get(signs["Videos"].url).context["cl"].result_list] == [overdue.pk]


def test_of_a_busy_hour_its_last_requests_are_read(alice, monkeypatch) -> None:
    monkeypatch.setattr(asked, "MOST", 2)
    for _ in range(3):
        make_receipt(alice, attempts=[ANSWERED])
    read = asked.read_asked()
    assert (read.requests, read.is_whole, read.places[0].tries) == (2, False, 2)


def test_who_may_see_nothing_is_told_nothing_on_the_first_page(sign_in) -> None:
    assert sign_in("view_session").get("/admin/").context["signs"] == []


def test_a_users_page_leads_to_what_the_user_did(alice, root) -> None:
    charged_call(alice)
    make_task(alice)
    page = root.get(reverse("admin:accounts_user_change", args=[alice.pk])).content.decode()
    for shown in ("498.766 available: 498.766 posted, less 0 held", "1 under way", "0 in our storage", "sandbox-chat"):
        assert shown in page, shown
    for name in ("receipt", "videotask", "storedpicture"):
        assert f"{reverse(f'admin:gateway_{name}_changelist')}?account={alice.pk}" in page
