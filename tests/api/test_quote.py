"""`POST /v1/quote`: what a call would cost, as it then costs, whatever becomes of the prices meanwhile."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from msgspec.structs import replace
from PIL import Image

from accounts.keys import issue_key
from billing.models import Hold
from gateway import prices
from gateway.catalog import loader
from gateway.models import QuotedPrice
from gateway.providers.sandbox import images
from tests.api.test_openapi import assert_described
from tests.api.test_priced_routes import BODIES, FILES, TASK_ROUTES, assert_error, priced_routes, send
from tests.recordings import recording

CHAT, IMAGES, TRANSCRIPTIONS = "/v1/chat/completions", "/v1/images/generations", "/v1/audio/transcriptions"


@pytest.fixture(autouse=True)
def nothing_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "_promises", {})
    monkeypatch.setattr(images, "paint", lambda prompt, width, height, *more: Image.new("RGB", (8, 8)))


@pytest.fixture
def reprice() -> Iterator[Any]:
    """Gives a model other prices, as a process has that was started with another catalogue."""
    models = loader.load_catalogue().models
    before = dict(models)

    def reprice(model_id: str, **facts: Any) -> None:
        models[model_id] = replace(models[model_id], **facts)

    yield reprice
    models.update(before)


def ask(http, person, route: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = http.post("/v1/quote", json={"endpoint": route, **body}, headers=person.headers, **more)
    quoted = assert_described(answer, "createQuote", closed=True)
    assert answer.status_code == 200, answer.text
    return quoted


@pytest.mark.parametrize("route", priced_routes())
def test_every_priced_call_costs_what_was_quoted_in_json_and_as_a_form(http, alice, route) -> None:
    body = BODIES[route][0]
    if route in FILES:
        answer = http.post("/v1/quote", data={"endpoint": route, **body}, files=FILES[route], headers=alice.headers)
        quoted = assert_described(answer, "createQuote", closed=True)
    else:
        quoted = ask(http, alice, route, body)
    assert (quoted["endpoint"], quoted["model"]) == (route, body["model"])
    assert quoted["ceiling"] == sum(line["credits"] for line in quoted["breakdown"]) >= quoted["credits"]
    assert 590 < quoted["expires_at"] - time.time() <= 600
    assert not Hold.objects.exists()
    called = send(http, route, body, headers={**alice.headers, "x-arkroute-max-credits": str(quoted["ceiling"])})
    assert called.status_code == 200, called.text
    assert float(called.headers["x-arkroute-credits"]) == quoted["credits"]
    assert Hold.objects.get().amount == quoted["ceiling"] * 1000
    too_low = {**alice.headers, "x-arkroute-max-credits": f"{quoted['ceiling'] - 0.001:.3f}"}
    assert_error(send(http, route, body, headers=too_low), 402, "max_credits_exceeded", "insufficient_quota")


@pytest.mark.parametrize("route", [CHAT, IMAGES, TRANSCRIPTIONS, "/v1/embeddings", "/v1/video/generations"])
def test_a_price_that_rises_meanwhile_is_the_quoted_one(http, alice, reprice, route) -> None:
    body = BODIES[route][0]
    told = {**body, "seconds": 1} if route == TRANSCRIPTIONS else body
    quoted = ask(http, alice, route, told)
    reprice(body["model"], credits=Decimal(70))
    called = send(http, route, body, headers=alice.headers)
    assert float(called.headers["x-arkroute-credits"]) == quoted["credits"]
    assert ask(http, alice, route, told)["credits"] == 70
    QuotedPrice.objects.all().delete()
    prices._promises.clear()
    if route not in TASK_ROUTES:
        assert float(send(http, route, body, headers=alice.headers).headers["x-arkroute-credits"]) == 70


def test_a_price_that_falls_is_the_new_one(http, alice, reprice) -> None:
    ask(http, alice, CHAT, BODIES[CHAT][0])
    reprice("sandbox-chat", credits=Decimal("0.5"))
    assert send(http, CHAT, BODIES[CHAT][0], headers=alice.headers).headers["x-arkroute-credits"] == "0.5"


def test_tokens_beyond_the_base_cost_what_they_did_when_they_were_quoted(http, alice, reprice, upstream) -> None:
    chat = loader.load_catalogue().models["gpt-5.4-mini"].chat
    body = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 20_000}
    upstream.behaviour.completion_tokens = 20_000
    quoted = ask(http, alice, CHAT, body)
    assert quoted["ceiling"] > quoted["credits"]
    reprice("gpt-5.4-mini", chat=replace(chat, output_usd=chat.output_usd * 10))
    called = send(http, CHAT, body, headers=alice.headers)
    assert float(called.headers["x-arkroute-credits"]) == quoted["ceiling"]


def test_what_one_process_quotes_the_others_honour_for_ten_minutes(http, alice, reprice, monkeypatch) -> None:
    quoted = ask(http, alice, CHAT, BODIES[CHAT][0])
    reprice("sandbox-chat", credits=Decimal(7))
    monkeypatch.setattr(prices, "_promises", {})  # as in a process that has just begun
    async_to_sync(prices.follow_quotes)()
    called = send(http, CHAT, BODIES[CHAT][0], headers=alice.headers)
    assert float(called.headers["x-arkroute-credits"]) == quoted["credits"]
    row = QuotedPrice.objects.get()
    assert 600 < (row.until.timestamp() - time.time()) <= 660
    later = row.until
    monkeypatch.setattr(prices.timezone, "now", lambda: later.replace(year=later.year + 1))
    async_to_sync(prices.follow_quotes)()
    assert prices._promises == {}
    assert prices.forget_quotes() == 1


def test_a_recording_is_quoted_by_its_seconds_or_as_a_file(http, alice) -> None:
    fields = {"endpoint": TRANSCRIPTIONS, "model": "whisper-base"}
    for sent in (
        {"json": {**fields, "seconds": 21}},
        {"data": {**fields, "seconds": "21"}, "files": {"nothing": (None, "")}},
        {"data": fields, "files": {"file": ("a.wav", recording("wav", 21.0))}},
    ):
        answer = http.post("/quote/", headers=alice.headers, **sent)
        assert answer.status_code == 200, answer.text
        assert answer.json()["breakdown"][0]["quantity"] == 3


def test_what_the_call_would_refuse_has_no_quote(http, alice) -> None:
    picture = {"endpoint": IMAGES, "model": "nano-banana-2", "prompt": "a boat"}
    chat = {"endpoint": CHAT, **BODIES[CHAT][0]}
    for body, status, code, param in (
        ({}, 422, "missing_required_parameter", "endpoint"),
        ({**picture, "endpoint": "/v1/models"}, 422, "invalid_value", "endpoint"),
        ({**picture, "endpoint": 5}, 422, "invalid_type", "endpoint"),
        ({**picture, "size": "2Q"}, 422, "invalid_value", "size"),
        ({**picture, "model": "no-such-model"}, 404, "model_not_found", "model"),
        ({**chat, "messages": []}, 422, "invalid_value", "messages"),
        ({**chat, "ark_stateful": True}, 422, "invalid_value", "ark_stateful"),
    ):
        answer = http.post("/v1/quote", json=body, headers=alice.headers)
        assert_error(answer, status, code)
        assert answer.json()["error"]["param"] == param
        assert_described(answer, "createQuote")
    as_form = http.post("/v1/quote", data=chat | {"messages": "[]"}, files={"a": (None, "b")}, headers=alice.headers)
    assert_error(as_form, 422, "invalid_value")
    assert_error(http.post("/v1/quote", content=b"{", headers=alice.headers), 400, "invalid_json")
    assert_error(http.post("/v1/quote", json=picture), 401, "missing_api_key", "authentication_error")
    listed = issue_key(alice.user, "listed", allowed_models=["sandbox-chat"]).secret
    refused = http.post("/v1/quote", json=picture, headers={"authorization": f"Bearer {listed}"})
    assert_error(refused, 403, "key_not_allowed", "permission_error")


def test_a_quote_needs_no_credits_and_counts_as_a_read(http, charlie) -> None:
    answer = http.post("/v1/quote", json={"endpoint": CHAT, **BODIES[CHAT][0]}, headers=charlie.headers)
    assert answer.status_code == 200
    assert answer.headers["x-ratelimit-limit-requests"] == "3000"
