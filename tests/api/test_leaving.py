"""Clients that leave before their answer is there, while a provider is at work who is paid all the same."""

from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from billing.models import Hold
from gateway.flows import chat
from gateway.models import Receipt
from gateway.providers import polling
from tests.upstreams.kling import Behaviour as KlingBehaviour
from tests.upstreams.kling import FakeKling
from tests.upstreams.openai import Behaviour

PICTURE = "gpt-image-2"  # 50 credits
CHAT = "gpt-5.4-mini"  # 1 credit
RESPONSES = "gpt-5.5"


def leave(gateway_url: str, person: Any, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway_url}{path}", json=body, headers=person.headers, timeout=0.2)


def leave_stream(gateway_url: str, person: Any, path: str, body: dict[str, Any], after: str) -> None:
    with (
        httpx.Client(base_url=gateway_url, timeout=10) as http,
        http.stream("POST", path, json={**body, "stream": True}, headers=person.headers) as response,
    ):
        pieces = response.iter_text()
        while after not in next(pieces):
            pass


def wait_for_receipt() -> Receipt:
    until = monotonic() + 5
    while monotonic() < until:
        if receipt := Receipt.objects.first():
            return receipt
        sleep(0.02)
    raise AssertionError("no receipt was written")


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"stream": True, "partial_images": 2}])
def test_pictures_that_a_provider_was_asked_for_are_paid(gateway_url, alice, upstream, fields) -> None:
    upstream.behaviour = Behaviour(delay=0.5)
    leave(gateway_url, alice, "/v1/images/generations", {"model": PICTURE, "prompt": "a cat", "n": 2, **fields})
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code, receipt.usage["images"]) == ("partial", "cancelled", 2)
    assert alice.money()[:2] == (400_000, 0)
    assert Hold.objects.get().state == "captured"
    assert len(upstream.requests) == 1


def test_a_client_that_leaves_after_a_sketch_pays_for_all_pictures(gateway_url, alice, upstream) -> None:
    upstream.behaviour = Behaviour(chunk_delay=0.1)
    body = {"model": PICTURE, "prompt": "a cat", "n": 2, "partial_images": 2}
    leave_stream(gateway_url, alice, "/v1/images/generations", body, "partial_image")
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code, receipt.usage["images"]) == ("partial", "cancelled", 2)
    assert alice.money()[:2] == (400_000, 0)


def test_a_task_is_followed_to_its_end(gateway_url, alice, settings, monkeypatch) -> None:
    monkeypatch.setattr(polling, "FIRST_PAUSE", 0.3)
    with FakeKling(api_key="plain") as kling:
        settings.PROVIDERS = {"kling": {"api_keys": ["plain"], "base_url": kling.origin}}
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{kling.port}"]
        kling.behaviour = KlingBehaviour(polls=1)
        leave(gateway_url, alice, "/v1/images/generations", {"model": "kling-image-v2-1", "prompt": "a cat"})
        receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code, receipt.usage["images"]) == ("partial", "cancelled", 1)
    assert alice.money()[0] < 500_000


def test_nobody_else_is_asked_for_a_client_that_has_left(gateway_url, alice, upstream) -> None:
    upstream.behaviour = Behaviour(delay=0.5, status=503)
    leave(gateway_url, alice, "/v1/images/generations", {"model": PICTURE, "prompt": "a cat"})
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code) == ("failed", "cancelled")
    assert alice.money()[:2] == (500_000, 0)
    assert len(upstream.requests) == 1


def test_the_sandbox_is_let_go(gateway_url, alice, settings) -> None:
    settings.PROVIDERS = {}
    body = {"model": PICTURE, "prompt": "a cat sandbox:delay=1"}
    leave(gateway_url, alice, "/v1/images/generations", body)
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code) == ("failed", "cancelled")
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize(
    ("path", "body", "after"),
    [
        ("/v1/chat/completions", {"model": CHAT, "messages": [{"role": "user", "content": "Hello!"}]}, "word"),
        ("/v1/responses", {"model": RESPONSES, "input": "Hello!"}, "output_text.delta"),
    ],
)
def test_a_stream_is_read_on_for_what_the_provider_bills(gateway_url, alice, upstream, path, body, after) -> None:
    """Thoughts come before the first word: who leaves at that would have them for nothing."""
    upstream.behaviour = Behaviour(reply="word " * 20, chunk_delay=0.03, completion_tokens=9000, reasoning_tokens=8000)
    leave_stream(gateway_url, alice, path, body, after)
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code) == ("partial", "cancelled")
    assert (receipt.usage["output_tokens"], receipt.usage["reported"]) == (9000, True)
    assert Hold.objects.get().state == "captured"


def test_what_comes_after_a_client_left_is_not_charged_by_our_own_count(
    gateway_url, alice, upstream, monkeypatch
) -> None:
    monkeypatch.setattr(chat, "LINGER_SECONDS", 1.0)
    upstream.behaviour = Behaviour(reply="word " * 3000, chunk_delay=0.001)
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hello!"}]}
    leave_stream(gateway_url, alice, "/v1/chat/completions", body, "word")
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.usage["reported"]) == ("partial", False)
    assert 0 < receipt.usage["output_tokens"] < 600
