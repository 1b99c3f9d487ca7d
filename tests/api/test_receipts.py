"""`GET /v1/receipts`: what each call cost and why, to its owner and nobody else."""

import time
from typing import Any

import httpx
import pytest

from accounts.keys import issue_key
from tests.api.test_openapi import assert_described
from tests.api.test_priced_routes import BODIES, TASK_ROUTES, assert_error, send

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"


@pytest.fixture
def made(http, alice) -> list[dict[str, Any]]:
    """The receipts of four calls, the oldest first: two chats, one that failed, and an embedding by another key."""
    second = {"authorization": f"Bearer {issue_key(alice.user, 'second').secret}"}
    failing = {**BODIES[CHAT][0], "messages": [{"role": "user", "content": "sandbox:fail=provider_error"}]}
    calls = [
        send(http, CHAT, BODIES[CHAT][0], headers=alice.headers),
        send(http, CHAT, BODIES[CHAT][0], headers=alice.headers),
        send(http, CHAT, failing, headers=alice.headers),
        send(http, EMBEDDINGS, BODIES[EMBEDDINGS][0], headers=second),
    ]
    return [http.get(f"/v1/receipts/{one.headers['x-request-id']}", headers=alice.headers).json() for one in calls]


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [receipt["id"] for receipt in response.json()["data"]]


@pytest.mark.parametrize("route", sorted(BODIES.keys() - TASK_ROUTES))
def test_every_call_has_a_receipt_that_adds_up(http, alice, route) -> None:
    call = send(http, route, BODIES[route][0], headers=alice.headers)
    answer = http.get(f"/v1/receipts/{call.headers['x-request-id']}", headers=alice.headers)
    receipt = assert_described(answer, "getReceipt", closed=True)
    assert (receipt["endpoint"], receipt["model"]) == (route, BODIES[route][0]["model"])
    assert (receipt["status"], receipt["error_code"]) == ("succeeded", None)
    assert receipt["credits"] == receipt["captured"] + receipt["overrun"] == float(call.headers["x-arkroute-credits"])
    assert receipt["quote"] == pytest.approx(receipt["captured"] + receipt["released"])
    assert [attempt["error"] for attempt in receipt["attempts"]] == [None]
    assert receipt["attempts"][0]["served_by"] == receipt["served_by"] == call.headers["x-arkroute-model"]
    assert 0 <= receipt["timings"]["overhead_ms"] <= receipt["timings"]["total_ms"] + 1
    assert abs(receipt["created_at"] - time.time()) < 60


def test_a_call_that_failed_says_why_and_cost_nothing(made) -> None:
    failed = made[2]
    assert (failed["status"], failed["error_code"], failed["credits"]) == ("failed", "provider_error", 0)
    assert failed["released"] == failed["quote"] > 0


def test_the_list_has_all_keys_newest_first_and_pages(http, alice, made) -> None:
    oldest_first = [receipt["id"] for receipt in made]
    whole = http.get("/v1/receipts", headers=alice.headers)
    body = assert_described(whole, "listReceipts", closed=True)
    assert body["data"] == made[::-1]
    assert (body["first_id"], body["last_id"], body["has_more"]) == (oldest_first[3], oldest_first[0], False)
    for order, expected in (("asc", oldest_first), ("desc", oldest_first[::-1])):
        paged: list[str] = []
        more = True
        while more:
            after = f"&after={paged[-1]}" if paged else ""
            page = http.get(f"/receipts?limit=3&order={order}{after}", headers=alice.headers)
            paged += ids(page)
            more = page.json()["has_more"]
        assert paged == expected


def test_filters_narrow_the_list(http, alice, made) -> None:
    first, second, failed, embedded = (receipt["id"] for receipt in made)
    now = int(time.time())
    for query, expected in (
        ("model=sandbox-embedding", [embedded]),
        ("model=no-such-model", []),
        ("status=failed", [failed]),
        ("status=succeeded&model=sandbox-chat", [second, first]),
        (f"created_after={now + 60}", []),
        (f"created_before={now + 60}&created_after={now - 60}&limit=1", [embedded]),
    ):
        assert ids(http.get(f"/v1/receipts?{query}", headers=alice.headers)) == expected, query


def test_what_is_no_filter_is_named(http, alice) -> None:
    for query, param, code in (
        ("limit=0", "limit", "invalid_value"),
        ("limit=many", "limit", "invalid_type"),
        ("order=up", "order", "invalid_value"),
        ("status=good", "status", "invalid_value"),
        ("created_after=99999999999999", "created_after", "invalid_value"),
        ("model=%00", "model", "invalid_value"),
    ):
        refused = http.get(f"/v1/receipts?{query}", headers=alice.headers)
        assert_error(refused, 422, code)
        assert refused.json()["error"]["param"] == param
        assert_described(refused, "listReceipts")


def test_anothers_receipt_is_answered_like_one_that_there_is_not(http, make_person, made) -> None:
    bob = make_person("bob@example.com")
    answers = [
        http.get(f"/v1/receipts/{name}", headers=bob.headers) for name in (made[0]["id"], "req_none", "%00", "%C3%A9")
    ]
    answers.append(http.get(f"/v1/receipts?after={made[0]['id']}", headers=bob.headers))
    for answer in answers:
        assert_error(answer, 404, "receipt_not_found")
        assert answer.content == answers[0].content
        assert_described(answer, "getReceipt")
    assert ids(http.get("/v1/receipts", headers=bob.headers)) == []
    assert_error(http.get("/v1/receipts"), 401, "missing_api_key", "authentication_error")
