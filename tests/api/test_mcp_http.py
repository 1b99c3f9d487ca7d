"""`/mcp` as plain HTTP: who may call, what is no message of the protocol, and clients that leave."""

from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from accounts.keys import issue_key
from billing.models import Hold
from gateway.models import Receipt, VideoTask
from tests.api.conftest import Person
from tests.upstreams.openai import Behaviour

MODERN, LEGACY = "2026-07-28", "2025-11-25"
ACCEPT = {"accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
CAT = {"model": "sandbox-image", "prompt": "a cat", "size": "64x64"}


def call_of(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def modern(message: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The message as 2026-07-28 wants it, and its headers."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {**message.get("params", {}), "_meta": meta}
    headers = {**ACCEPT, "mcp-protocol-version": MODERN, "mcp-method": message["method"]}
    if "name" in params:
        headers["mcp-name"] = params["name"]
    return {**message, "params": params}, headers


def post(http: httpx.Client, person: Person, message: Any, **headers: str) -> httpx.Response:
    return http.post("/mcp", json=message, headers={**ACCEPT, **person.headers, **headers})


def post_modern(http: httpx.Client, person: Person, message: dict[str, Any], **headers: str) -> httpx.Response:
    body, own = modern(message)
    return http.post("/mcp", json=body, headers={**own, **person.headers, **headers})


def wait_for_receipt() -> Receipt:
    until = monotonic() + 5
    while monotonic() < until:
        if receipt := Receipt.objects.first():
            return receipt
        sleep(0.02)
    raise AssertionError("no receipt was written")


def test_both_spellings_of_the_path_answer_in_both_eras(http, alice) -> None:
    body, headers = modern(LIST)
    for path in ("/mcp", "/mcp/"):
        answered = http.post(path, json=body, headers={**headers, **alice.headers})
        assert answered.status_code == 200
        assert answered.headers["content-type"] == "application/json"
        result = answered.json()["result"]
        assert (result["resultType"], result["ttlMs"], result["cacheScope"]) == ("complete", 300_000, "private")
        older = http.post(path, json=LIST, headers={**ACCEPT, **alice.headers})
        assert older.headers["content-type"] == "text/event-stream"
        assert '"generate_image"' in older.text


def test_answers_have_the_headers_of_the_api(http, alice) -> None:
    for answered in (post(http, alice, LIST), post_modern(http, alice, LIST, **{"x-request-id": "mine"})):
        assert answered.headers["x-request-id"].startswith("req_")
        assert answered.headers["x-ratelimit-limit-requests"] == "3000"
        assert answered.headers["cache-control"] == "no-store"
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert "mcp-session-id" not in answered.headers
    assert answered.headers["x-client-request-id"] == "mine"
    painted = post_modern(http, alice, call_of("generate_image", **CAT))
    assert painted.headers["x-arkroute-credits"] == "1"
    assert painted.headers["x-request-id"] == Receipt.objects.get().pk


def test_a_session_id_is_passed_over(http, alice) -> None:
    assert post(http, alice, LIST, **{"mcp-session-id": "mine"}).status_code == 200


def test_without_a_good_key_it_is_401(http, alice) -> None:
    for authorization, code in ((None, "missing_api_key"), ("Bearer ark-1234", "invalid_api_key")):
        headers = {**ACCEPT, "authorization": authorization} if authorization else ACCEPT
        refused = http.post("/mcp", json=LIST, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, code)
        # Without `resource_metadata`: clients would try OAuth.
        assert refused.headers["www-authenticate"] == "Bearer"


def test_a_page_of_somebody_else_is_refused_whatever_it_asks(http, alice, settings) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "ark.example.com"]
    for origin in ("https://evil.example.com", "null", "http://127.0.0.1.evil.example.com"):
        refused = post(http, alice, LIST, origin=origin)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, -32600)
        assert http.options("/mcp", headers={"origin": origin}).status_code == 403
    assert post(http, alice, LIST, origin="https://ark.example.com").status_code == 200
    allowed = http.options("/mcp", headers={"origin": "https://ark.example.com"})
    assert (allowed.status_code, allowed.headers["access-control-allow-methods"]) == (204, "POST, OPTIONS")


def test_a_name_that_is_not_ours_is_refused(http, alice, settings) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    assert post(http, alice, LIST, host="rebound.example.com").status_code == 421
    assert post(http, alice, LIST, host="127.0.0.1:9999").status_code == 200


def test_there_are_no_streams_and_no_sessions_to_end(http, alice) -> None:
    for method in ("GET", "DELETE", "PUT", "HEAD"):
        refused = http.request(method, "/mcp", headers={**alice.headers, "accept": "text/event-stream"})
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST, OPTIONS")


def test_a_notification_is_taken_in_silence(http, alice) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    for version in (LEGACY, MODERN):
        taken = post(http, alice, note, **{"mcp-protocol-version": version})
        assert (taken.status_code, taken.content) == (202, b"")


def test_what_is_no_message_is_400(http, alice) -> None:
    for version in (LEGACY, MODERN):
        headers = {**ACCEPT, **alice.headers, "mcp-protocol-version": version}
        for content in (b"", b"{", b"[]", b"17", b'{"id": 1}', b"[" * 100_000, b'{"jsonrpc": "\xff"}'):
            refused = http.post("/mcp", content=content, headers=headers)
            assert (refused.status_code, refused.json()["jsonrpc"]) == (400, "2.0"), content[:20]
    unknown = post(http, alice, LIST, **{"mcp-protocol-version": "2031-01-01"})
    assert unknown.status_code == 400


def test_headers_that_do_not_fit_the_message_are_400(http, alice) -> None:
    body, headers = modern(call_of("generate_image", **CAT))
    for wrong in ({"mcp-name": "edit_image"}, {"mcp-method": "tools/list"}):
        refused = http.post("/mcp", json=body, headers={**headers, **alice.headers, **wrong})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32020)
    encoded = http.post(
        "/mcp", json=body, headers={**headers, **alice.headers, "mcp-name": "=?base64?Z2VuZXJhdGVfaW1hZ2U=?="}
    )
    assert encoded.status_code == 200
    assert Receipt.objects.count() == 1


def test_other_types_and_large_bodies_are_refused(http, alice) -> None:
    refused = post(http, alice, LIST, **{"content-type": "text/plain"})
    assert refused.status_code == 415
    body = b" " * (25 * 1024 * 1024 + 1)
    refused = http.post("/mcp", content=body, headers={**ACCEPT, **alice.headers})
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")


def test_a_body_above_the_packages_own_limit_is_taken(http, alice) -> None:
    large = call_of("list_models", type="x" * (5 * 1024 * 1024))
    assert "422 invalid_value" in post_modern(http, alice, large).json()["result"]["content"][0]["text"]


def test_messages_are_counted_as_reads(http, alice) -> None:
    slow = Person(alice.user, issue_key(alice.user, "slow", requests_per_minute=1).secret)  # a burst of 50 reads
    answers = [http.post("/mcp", content=b"{", headers={**ACCEPT, **slow.headers}) for _ in range(51)]
    assert [one.status_code for one in answers[:50]] == [400] * 50
    refused = answers[50]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.usefixtures("audited")
@pytest.mark.parametrize("version", [LEGACY, MODERN])
def test_a_client_that_leaves_ends_the_work(gateway_url, alice, version) -> None:
    leave(gateway_url, alice, version, call_of("generate_image", model="sandbox-image", prompt="sandbox:delay=5"))
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code, receipt.endpoint) == ("failed", "cancelled", "/mcp/generate_image")
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.usefixtures("audited")
@pytest.mark.parametrize("version", [LEGACY, MODERN])
def test_pictures_that_a_provider_was_asked_for_are_paid(gateway_url, alice, upstream, version) -> None:
    upstream.behaviour = Behaviour(delay=0.5)
    leave(gateway_url, alice, version, call_of("generate_image", model="gpt-image-2", prompt="a cat"))
    receipt = wait_for_receipt()
    assert (receipt.outcome, receipt.error_code, receipt.usage["images"]) == ("partial", "cancelled", 1)
    assert alice.money()[:2] == (450_000, 0)


@pytest.mark.usefixtures("audited")
@pytest.mark.parametrize(("version", "state"), [(LEGACY, "queued"), (MODERN, "cancelled")])
def test_leaving_cancels_a_video_where_that_is_how_clients_cancel(gateway_url, alice, version, state) -> None:
    leave(gateway_url, alice, version, call_of("generate_video", model="sandbox-video", prompt="a cat"))
    until = monotonic() + 5
    while VideoTask.objects.get().state != state and monotonic() < until:
        sleep(0.02)
    # Nobody works on it here.
    assert VideoTask.objects.get().state == state
    assert Hold.objects.get().is_open is (state == "queued")


def leave(gateway_url: str, person: Person, version: str, message: dict[str, Any]) -> None:
    """Asks, and closes the connection when the call is under way."""
    body, headers = modern(message) if version == MODERN else (message, ACCEPT)
    with httpx.Client(timeout=10) as http:
        request = http.build_request("POST", f"{gateway_url}/mcp", json=body, headers={**headers, **person.headers})
        if version == LEGACY:
            # Its headers come at once.
            response = http.send(request, stream=True)
            wait_for_hold()
            response.close()
        else:
            request.extensions["timeout"]["read"] = 0.3
            with pytest.raises(httpx.ReadTimeout):
                http.send(request)


def wait_for_hold() -> None:
    until = monotonic() + 5
    while not Hold.objects.exists() and monotonic() < until:
        sleep(0.02)
