"""Chat through a provider that speaks OpenAI's wire format: what passes through, what a cut stream costs."""

import json
import socket
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from api import express, sse
from billing.models import Hold, LedgerEntry
from gateway.flows import chat
from gateway.models import Receipt
from tests.upstreams.openai import Behaviour

MODEL = "gpt-5.4-mini"  # 1 credit


def body(text: str = "Hello!", **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


def events(response: httpx.Response) -> list[Any]:
    """The data of a whole stream's events, `[DONE]` as text."""
    assert response.headers["content-type"].startswith("text/event-stream")
    found = [block.removeprefix("data: ") for block in response.text.split("\n\n") if block.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in found]


def stream(http: httpx.Client, person, **fields: Any) -> httpx.Response:
    return http.post("/v1/chat/completions", json=body(stream=True, **fields), headers=person.headers)


def wait_for_receipt(seconds: float = 5) -> Receipt:
    until = monotonic() + seconds
    while monotonic() < until:
        if receipt := Receipt.objects.first():
            return receipt
        sleep(0.02)
    raise AssertionError("no receipt was written")


def test_the_answer_passes_through_under_the_name_asked_for(http, alice, upstream, settings) -> None:
    settings.MODEL_ALIASES = {"house-model": MODEL}
    response = http.post("/v1/chat/completions", json={**body(), "model": "house-model"}, headers=alice.headers)
    answer = response.json()
    assert answer["choices"][0]["message"]["content"].startswith("one two")
    assert answer["model"] == "house-model"
    assert answer["usage"]["prompt_tokens"] == 11
    assert upstream.requests[-1].body["model"] == MODEL
    assert response.headers["x-arkroute-model"] == f"openai/{MODEL}"


def test_unknown_fields_reach_the_provider_as_they_came(http, alice, upstream) -> None:
    fields = {"reasoning_effort": "low", "prompt_cache_key": "a", "seed": 7, "logit_bias": {"50256": -100}}
    assert http.post("/v1/chat/completions", json=body(**fields), headers=alice.headers).status_code == 200
    assert {name: upstream.requests[-1].body[name] for name in fields} == fields


def test_usage_is_always_asked_for_and_hidden_from_those_who_did_not(http, alice, upstream) -> None:
    received = events(stream(http, alice))
    assert upstream.requests[-1].body["stream_options"] == {"include_usage": True}
    assert received[-1] == "[DONE]"
    assert all(chunk["choices"] for chunk in received[:-1])
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in received[:-1]).endswith("nine ten")
    assert Receipt.objects.get().usage == {"input_tokens": 11, "output_tokens": 10, "reported": True}


def test_usage_and_credits_are_told_to_those_who_ask(http, alice, upstream) -> None:
    received = events(stream(http, alice, stream_options={"include_usage": True}))
    assert received[-2]["choices"] == []
    assert received[-2]["usage"]["completion_tokens"] == 10
    assert received[-2]["usage"]["credits"] == 1


def test_every_chunk_carries_the_name_asked_for(http, alice, upstream, settings) -> None:
    settings.MODEL_ALIASES = {"house-model": MODEL}
    response = http.post(
        "/v1/chat/completions", json={**body(stream=True), "model": "house-model"}, headers=alice.headers
    )
    assert {chunk["model"] for chunk in events(response)[:-1]} == {"house-model"}


@pytest.mark.parametrize("fault", [Behaviour(usage=False), Behaviour(bad_usage=True)], ids=["none", "nonsense"])
@pytest.mark.parametrize("streamed", [True, False])
def test_tokens_are_counted_where_the_provider_does_not(http, alice, upstream, fault, streamed) -> None:
    fault.reply = "x" * 6000
    upstream.behaviour = fault
    response = http.post("/v1/chat/completions", json=body(stream=streamed), headers=alice.headers)
    assert response.status_code == 200
    usage = Receipt.objects.get().usage
    assert usage == {"input_tokens": 2, "output_tokens": 2000, "reported": False}
    # 1,000 tokens beyond the base at 4.5 dollars a million x 1.3, a credit being 0.04 dollars: 146.25 millicredits.
    assert alice.money()[0] == 500_000 - 1_000 - 147


@pytest.mark.parametrize("cut", range(13))
def test_a_stream_that_dies_costs_what_was_delivered(http, alice, upstream, cut) -> None:
    """Of its twelve chunks the first is empty: dying before the second delivers nothing."""
    upstream.behaviour = Behaviour(die_after=cut)
    response = stream(http, alice)
    posted, held, _ = alice.money()
    assert held == 0
    receipt = Receipt.objects.get()
    if cut <= 1:
        assert posted == 500_000
        assert receipt.outcome == "failed"
    elif cut < 12:
        assert posted == 499_000
        assert receipt.outcome == "partial"
    if cut == 0:
        assert response.status_code == 500
        assert response.json()["error"]["code"] == "provider_error"
    elif cut < 12:
        *chunks, last = events(response)
        assert len(chunks) == cut
        assert last["error"]["code"] == "provider_error"
        assert "[DONE]" not in response.text


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        {"prompt_tokens": 10**15},
        {"prompt_tokens": 10**19},
        {"cached_tokens": -10_000_000},
        {"cached_tokens": 10**12},
        {"completion_tokens": 90_000_000},
        {"prompt_tokens": 90_000_000},
    ],
    ids=str,
)
def test_nobody_pays_for_a_count_that_cannot_be(http, alice, upstream, fault, streamed) -> None:
    """At most what the model can read and write: 272,000 tokens in, 128,000 out."""
    upstream.behaviour = Behaviour(**fault)
    response = http.post("/v1/chat/completions", json=body(stream=streamed), headers=alice.headers)
    assert response.status_code == 200
    posted, held, _ = alice.money()
    assert held == 0
    assert 1_000 <= 500_000 - posted <= 1_000 + 128_000 * 0.14625 + 272_000 * 0.0244


def test_an_empty_stream_is_a_failure_and_free(http, alice, upstream) -> None:
    upstream.behaviour = Behaviour(empty=True)
    response = stream(http, alice)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_error")
    assert alice.money()[:2] == (500_000, 0)


def test_what_a_cut_stream_cost_is_said_and_noted(http, alice, upstream) -> None:
    upstream.behaviour = Behaviour(die_after=5)
    message = events(stream(http, alice))[-1]["error"]["message"]
    assert "What was delivered is charged (1 credits)" in message
    assert "Nothing was charged" not in message
    receipt = Receipt.objects.get()
    assert (receipt.outcome, receipt.error_code) == ("partial", "provider_error")
    assert [attempt["error"] for attempt in receipt.attempts] == ["broken"]


def test_each_choice_begins_with_its_role_even_where_the_provider_forgot(http, alice, upstream) -> None:
    upstream.behaviour = Behaviour(no_role=True)
    first, second, *_ = events(stream(http, alice))
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "one"}
    assert second["choices"][0]["delta"] == {"content": " two"}


@pytest.mark.parametrize("asked", [True, False])
def test_usage_on_a_chunk_with_choices_is_not_told_twice_nor_unasked(http, alice, upstream, asked) -> None:
    upstream.behaviour = Behaviour(usage_on_chunks=True)
    options = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = events(stream(http, alice, **options))[:-1]
    told = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert len(told) == asked
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-fake"}


def test_an_error_in_the_stream_is_one_event_without_an_end_mark(http, alice, upstream) -> None:
    upstream.behaviour = Behaviour(error_after=4, code="server_is_overloaded")
    response = stream(http, alice)
    assert response.status_code == 200
    assert events(response)[-1]["error"]["code"] == "overloaded"
    assert "[DONE]" not in response.text


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (Behaviour(status=401, code="invalid_api_key"), 500, "provider_error"),
        (Behaviour(status=429, code="insufficient_quota"), 500, "provider_error"),
        (Behaviour(status=429, code="rate_limit_exceeded", retry_after="7"), 503, "overloaded"),
        (Behaviour(status=500), 500, "provider_error"),
        (Behaviour(status=503, code="server_is_overloaded"), 503, "overloaded"),
        (Behaviour(status=400, code="context_length_exceeded"), 400, "context_length_exceeded"),
        (Behaviour(status=400, code="content_policy_violation"), 400, "content_policy_violation"),
        (Behaviour(status=400, code="invalid_value"), 422, "invalid_value"),
        (Behaviour(html=True, status=502), 500, "provider_error"),
        (Behaviour(bad_json=True), 500, "provider_error"),
        (Behaviour(error_in_200=True), 500, "provider_error"),
        (Behaviour(garbage=True), 500, "provider_error"),
        (Behaviour(refuse=True), 500, "provider_error"),
    ],
    ids=lambda value: str(value) if not isinstance(value, Behaviour) else "",
)
@pytest.mark.parametrize("streamed", [True, False])
def test_what_goes_wrong_before_the_first_byte_is_an_http_error_and_free(
    http, alice, upstream, behaviour, status, code, streamed
) -> None:
    if streamed and behaviour.bad_json:
        behaviour = Behaviour(bad_chunk_after=0)
    upstream.behaviour = behaviour
    response = http.post("/v1/chat/completions", json=body(stream=streamed), headers=alice.headers)
    assert response.status_code == status, response.text
    assert response.json()["error"]["code"] == code
    assert "sk-test" not in response.text
    assert upstream.base_url not in response.text
    if behaviour.retry_after:
        assert response.headers["retry-after"] == "7"
    assert alice.money()[:2] == (500_000, 0)


def test_a_provider_that_is_busy_for_a_moment_is_asked_again(http, alice, upstream) -> None:
    upstream.behaviour = Behaviour(status=503, code="slow_down", fail_times=1)
    response = http.post("/v1/chat/completions", json=body(), headers=alice.headers)
    assert response.status_code == 200
    assert [attempt["error"] for attempt in Receipt.objects.get().attempts] == ["overloaded", ""]
    assert alice.money()[0] == 499_000


def test_a_provider_that_does_not_answer_is_given_up(http, alice, upstream, settings) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.2
    upstream.behaviour = Behaviour(hang=True)
    response = http.post("/v1/chat/completions", json=body(), headers=alice.headers)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_timeout")
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_leaves_while_it_waits_pays_nothing(gateway_url, alice, upstream, streamed) -> None:
    upstream.behaviour = Behaviour(hang=True)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway_url}/v1/chat/completions", json=body(stream=streamed), headers=alice.headers, timeout=0.3)
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code) == ("failed", "cancelled")
    assert alice.money()[:2] == (500_000, 0)
    assert Hold.objects.get().state == "released"
    assert_lets_go(upstream)


def test_a_client_that_leaves_a_stream_pays_what_it_got_and_the_provider_is_let_go(
    gateway_url, alice, upstream, monkeypatch
) -> None:
    monkeypatch.setattr(chat, "LINGER_SECONDS", 0.3)
    upstream.behaviour = Behaviour(reply="word " * 500, chunk_delay=0.02)
    with (
        httpx.Client(base_url=gateway_url, timeout=10) as http,
        http.stream("POST", "/v1/chat/completions", json=body(stream=True), headers=alice.headers) as response,
    ):
        chunks = response.iter_text()
        while "word" not in next(chunks):
            pass
    receipt = wait_for_receipt()
    assert receipt.outcome == "partial"
    assert 0 < receipt.usage["output_tokens"] < 800
    assert alice.money()[:2] == (499_000, 0)
    assert_lets_go(upstream)


def assert_lets_go(upstream) -> None:
    """The connection to the provider is closed, so that it stops working for nobody."""
    until = monotonic() + 5
    while upstream.open_connections and monotonic() < until:
        sleep(0.02)
    assert upstream.open_connections == 0


def test_comments_keep_a_slow_stream_alive(http, alice, upstream, monkeypatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    upstream.behaviour = Behaviour(delay=0.3)
    response = stream(http, alice)
    assert response.text.startswith(": keep-alive\n\n")
    assert events(response)[-1] == "[DONE]"


def test_after_a_comment_an_error_is_an_event(http, alice, upstream, monkeypatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    upstream.behaviour = Behaviour(delay=0.3, status=500)
    response = stream(http, alice)
    assert response.status_code == 200
    assert [event["error"]["code"] for event in events(response)] == ["provider_error"]
    assert alice.money()[:2] == (500_000, 0)


def test_a_small_balance_caps_the_output_instead_of_refusing(http, make_person, upstream) -> None:
    poor = make_person("poor@example.com", credits=1)
    response = http.post("/v1/chat/completions", json=body(), headers=poor.headers)
    assert response.status_code == 200
    assert response.headers["x-arkroute-capped-tokens"] == "1000"
    sent = upstream.requests[-1].body
    assert sent.get("max_completion_tokens", sent.get("max_tokens")) == 1000
    assert poor.money()[:2] == (0, 0)


def test_what_a_call_costs_beyond_its_hold_is_an_overrun(http, make_person, upstream) -> None:
    """The provider's count decides, even where it is more than was held."""
    poor = make_person("poor@example.com", credits=1)
    upstream.behaviour = Behaviour(completion_tokens=3000)
    assert http.post("/v1/chat/completions", json=body(), headers=poor.headers).status_code == 200
    assert poor.money()[0] == -293  # 2,000 tokens at 0.14625 millicredits
    overrun = LedgerEntry.objects.get(account_id=poor.user.pk, kind="overrun")
    assert overrun.amount == -293
    refused = http.post("/v1/chat/completions", json=body(), headers=poor.headers)
    assert refused.status_code == 402


def test_calls_beyond_the_keys_concurrency_are_refused_until_one_ends(gateway_url, make_person, upstream) -> None:
    alice = make_person("alice@example.com", concurrent_requests=1)
    upstream.behaviour = Behaviour(delay=0.5)
    with httpx.Client(base_url=gateway_url, timeout=10) as http:
        request = http.build_request("POST", "/v1/chat/completions", json=body(), headers=alice.headers)
        first = socket.create_connection((request.url.host, request.url.port))
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        first.sendall("\r\n".join(["POST /v1/chat/completions HTTP/1.1", *lines, "", ""]).encode() + request.content)
        sleep(0.2)
        second = http.send(request)
        assert (second.status_code, second.json()["error"]["code"]) == (429, "concurrency_exceeded")
        assert int(second.headers["retry-after"]) >= 1
        assert first.recv(12) == b"HTTP/1.1 200"
        first.close()
        sleep(0.05)
        assert http.send(request).status_code == 200


def test_a_body_that_does_not_come_gives_its_slot_back(gateway_url, make_person, monkeypatch) -> None:
    monkeypatch.setattr(express, "BODY_SECONDS", 0.1)
    alice = make_person("alice@example.com", concurrent_requests=1)
    url = httpx.URL(gateway_url)
    with socket.create_connection((url.host, url.port), timeout=5) as slow:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice.key}\r\n"
        slow.sendall(f"{head}content-length: 50\r\n\r\n{{".encode())
        assert slow.recv(12) == b"HTTP/1.1 400"
    response = httpx.post(
        f"{gateway_url}/v1/chat/completions", json={**body(), "model": "sandbox-chat"}, headers=alice.headers
    )
    assert response.status_code == 200
