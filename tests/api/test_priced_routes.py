"""What holds for every route that costs money, in both lanes. The routes are read from the routing tables, so that a
new one cannot stay away."""

import re
from time import sleep
from typing import Any

import httpx
import pytest

from accounts.keys import issue_key, revoke_key
from api import urls
from api.express import ROUTES
from billing.models import Hold
from gateway.models import Receipt
from tests.pictures import picture
from tests.recordings import recording

CHAT = {"model": "sandbox-chat", "messages": [{"role": "user", "content": "Hello!"}]}
PICTURE = {"model": "sandbox-image", "prompt": "a cat", "size": "256x256"}  # small: it is painted
# A good body for each route, the model of a provider that can be pointed at a dead port, and a model of another kind.
BODIES: dict[str, tuple[dict[str, Any], str, str]] = {
    "/v1/chat/completions": (CHAT, "gpt-5.4-mini", "sandbox-image"),
    "/v1/responses": ({"model": "sandbox-chat", "input": "Hello!"}, "gpt-5.4-mini", "sandbox-image"),
    "/v1/embeddings": ({"model": "sandbox-embedding", "input": "Hello!"}, "text-embedding-3-small", "sandbox-chat"),
    "/v1/images/generations": (PICTURE, "gpt-image-2", "sandbox-chat"),
    "/v1/images/edits": (PICTURE, "gpt-image-2", "sandbox-chat"),
    "/v1/audio/transcriptions": ({"model": "sandbox-transcription"}, "openai-whisper-1", "sandbox-chat"),
    "/v1/video/generations": ({"model": "sandbox-video", "prompt": "a cat"}, "kling-v2-master", "sandbox-chat"),
    "/v1/videos": ({"model": "sandbox-video", "prompt": "a cat"}, "kling-v2-master", "sandbox-chat"),
}
# These answer with a task, which is charged, or fails, when it ends: tests/api/test_videos.py.
TASK_ROUTES = frozenset({"/v1/video/generations", "/v1/videos"})
# Fields of a good body that may be left out.
OPTIONAL = {"/v1/videos": {"model"}, "/v1/images/generations": {"size"}, "/v1/images/edits": {"size"}}
# The routes that take a form, and the file in it; the others take JSON.
FILES = {
    "/v1/audio/transcriptions": {"file": ("a.wav", recording("wav", 1.0))},
    "/v1/images/edits": {"image": ("a.png", picture())},
}
JSON_ROUTES = sorted(BODIES.keys() - FILES.keys())
PROMPT_FIELD = dict.fromkeys(BODIES, "prompt") | {"/v1/embeddings": "input", "/v1/responses": "input"}
# A field of the wrong type.
WRONG = dict.fromkeys(JSON_ROUTES, ("model", 5)) | {
    "/v1/audio/transcriptions": ("temperature", "warm"),
    "/v1/images/edits": ("n", "many"),
}


EXPRESS = {route.endpoint for route in ROUTES.values()}


def priced_routes() -> list[str]:
    """Every route that costs money, by its path with `/v1`: all of the express lane, and of Django's what says so."""
    django = {
        re.sub(r"\(\?:v1/\)\?|[$^?]", "", f"/v1/{pattern.pattern}").removesuffix("/").replace("/v1//v1", "/v1")
        for pattern in urls.urlpatterns
        if getattr(pattern.callback.view_class, "priced", False)
    }
    return sorted(EXPRESS | django)


def send(http: httpx.Client, route: str, body: dict[str, Any], *, url: str = "", **request: Any) -> httpx.Response:
    """Posts `body` as the route takes it."""
    content = {"data": body, "files": FILES[route]} if route in FILES else {"json": body}
    return http.post(url or route, **content, **request)


def with_prompt(route: str, text: str) -> dict[str, Any]:
    body, _, _ = BODIES[route]
    if route == "/v1/chat/completions":
        return {**body, "messages": [{"role": "user", "content": text}]}
    return {**body, PROMPT_FIELD[route]: text}


def assert_error(response: httpx.Response, status: int, code: str, kind: str = "invalid_request_error") -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["x-request-id"].startswith("req_")
    assert response.headers["x-content-type-options"] == "nosniff"
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["type"]) == (code, kind)
    assert error["message"].endswith((".", "…", ")")), error["message"]


def test_every_priced_route_is_covered_here() -> None:
    assert priced_routes() == sorted(BODIES)


@pytest.fixture(params=sorted(BODIES))
def route(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=JSON_ROUTES)
def json_route(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=sorted(BODIES.keys() - TASK_ROUTES))
def waiting_route(request: pytest.FixtureRequest) -> str:
    """A route whose answer waits for the provider's."""
    return request.param


@pytest.fixture
def body(route: str) -> dict[str, Any]:
    return dict(BODIES[route][0])


def test_a_good_call_is_answered_charged_and_receipted(http, alice, route, body) -> None:
    before = alice.money()
    response = send(http, route, body, headers=alice.headers)
    assert response.status_code == 200, response.text
    credits = float(response.headers["x-arkroute-credits"])
    assert credits > 0
    assert response.headers["x-arkroute-model"].startswith("sandbox/")
    assert "x-arkroute-stand-in" not in response.headers
    assert float(response.headers["x-arkroute-overhead-ms"]) > 0
    assert response.headers["x-ratelimit-limit-requests"] == "600"
    assert int(response.headers["x-ratelimit-remaining-requests"]) >= 0
    assert re.fullmatch(r"(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?", response.headers["x-ratelimit-reset-requests"])
    posted, held, _ = alice.money()
    if route in TASK_ROUTES:
        assert (before[0] - posted, held) == (0, credits * 1000)
        assert Hold.objects.get(pk=response.headers["x-request-id"]).is_open
        return
    assert (before[0] - posted, held) == (credits * 1000, 0)
    receipt = Receipt.objects.get(pk=response.headers["x-request-id"])
    assert (receipt.outcome, receipt.captured, receipt.endpoint) == ("succeeded", credits * 1000, route)
    assert Hold.objects.get(pk=receipt.pk).state == "captured"


def test_every_spelling_of_the_path_works(http, alice, route, body) -> None:
    bare = route.removeprefix("/v1")
    for url in (bare, f"{route}/", f"{bare}/"):
        assert send(http, route, body, url=url, headers=alice.headers).status_code == 200, url


def test_no_content_type_is_read_as_json(gateway_url, alice, json_route) -> None:
    content = httpx.Request("POST", gateway_url, json=BODIES[json_route][0]).content
    response = httpx.request("POST", gateway_url + json_route, content=content, headers=alice.headers)
    assert response.status_code == 200, response.text


def test_without_a_good_key_it_is_401(http, alice, route, body) -> None:
    before = alice.money()
    for authorization, code in (
        (None, "missing_api_key"),
        ("Bearer", "invalid_api_key"),
        ("Bearer ark-0000000000000000000000000000000000000000", "invalid_api_key"),
        ("Bearer sk-something-else", "invalid_api_key"),
        ("Basic YWxpY2U6c2VjcmV0", "invalid_api_key"),
    ):
        response = send(http, route, body, headers={"authorization": authorization} if authorization else {})
        assert_error(response, 401, code, "authentication_error")
        assert response.headers["www-authenticate"] == "Bearer"
    assert alice.money() == before


def test_the_key_is_asked_for_before_the_body_is_read(http, route) -> None:
    assert http.post(route, content=b"{not json").status_code == 401


def test_a_key_in_the_query_string_or_a_cookie_is_no_key(http, alice, route, body) -> None:
    response = send(http, route, body, url=f"{route}?api_key={alice.key}", headers={"cookie": f"api_key={alice.key}"})
    assert_error(response, 401, "missing_api_key", "authentication_error")


def test_the_scheme_may_be_spelled_in_any_case(http, alice, route, body) -> None:
    assert send(http, route, body, headers={"authorization": f"bEaReR {alice.key}"}).status_code == 200


def test_without_credits_it_is_402_with_the_way_out(http, charlie, route, body) -> None:
    before = charlie.money()
    response = send(http, route, body, headers=charlie.headers)
    assert_error(response, 402, "insufficient_credits", "insufficient_quota")
    assert response.headers["x-should-retry"] == "false"
    message = response.json()["error"]["message"]
    assert "0 available" in message
    assert "/billing/" in message
    assert charlie.money() == before
    assert not Hold.objects.exists()


def test_a_lower_cap_than_the_ceiling_is_402_before_anything_happens(http, alice, route, body) -> None:
    before = alice.money()
    response = send(http, route, body, headers={**alice.headers, "x-arkroute-max-credits": "0.001"})
    assert_error(response, 402, "max_credits_exceeded", "insufficient_quota")
    assert alice.money() == before
    enough = send(http, route, body, headers={**alice.headers, "x-arkroute-max-credits": "400"})
    assert enough.status_code == 200


def test_a_cap_that_is_no_amount_is_422(http, alice, route, body) -> None:
    for amount in ("much", "-1", "nan", "inf", "1e400000", "1e999999", "1e13"):
        response = send(http, route, body, headers={**alice.headers, "x-arkroute-max-credits": amount})
        assert_error(response, 422, "invalid_value")


def test_over_the_rate_it_is_429_with_the_wait(http, alice, route, body) -> None:
    slow = issue_key(alice.user, "slow", requests_per_minute=1, concurrent_videos=20).secret  # a burst of 10
    headers = {"authorization": f"Bearer {slow}"}
    answers = [send(http, route, body, headers=headers) for _ in range(10)]
    assert [one.status_code for one in answers] == [200] * 10
    before = alice.money()
    refused = send(http, route, body, headers=headers)
    assert_error(refused, 429, "rate_limit_exceeded", "rate_limit_error")
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["x-ratelimit-limit-requests"] == "1"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert alice.money() == before


def test_what_is_not_json_is_400(http, alice, json_route) -> None:
    before = alice.money()
    for content in (b"", b"{", b'{"model": NaN}', b'{"model": "\xff"}', b"[" * 100_000, b"\xef\xbb\xbf{}"):
        assert_error(http.post(json_route, content=content, headers=alice.headers), 400, "invalid_json")
    assert alice.money() == before


def test_json_that_is_no_object_is_422(http, alice, json_route) -> None:
    for content in (b"[]", b"null", b'"text"', b"17"):
        assert_error(http.post(json_route, content=content, headers=alice.headers), 422, "invalid_type")


def test_another_content_type_is_415(http, alice, route) -> None:
    response = http.post(route, content=b"a=b", headers={**alice.headers, "content-type": "text/plain"})
    assert_error(response, 415, "unsupported_media_type")


def test_a_body_over_25_mb_is_413(http, alice, route) -> None:
    before = alice.money()
    # A form may hold a file of 25 MB, and fields beside it.
    content_type, megabytes = ("multipart/form-data; boundary=x", 26) if route in FILES else ("application/json", 25)
    response = http.post(
        route,
        content=b" " * (megabytes * 1024 * 1024 + 1),
        headers={**alice.headers, "content-type": content_type},
    )
    assert_error(response, 413, "request_too_large")
    assert alice.money() == before


def test_a_body_of_no_known_length_is_not_taken_in_from_somebody_without_a_key(gateway_url, route) -> None:
    """Django would write it to the disk first."""
    megabytes = (b" " * 1024 * 1024 for _ in range(60))
    response = httpx.post(gateway_url + route, content=megabytes, timeout=30)
    assert response.status_code == (401 if route in EXPRESS else 413)


def test_a_missing_field_is_named(http, alice, route, body) -> None:
    for field in body.keys() - OPTIONAL.get(route, set()):
        less = {name: value for name, value in body.items() if name != field}
        response = send(http, route, less, headers=alice.headers)
        assert_error(response, 422, "missing_required_parameter")
        assert response.json()["error"]["param"] == field


def test_a_field_of_the_wrong_type_is_named(http, alice, route, body) -> None:
    field, value = WRONG[route]
    response = send(http, route, {**body, field: value}, headers=alice.headers)
    assert_error(response, 422, "invalid_type")
    assert response.json()["error"]["param"] == field


def test_an_unknown_model_is_404(http, alice, route, body) -> None:
    before = alice.money()
    assert_error(send(http, route, {**body, "model": "gpt-99"}, headers=alice.headers), 404, "model_not_found")
    assert alice.money() == before


def test_a_model_of_another_kind_is_422(http, alice, route, body) -> None:
    response = send(http, route, {**body, "model": BODIES[route][2]}, headers=alice.headers)
    assert_error(response, 422, "invalid_value")
    assert response.json()["error"]["param"] == "model"


def test_a_provider_that_is_down_is_500_and_free(http, alice, dead_upstream, waiting_route) -> None:
    route, body = waiting_route, BODIES[waiting_route][0]
    before = alice.money()
    response = send(http, route, {**body, "model": BODIES[route][1]}, headers=alice.headers)
    assert_error(response, 500, "provider_error", "provider_error")
    assert alice.money() == before
    receipt = Receipt.objects.get(pk=response.headers["x-request-id"])
    assert (receipt.outcome, receipt.captured, receipt.error_code) == ("failed", 0, "provider_error")
    # The model's fallbacks, where it has any, are at the same port.
    assert len(receipt.attempts) >= 2
    assert {attempt["error"] for attempt in receipt.attempts} == {"unreachable"}
    assert Hold.objects.get().state == "released"


def test_what_a_provider_reports_is_told_and_free(http, alice, waiting_route) -> None:
    route = waiting_route
    before = alice.money()
    for code, status, kind in (
        ("content_policy_violation", 400, "invalid_request_error"),
        ("context_length_exceeded", 400, "invalid_request_error"),
        ("provider_error", 500, "provider_error"),
        ("provider_timeout", 500, "provider_error"),
        ("overloaded", 503, "server_error"),
    ):
        response = send(http, route, with_prompt(route, f"sandbox:fail={code}"), headers=alice.headers)
        assert_error(response, status, code, kind)
        if status == 503:
            assert int(response.headers["retry-after"]) >= 1
    assert alice.money() == before


def test_a_model_without_credentials_is_503_where_stand_ins_are_off(http, alice, settings, route, body) -> None:
    settings.ARKROUTE_STAND_INS = False
    response = send(http, route, {**body, "model": BODIES[route][1]}, headers=alice.headers)
    assert_error(response, 503, "provider_not_configured", "server_error")


def test_other_methods_are_405_with_what_is_allowed(http, alice, route) -> None:
    response = http.put(route, headers=alice.headers)
    assert_error(response, 405, "method_not_allowed")
    assert "POST" in response.headers["allow"]


def test_a_browser_may_call_from_any_page(http, route) -> None:
    response = http.options(
        route,
        headers={
            "origin": "https://example.com",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-stainless-lang",
        },
    )
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    assert "x-stainless-lang" in response.headers["access-control-allow-headers"]
    assert "POST" in response.headers["access-control-allow-methods"]


def test_a_browser_may_read_answers_and_errors_with_all_their_headers(http, alice, route, body) -> None:
    for headers in (alice.headers, {}):
        response = send(http, route, body, headers={**headers, "origin": "https://example.com"})
        assert response.headers["access-control-allow-origin"] == "*"
        exposed = set(response.headers["access-control-expose-headers"].split(", "))
        assert {name for name in response.headers if name.startswith(("x-arkroute", "x-ratelimit", "x-req"))} <= exposed


def test_the_clients_own_request_id_comes_back_beside_ours(http, alice, route, body) -> None:
    response = send(http, route, body, headers={**alice.headers, "x-request-id": "mine-1"})
    assert response.headers["x-client-request-id"] == "mine-1"
    assert response.headers["x-request-id"].startswith("req_")


def test_a_revoked_key_is_refused_within_a_second_on_every_route(http, alice) -> None:
    keys = {route: issue_key(alice.user, "short-lived") for route in BODIES}
    headers = {route: {"authorization": f"Bearer {issued.secret}"} for route, issued in keys.items()}
    for route, (body, _, _) in BODIES.items():
        assert send(http, route, body, headers=headers[route]).status_code == 200, route
    for issued in keys.values():
        revoke_key(issued.api_key)
    sleep(0.9)
    for route, (body, _, _) in BODIES.items():
        refused = send(http, route, body, headers=headers[route])
        assert_error(refused, 401, "invalid_api_key", "authentication_error")


def test_a_key_asks_for_no_model_that_is_not_on_its_list(http, alice, route, body) -> None:
    before = alice.money()
    for allowed, status in ((["no-such-model"], 403), ([BODIES[route][2]], 403), ([body["model"]], 200)):
        key = issue_key(alice.user, "listed", allowed_models=allowed).secret
        response = send(http, route, body, headers={"authorization": f"Bearer {key}"})
        if status == 403:
            assert_error(response, 403, "key_not_allowed", "permission_error")
            assert alice.money() == before
        assert response.status_code == status, response.text


def test_a_key_whose_limit_is_spent_is_402_before_anything_is_held(http, alice, route, body) -> None:
    before = alice.money()
    key = issue_key(alice.user, "limited", credit_limit=99, credit_period="day").secret
    response = send(http, route, body, headers={"authorization": f"Bearer {key}"})
    assert_error(response, 402, "insufficient_credits", "insufficient_quota")
    assert response.headers["x-should-retry"] == "false"
    assert "may spend 0.099 credits a day" in response.json()["error"]["message"]
    assert alice.money() == before
    assert not Hold.objects.exists()
