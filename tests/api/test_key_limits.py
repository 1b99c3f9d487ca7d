"""What a key's owner allows it: some models, some credits in a day, a week or a month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from accounts.keys import change_key, issue_key, roll_key
from billing.models import Hold
from gateway.limits import spending
from gateway.limits.periods import beginning, end
from gateway.models import Receipt
from tests.api.conftest import Person

PICTURE = {"model": "sandbox-image", "prompt": "a cat"}  # 1 credit
CLIP = {"model": "sandbox-video", "prompt": "a cat"}  # 5 credits
pytestmark = pytest.mark.usefixtures("audited")


def key_of(person: Person, **settings: Any) -> Person:
    """The same person with another key. `credit_limit` is in credits."""
    if limit := settings.pop("credit_limit", None):
        settings |= {"credit_limit": int(limit * 1000), "credit_period": settings.get("credit_period", "day")}
    return Person(person.user, issue_key(person.user, "limited", **settings).secret)


def paint(http: httpx.Client, person: Person, **fields: Any) -> httpx.Response:
    return http.post("/v1/images/generations", json={**PICTURE, **fields}, headers=person.headers)


def code(response: httpx.Response) -> str:
    return response.json().get("error", {}).get("code", "")


def test_a_key_spends_its_limit_and_no_more(http, alice) -> None:
    key = key_of(alice, credit_limit=2.5, credit_period="week")
    assert [paint(http, key).status_code for _ in range(3)] == [200, 200, 402]
    refused = paint(http, key)
    assert code(refused) == "insufficient_credits"
    assert refused.headers["x-should-retry"] == "false"
    monday = end("week", datetime.now(UTC))
    message = refused.json()["error"]["message"]
    assert "may spend 2.5 credits a week and has 0.5 left; this call costs 1" in message
    assert f"{monday:%Y-%m-%d} 00:00 UTC" in message
    assert paint(http, alice).status_code == 200, "her other key goes on"


def test_calls_at_the_same_time_do_not_exceed_it_together(http, alice) -> None:
    key = key_of(alice, credit_limit=3)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: paint(http, key).status_code, range(8)))
    assert sorted(statuses) == [200] * 3 + [402] * 5


def test_what_failed_is_not_spent(http, alice) -> None:
    key = key_of(alice, credit_limit=1)
    assert paint(http, key, prompt="sandbox:fail=provider_error").status_code == 500
    assert [paint(http, key).status_code for _ in range(2)] == [200, 402]


def test_a_chat_is_limited_to_what_the_key_has_left(http, alice, upstream) -> None:
    chat = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello!"}]}
    key = key_of(alice, credit_limit=1.2)
    response = http.post("/v1/chat/completions", json=chat, headers=key.headers)
    assert response.status_code == 200
    assert int(response.headers["x-arkroute-capped-tokens"]) > 1000
    assert Hold.objects.get(pk=response.headers["x-request-id"]).amount == 1200
    assert code(http.post("/v1/chat/completions", json=chat, headers=key.headers)) == "insufficient_credits"


def test_a_video_under_way_counts_until_it_is_cancelled(http, alice, monkeypatch) -> None:
    monkeypatch.setattr(spending, "READ_AGAIN_SECONDS", 0.0)
    key = key_of(alice, credit_limit=7)
    made = http.post("/v1/video/generations", json=CLIP, headers=key.headers)
    assert made.status_code == 200
    assert http.post("/v1/video/generations", json=CLIP, headers=key.headers).status_code == 402
    assert [paint(http, key).status_code for _ in range(3)] == [200, 200, 402]
    assert http.post(f"/v1/video/cancel/{made.json()['task_id']}", headers=key.headers).status_code == 200
    assert http.post("/v1/video/generations", json=CLIP, headers=key.headers).status_code == 200


def test_what_other_processes_charged_is_seen_with_the_next_reading(http, alice, monkeypatch) -> None:
    monkeypatch.setattr(spending, "READ_AGAIN_SECONDS", 0.0)
    key = key_of(alice, credit_limit=4)
    receipt = Receipt.objects.get(pk=paint(http, key).headers["x-request-id"])
    receipt.pk, receipt.captured, receipt.created_at = "req_elsewhere", 2500, timezone.now()
    receipt.save(force_insert=True)
    assert code(paint(http, key)) == "insufficient_credits"
    receipt.delete()
    assert paint(http, key).status_code == 200


def test_yesterdays_spending_is_forgotten(http, alice, monkeypatch) -> None:
    monkeypatch.setattr(spending, "READ_AGAIN_SECONDS", 0.0)
    key = key_of(alice, credit_limit=1, credit_period="day")
    answer = paint(http, key)
    assert paint(http, key).status_code == 402
    midnight = beginning("day", datetime.now(UTC))
    Receipt.objects.filter(pk=answer.headers["x-request-id"]).update(created_at=midnight - timedelta(seconds=1))
    assert paint(http, key).status_code == 200


def test_a_rolled_key_goes_on_with_what_the_old_one_spent(http, alice) -> None:
    old = issue_key(alice.user, "limited", credit_limit=2000, credit_period="month")
    first = Person(alice.user, old.secret)
    assert paint(http, first).status_code == 200
    second = Person(alice.user, roll_key(old.api_key, timedelta(hours=1)).secret)
    assert [paint(http, one).status_code for one in (second, first, second)] == [200, 402, 402]


def test_a_key_asks_for_the_models_and_types_on_its_list(http, alice) -> None:
    key = key_of(alice, allowed_models=["video", "sandbox-image"])
    assert paint(http, key).status_code == 200
    assert http.post("/v1/video/generations", json=CLIP, headers=key.headers).status_code == 200
    refused = paint(http, key, model="nano-banana-2")
    assert (refused.status_code, code(refused)) == (403, "key_not_allowed")
    assert refused.json()["error"]["type"] == "permission_error"
    assert "`nano-banana-2`, but `sandbox-image`, `video`." in refused.json()["error"]["message"]


def test_an_alias_is_allowed_where_its_model_is(http, alice, settings) -> None:
    settings.MODEL_ALIASES = {"our-painter": "sandbox-image"}
    for allowed, status in ((["sandbox-image"], 200), (["sandbox-video"], 403)):
        assert paint(http, key_of(alice, allowed_models=allowed), model="our-painter").status_code == status


def test_a_change_of_a_key_holds_at_once(http, alice) -> None:
    issued = issue_key(alice.user, "limited", credit_limit=1000, credit_period="day")
    key = Person(alice.user, issued.secret)
    assert [paint(http, key).status_code for _ in range(2)] == [200, 402]
    change_key(issued.api_key, credit_limit=3000)
    assert paint(http, key).status_code == 200


def test_the_account_shows_the_limits_and_what_is_spent(http, alice) -> None:
    expires_at = timezone.now() + timedelta(days=7)
    key = key_of(alice, credit_limit=10, credit_period="month", allowed_models=["image"], expires_at=expires_at)
    assert paint(http, key).status_code == 200
    shown = http.get("/v1/account", headers=key.headers).json()["key"]
    resets_at = int(end("month", datetime.now(UTC)).timestamp())
    assert shown["credit_limit"] == {"credits": 10, "period": "month", "spent": 1, "resets_at": resets_at}
    assert (shown["allowed_models"], shown["expires_at"]) == (["image"], int(expires_at.timestamp()))
    plain = http.get("/v1/account", headers=alice.headers).json()["key"]
    assert (plain["credit_limit"], plain["allowed_models"], plain["expires_at"]) == (None, [], None)


@pytest.mark.parametrize(
    ("period", "first", "next_one"),
    [
        ("day", "2026-12-31", "2027-01-01"),
        ("week", "2026-12-28", "2027-01-04"),
        ("month", "2026-12-01", "2027-01-01"),
    ],
)
def test_periods_are_those_of_the_calendar(period, first, next_one) -> None:
    now = datetime(2026, 12, 31, 13, 14, tzinfo=UTC)
    assert [f"{moment:%Y-%m-%d}" for moment in (beginning(period, now), end(period, now))] == [first, next_one]
    assert beginning(period, end(period, now)) == end(period, now)
