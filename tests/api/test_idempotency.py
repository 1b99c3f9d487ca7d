"""`Idempotency-Key` on every route that costs money: one charge and one answer, whatever happens in between."""

import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.keys import issue_key
from billing import ledger
from billing.models import Hold
from gateway import idempotency
from gateway.flows import chat
from gateway.flows.leaving import leave
from gateway.idempotency import answers
from gateway.models import IdempotentCall, Receipt, VideoTask
from tests.api.test_priced_routes import BODIES, TASK_ROUTES, assert_error, send, with_prompt
from tests.upstreams.openai import Behaviour

STREAMS = sorted(BODIES.keys() - TASK_ROUTES - {"/v1/embeddings"})
# One route of each lane, for what does not depend on the route.
CHAT, VIDEO = "/v1/chat/completions", "/v1/video/generations"
# Of the answer, and the same when it is sent again.
OWN = re.compile(r"content-type|x-request-id|x-arkroute-(?!overhead).*|openai-poll-after-ms|retry-after|x-should-retry")


@pytest.fixture(params=sorted(BODIES))
def route(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def keyed(alice) -> dict[str, str]:
    return {**alice.headers, "idempotency-key": str(uuid4())}


def own(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if OWN.fullmatch(name)}


def assert_replayed(again: httpx.Response, first: httpx.Response) -> None:
    assert (again.status_code, again.content, own(again)) == (first.status_code, first.content, own(first))
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_of_many_at_once_one_is_made_and_the_others_get_its_answer(http, alice, keyed, route) -> None:
    body = with_prompt(route, "sandbox:delay=0.3")
    outcomes: list[httpx.Response] = []

    def ask() -> None:
        outcomes.append(send(http, route, body, headers=keyed))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [made] = [one for one in outcomes if one.status_code == 200 and "idempotent-replayed" not in one.headers]
    for refused in (one for one in outcomes if one.status_code != 200):
        assert_error(refused, 409, "idempotency_in_progress")
        assert int(refused.headers["retry-after"]) >= 1

    money = alice.money()
    bare = send(http, route, body, url=f"{route.removeprefix('/v1')}/", headers=keyed)
    for again in (send(http, route, body, headers=keyed), bare):
        assert_replayed(again, made)
        assert float(again.headers["x-arkroute-overhead-ms"]) >= 0
        assert int(again.headers["x-ratelimit-remaining-requests"]) >= 0
    other = send(http, route, {**body, "n": 2}, headers=keyed)
    assert_error(other, 422, "idempotency_key_reused")
    assert alice.money() == money
    assert Hold.objects.get().pk == made.headers["x-request-id"]


@pytest.mark.parametrize("route", STREAMS)
def test_a_stream_is_sent_again_as_it_was(http, alice, keyed, route) -> None:
    body = {**BODIES[route][0], "stream": True}
    first = send(http, route, body, headers=keyed)
    assert first.headers["content-type"].startswith("text/event-stream"), first.text
    money = alice.money()
    assert_replayed(send(http, route, body, headers=keyed), first)
    assert (alice.money(), Hold.objects.count()) == (money, 1)


@pytest.mark.parametrize("route", [CHAT, VIDEO])
def test_what_fails_before_the_hold_may_be_sent_again(http, alice, charlie, route) -> None:
    key = {"idempotency-key": "mine"}
    body = BODIES[route][0]
    assert send(http, route, {**body, "model": "no-such-model"}, headers={**alice.headers, **key}).status_code == 404
    assert send(http, route, body, headers={**alice.headers, **key, "x-arkroute-max-credits": "0"}).status_code == 402
    assert send(http, route, body, headers={**alice.headers, **key}).status_code == 200
    for _ in range(2):
        refused = send(http, route, body, headers={**charlie.headers, **key})
        assert_error(refused, 402, "insufficient_credits", "insufficient_quota")
        assert "idempotent-replayed" not in refused.headers


@pytest.mark.parametrize("route", [CHAT, "/v1/audio/transcriptions"])
def test_a_refusal_after_the_hold_is_kept_and_a_failure_is_not(http, alice, keyed, route) -> None:
    body = with_prompt(route, "sandbox:fail=content_policy_violation")
    refused = send(http, route, body, headers=keyed)
    assert_error(refused, 400, "content_policy_violation")
    assert_replayed(send(http, route, body, headers=keyed), refused)
    other = {**keyed, "idempotency-key": "other"}
    for _ in range(2):
        failed = send(http, route, with_prompt(route, "sandbox:fail=overloaded"), headers=other)
        assert_error(failed, 503, "overloaded", "server_error")
        assert "idempotent-replayed" not in failed.headers
    assert send(http, route, BODIES[route][0], headers=other).status_code == 200


def test_a_key_belongs_to_its_owner_and_no_other(http, alice, make_person, keyed) -> None:
    bob = make_person("bob@example.com")
    first = send(http, CHAT, BODIES[CHAT][0], headers=keyed)
    second_key = {"authorization": f"Bearer {issue_key(alice.user, 'second').secret}"}
    assert_replayed(send(http, CHAT, BODIES[CHAT][0], headers={**keyed, **second_key}), first)
    theirs = send(http, CHAT, BODIES[CHAT][0], headers={**keyed, **bob.headers})
    assert theirs.status_code == 200
    assert "idempotent-replayed" not in theirs.headers


@pytest.mark.parametrize("route", [CHAT, VIDEO])
def test_a_header_that_is_no_key_is_422(http, alice, route) -> None:
    for key in (b"", b"x" * 256, b"caf\xc3\xa9"):
        refused = send(http, route, BODIES[route][0], headers={**alice.headers, "idempotency-key": key})
        assert_error(refused, 422, "invalid_value")
        assert refused.json()["error"]["param"] == "Idempotency-Key"


def test_a_large_answer_lies_in_our_storage_and_goes_with_its_row(http, alice, keyed, monkeypatch) -> None:
    monkeypatch.setattr(answers, "MOST_IN_ROW", 500)
    body = {"model": "sandbox-image", "prompt": "a cat", "size": "512x512", "response_format": "b64_json"}
    first = http.post("/v1/images/generations", json=body, headers=keyed)
    row = IdempotentCall.objects.get()
    assert bytes(row.body) == b""
    assert default_storage.exists(row.file)
    assert_replayed(http.post("/v1/images/generations", json=body, headers=keyed), first)
    IdempotentCall.objects.update(created_at=timezone.now() - timedelta(hours=25), leased_until=timezone.now())
    assert idempotency.forget_expired_answers() == 1
    assert not default_storage.exists(row.file)


def test_an_answer_too_large_to_keep_is_charged_once(http, alice, keyed, monkeypatch) -> None:
    monkeypatch.setattr("api.idempotency.MOST_BYTES", 100)
    first = send(http, CHAT, BODIES[CHAT][0], headers=keyed)
    assert first.status_code == 200
    again = send(http, CHAT, BODIES[CHAT][0], headers=keyed)
    assert_error(again, 409, "idempotency_answer_lost")
    assert again.headers["x-should-retry"] == "false"
    assert first.headers["x-request-id"] in again.json()["error"]["message"]
    assert Receipt.objects.count() == 1


def test_after_a_day_the_key_is_free(http, alice, keyed) -> None:
    send(http, CHAT, BODIES[CHAT][0], headers=keyed)
    IdempotentCall.objects.update(created_at=timezone.now() - timedelta(hours=24))
    again = send(http, CHAT, with_prompt(CHAT, "Something else"), headers=keyed)
    assert again.status_code == 200
    assert "idempotent-replayed" not in again.headers


def test_who_deletes_the_account_takes_the_answers_along(http, alice, keyed) -> None:
    send(http, CHAT, BODIES[CHAT][0], headers=keyed)
    async_to_sync(leave)(alice.user.pk)
    assert not IdempotentCall.objects.exists()


# --- A process that dies in the middle ---------------------------------------------------------------------------


def crashed(alice, key: str) -> IdempotentCall:
    """What a process leaves that claimed the key and died before it answered; its lease is over."""
    now = timezone.now()
    return IdempotentCall.objects.create(
        account_id=alice.user.pk,
        key=key,
        digest="0" * 64,
        request_id="req_of_the_dead",
        leased_until=now - timedelta(seconds=1),
        created_at=now - timedelta(seconds=130),
    )


def hold(alice, *, lapsed: bool) -> None:
    deadline = timezone.now() + timedelta(seconds=-1 if lapsed else 60)
    async_to_sync(ledger.hold)(alice.user.pk, 1000, "req_of_the_dead", deadline=deadline)


@pytest.mark.parametrize("route", [CHAT, VIDEO])
def test_a_dead_process_keeps_its_key_until_its_hold_is_released(http, alice, keyed, route) -> None:
    crashed(alice, keyed["idempotency-key"])
    hold(alice, lapsed=True)
    held = send(http, route, BODIES[route][0], headers=keyed)
    assert_error(held, 409, "idempotency_in_progress")
    assert async_to_sync(ledger.sweep)() == 1
    made = send(http, route, BODIES[route][0], headers=keyed)
    assert made.status_code == 200, made.text
    assert_replayed(send(http, route, BODIES[route][0], headers=keyed), made)


def test_a_key_whose_process_died_before_the_hold_is_free_when_the_lease_ends(http, alice, keyed) -> None:
    row = crashed(alice, keyed["idempotency-key"])
    IdempotentCall.objects.update(leased_until=timezone.now() + timedelta(seconds=60))
    assert send(http, CHAT, BODIES[CHAT][0], headers=keyed).status_code == 422
    IdempotentCall.objects.update(leased_until=row.leased_until)
    assert send(http, CHAT, BODIES[CHAT][0], headers=keyed).status_code == 200


def test_a_dead_process_that_charged_leaves_a_key_that_is_never_made_again(http, alice, keyed) -> None:
    crashed(alice, keyed["idempotency-key"])
    hold(alice, lapsed=False)
    async_to_sync(ledger.capture)("req_of_the_dead", alice.user.pk, 1000)
    money = alice.money()
    for _ in range(2):
        lost = send(http, CHAT, BODIES[CHAT][0], headers=keyed)
        assert_error(lost, 409, "idempotency_answer_lost")
        assert lost.headers["x-should-retry"] == "false"
        assert "/v1/receipts/req_of_the_dead" in lost.json()["error"]["message"]
    assert alice.money() == money


@pytest.mark.parametrize("route", sorted(TASK_ROUTES))
def test_a_video_begun_by_a_dead_process_is_found_again(http, alice, keyed, route) -> None:
    first = send(http, route, BODIES[route][0], headers=keyed)
    # As if it had died between the task and its answer.
    IdempotentCall.objects.update(status=None, headers={}, body=b"", leased_until=timezone.now())
    again = send(http, route, BODIES[route][0], headers=keyed)
    assert again.status_code == 200, again.text
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["x-arkroute-credits"] == first.headers["x-arkroute-credits"]
    assert (VideoTask.objects.count(), Hold.objects.count()) == (1, 1)
    assert again.headers["x-request-id"] == first.headers["x-request-id"]
    assert_replayed(send(http, route, BODIES[route][0], headers=keyed), again)


def test_a_call_that_was_held_up_holds_nothing_once_its_key_may_be_anothers(http, alice, keyed, monkeypatch) -> None:
    monkeypatch.setattr("gateway.idempotency.claims.HOLDS_WITHIN", -1)
    refused = send(http, CHAT, BODIES[CHAT][0], headers=keyed)
    assert_error(refused, 503, "database_unavailable", "server_error")
    assert not Hold.objects.exists()


# --- A client that leaves ----------------------------------------------------------------------------------------


def test_a_stream_that_its_client_left_is_charged_once_and_says_that_it_broke(
    http, alice, keyed, upstream, monkeypatch
) -> None:
    monkeypatch.setattr(chat, "LINGER_SECONDS", 0.1)
    upstream.behaviour = Behaviour(reply="word " * 300, chunk_delay=0.02)
    body = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    seen = b""
    with http.stream("POST", CHAT, json=body, headers=keyed) as response:
        for piece in response.iter_raw():
            seen += piece
            if len(seen) > 1500:
                break
    wait_for(lambda: IdempotentCall.objects.filter(status=200).exists())
    [receipt] = Receipt.objects.all()
    assert receipt.outcome == "partial"
    again = http.post(CHAT, json=body, headers=keyed)
    assert again.content.startswith(seen)
    assert again.headers["x-request-id"] == receipt.pk
    assert b"idempotency_answer_lost" in again.content.splitlines()[-2]
    assert b"[DONE]" not in again.content
    assert Receipt.objects.count() == 1


def test_a_picture_whose_client_left_is_there_when_it_asks_again(http, alice, keyed, upstream) -> None:
    upstream.behaviour = Behaviour(delay=0.5)
    body = {"model": "gpt-image-2", "prompt": "a cat"}
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/images/generations", json=body, headers=keyed, timeout=0.3)
    wait_for(lambda: IdempotentCall.objects.filter(status=200).exists())
    again = http.post("/v1/images/generations", json=body, headers=keyed)
    assert again.status_code == 200
    assert again.headers["idempotent-replayed"] == "true"
    assert Receipt.objects.count() == 1


def test_a_stream_that_its_provider_broke_is_sent_again_with_its_error(http, alice, keyed, upstream) -> None:
    upstream.behaviour = Behaviour(reply="word " * 50, die_after=5)
    body = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    first = http.post(CHAT, json=body, headers=keyed)
    assert b'"code":"provider_error"' in first.content
    assert_replayed(http.post(CHAT, json=body, headers=keyed), first)


def test_leases_move_on_while_the_process_lives(alice) -> None:
    claimed = async_to_sync(idempotency.claim)(alice.user.pk, "mine", "0" * 64, "req_1")
    assert isinstance(claimed, idempotency.Claim)
    claimed.renewed_at -= 60
    before = IdempotentCall.objects.get().leased_until
    async_to_sync(idempotency.renew_leases)()
    assert IdempotentCall.objects.get().leased_until > before
    claimed.check_lease()
    async_to_sync(claimed.let_go)()
    assert IdempotentCall.objects.get().leased_until <= timezone.now()
