"""Webhooks as their owner sees them: the secret, what became of each, and sending one again."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.models import WebhookDelivery, WebhookSecret
from tests.gateway.test_webhooks import make_delivery

SECRET, LIST = "/v1/webhooks/secret", "/v1/webhooks/deliveries"
URL = "https://hooks.example/ark"


@pytest.fixture
def bob(make_person):
    return make_person("bob@example.com")


def ids(page: dict[str, Any]) -> list[str]:
    assert page["object"] == "list"
    found = [one["id"] for one in page["data"]]
    assert (page["first_id"], page["last_id"]) == ((found[0], found[-1]) if found else (None, None))
    return found


def test_a_secret_is_made_then_rolled_and_costs_nothing(http, alice) -> None:
    before = alice.money()
    made, rolled = (http.post(SECRET, headers=alice.headers) for _ in range(2))
    assert made.json().keys() == {"object", "secret", "created_at", "previous_expires_at"}
    assert made.json()["object"] == "webhook_secret"
    assert made.json()["previous_expires_at"] is None
    assert len(base64.b64decode(made.json()["secret"].removeprefix("whsec_"))) == 32
    assert rolled.json()["secret"] != made.json()["secret"]
    assert rolled.json()["previous_expires_at"] == rolled.json()["created_at"] + 24 * 3600
    assert rolled.headers["x-ratelimit-limit-requests"] == "3000"  # in the bucket of what only reads
    assert alice.money() == before


def test_who_has_no_account_yet_has_a_secret_all_the_same(http, make_person) -> None:
    dora = make_person("dora@example.com", credits=0)
    dora.user.credit_account.delete()
    assert http.post(SECRET, headers=dora.headers).status_code == 200
    assert WebhookSecret.objects.get().account_id == dora.user.pk


def test_deliveries_are_listed_page_by_page_the_newest_first(http, alice, bob) -> None:
    assert ids(http.get(LIST, headers=alice.headers).json()) == []
    made = [make_delivery(alice.user.pk, URL, number) for number in range(5)]
    make_delivery(bob.user.pk, URL)
    now = timezone.now()
    for minutes, delivery in zip((3, 3, 3, 1, 2), made, strict=True):  # three of them in the same moment
        WebhookDelivery.objects.filter(pk=delivery.pk).update(created_at=now - timedelta(minutes=minutes))
    newest_first = [made[at].pk for at in (3, 4, 2, 1, 0)]
    page = http.get(LIST, headers=alice.headers).json()
    assert (ids(page), page["has_more"]) == (newest_first, False)
    found: list[str] = []
    more = True
    while more:
        after = {"after": found[-1]} if found else {}
        page = http.get(LIST, params={"limit": 2, **after}, headers=alice.headers).json()
        found, more = found + ids(page), page["has_more"]
    assert found == newest_first


def test_a_delivery_says_what_became_of_it(http, alice) -> None:
    delivery = make_delivery(alice.user.pk, URL)
    WebhookDelivery.objects.update(tries=2, last_status=500, last_error="its server answered 500")
    (shown,) = http.get(LIST, headers=alice.headers).json()["data"]
    assert shown == {
        "id": delivery.pk,
        "object": "webhook_delivery",
        "type": "video.completed",
        "task_id": delivery.task_id,
        "url": URL,
        "status": "pending",
        "attempts": 2,
        "next_attempt_at": int(delivery.next_at.timestamp()),
        "last_status": 500,
        "last_error": "its server answered 500",
        "created_at": int(delivery.created_at.timestamp()),
        "delivered_at": None,
    }


@pytest.mark.parametrize("state", ["failed", "delivered", "pending"])
def test_one_is_sent_again_whatever_became_of_it(http, alice, state) -> None:
    delivery = make_delivery(alice.user.pk, URL)
    later = timezone.now() + timedelta(hours=1)
    WebhookDelivery.objects.update(state=state, tries=8, next_at=later, delivered_at=later, claim="somebody")
    answer = http.post(f"{LIST}/{delivery.pk}/resend", headers=alice.headers).json()
    assert (answer["id"], answer["status"], answer["attempts"], answer["delivered_at"]) == (
        delivery.pk,
        "pending",
        0,
        None,
    )
    kept = WebhookDelivery.objects.get()
    assert (kept.state, kept.tries, kept.claim, kept.body) == ("pending", 0, "", delivery.body)
    assert kept.next_at <= timezone.now()


def test_others_deliveries_are_as_unknown_as_those_that_are_not_there(http, alice, bob) -> None:
    foreign = make_delivery(bob.user.pk, URL)
    WebhookDelivery.objects.update(state="failed")
    answers = [
        http.post(f"{LIST}/{name}/resend", headers=alice.headers)
        for name in (foreign.pk, "evt_none", "evt_%00", "a%20b")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert answers[0].json()["error"]["code"] == "delivery_not_found"
    assert WebhookDelivery.objects.get().state == "failed"
    pages = [
        http.get(LIST, params={"after": name}, headers=alice.headers) for name in (foreign.pk, "evt_none", "evt_\0")
    ]
    assert {(page.status_code, page.text) for page in pages} == {(422, pages[0].text)}
    assert pages[0].json()["error"]["param"] == "after"


@pytest.mark.parametrize("limit", ["0", "101", "ten", "-1", "1.5", ""])
def test_a_limit_that_is_none_is_422(http, alice, limit) -> None:
    answer = http.get(LIST, params={"limit": limit}, headers=alice.headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "limit")


@pytest.mark.parametrize("path", [SECRET, LIST, f"{LIST}/evt_1/resend"])
def test_nobody_is_told_anything_without_a_key(http, transactional_db, path) -> None:
    answer = http.request("GET" if path == LIST else "POST", path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "missing_api_key")
    assert http.put(path).status_code == 405
