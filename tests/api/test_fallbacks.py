"""What becomes of a call whose provider fails: other keys, fallbacks, the circuit breaker, and what is charged."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from gateway.catalog.loader import load_catalogue
from gateway.models import DisabledKey, Receipt
from gateway.pools import find_pool
from gateway.providers.http import close_pools
from gateway.routing import health, keys
from gateway.routing.retry import RetryBudget
from tests.upstreams.openai import Behaviour, FakeOpenAI
from tests.upstreams.replica import FakeReplica
from tests.upstreams.server import Recorded

# 5 credits; its fallback is of the same provider.
ASKED, FALLBACK = "gpt-5.5", "gpt-5.4"
PICTURE, OTHER_PICTURE = "gpt-image-2", "gpt-image-2.5-flare"


class Vendor(FakeOpenAI):
    """Answers each model and each key as `faults` says: `{"gpt-5.5": "upstream:status=500"}`."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[str, str] = {}

    def prompt(self, recorded: Recorded) -> Any:
        key = recorded.headers["authorization"].removeprefix("Bearer ")
        return [super().prompt(recorded), self.faults.get(recorded.body["model"], ""), self.faults.get(key, "")]

    @property
    def asked(self) -> list[str]:
        """The models that it was asked for, in order."""
        return [recorded.body["model"] for recorded in list(self.requests)]

    @property
    def used_keys(self) -> list[str]:
        return [recorded.headers["authorization"].removeprefix("Bearer ") for recorded in list(self.requests)]


@pytest.fixture
def vendor(settings) -> Iterator[Vendor]:
    settings.ARKROUTE_STAND_INS = False
    with Vendor() as vendor:
        settings.PROVIDERS = {"openai": {"api_keys": ["sk-one-1111"], "base_url": vendor.base_url}}
        yield vendor


@pytest.fixture
def use_keys(vendor, settings) -> Callable[..., None]:
    def use(*api_keys: str) -> None:
        settings.PROVIDERS = {"openai": {"api_keys": list(api_keys), "base_url": vendor.base_url}}

    return use


@pytest.fixture
def house(settings) -> Iterator[FakeReplica]:
    """A server of one's own, to which the operator has sent the fallback's name."""
    with FakeReplica() as replica:
        models = {"house-llama": {"upstream": "their-llama", "credits": 1}}
        settings.SELFHOSTED_POOLS = {"gpus": {"replicas": [replica.base_url], "models": models}}
        settings.MODEL_ALIASES = {FALLBACK: "house-llama"}
        yield replica


def chat(http: httpx.Client, person, model: str = ASKED, **fields: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}], **fields}
    return http.post("/v1/chat/completions", json=body, headers=person.headers)


def draw(http: httpx.Client, person, model: str = PICTURE) -> httpx.Response:
    body = {"model": model, "prompt": "A lighthouse", "response_format": "b64_json"}
    return http.post("/v1/images/generations", json=body, headers=person.headers)


def code_of(response: httpx.Response) -> str:
    return response.json()["error"]["code"]


def attempts() -> list[tuple[str, str]]:
    """Who was tried for the last request, and what came of it; empty where it answered."""
    receipt = Receipt.objects.latest("created_at")
    return [(attempt["served_by"].partition("/")[2], attempt["error"]) for attempt in receipt.attempts]


def follow() -> None:
    """What a process does every second."""

    async def work() -> None:
        await keys.follow_disabled_keys()
        await close_pools()

    asyncio.run(work())


# --- Fallbacks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "errors"),
    [
        ("upstream:status=503", ["overloaded", "overloaded"]),
        ("upstream:status=502 upstream:html", ["broken"]),
        ("upstream:status=429", ["rate_limited"]),
        ("upstream:status=429 upstream:retry_after=60", ["rate_limited"]),
        ("upstream:status=404 upstream:code=model_not_found", ["auth"]),
        ("upstream:status=403 upstream:html", ["auth"]),
    ],
)
def test_a_fallback_answers_for_the_price_and_under_the_name_of_the_model_asked_for(
    http, alice, vendor, stream, fault, errors
) -> None:
    vendor.faults[ASKED] = fault
    response = chat(http, alice, stream=stream)
    assert response.status_code == 200
    assert response.headers["x-arkroute-model"] == f"openai/{FALLBACK}"
    assert f'"model":"{ASKED}"' in response.text.replace('": "', '":"')
    assert alice.money()[:2] == (500_000 - 5000, 0)
    assert attempts() == [*((ASKED, error) for error in errors), (FALLBACK, "")]
    receipt = Receipt.objects.latest("created_at")
    assert (receipt.model, receipt.served_by, receipt.outcome) == (ASKED, f"openai/{FALLBACK}", "succeeded")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("upstream:status=400 upstream:code=invalid_value", 422, "invalid_value"),
        ("upstream:status=400 upstream:code=content_policy_violation", 400, "content_policy_violation"),
        ("upstream:status=400 upstream:code=context_length_exceeded", 400, "context_length_exceeded"),
        ("upstream:refuse", 500, "provider_error"),
        ("upstream:die_after=0", 500, "provider_error"),
    ],
)
def test_what_another_could_not_mend_or_would_be_paid_twice_is_told_at_once(
    http, alice, vendor, stream, fault, status, code
) -> None:
    vendor.faults[ASKED] = fault
    response = chat(http, alice, stream=stream)
    assert (response.status_code, code_of(response)) == (status, code)
    assert set(vendor.asked) == {ASKED}
    assert alice.money()[:2] == (500_000, 0)


def test_a_timeout_is_no_ones_second_chance(http, alice, vendor, settings) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.2
    vendor.faults[ASKED] = "upstream:hang"
    assert code_of(chat(http, alice)) == "provider_timeout"
    assert vendor.asked == [ASKED]


def test_where_all_fail_nothing_is_charged_and_the_receipt_tells_who_was_tried(http, alice, vendor) -> None:
    vendor.behaviour = Behaviour(status=502, html=True)
    before = alice.money()
    response = chat(http, alice)
    assert (response.status_code, code_of(response)) == (500, "provider_error")
    assert alice.money() == before
    assert attempts() == [(ASKED, "broken"), (FALLBACK, "broken")]
    assert Receipt.objects.get().outcome == "failed"


def test_what_only_the_fallback_refuses_is_not_told_to_the_client(http, alice, vendor) -> None:
    vendor.faults |= {ASKED: "upstream:status=503", FALLBACK: "upstream:status=400 upstream:code=invalid_value"}
    response = chat(http, alice)
    assert (response.status_code, code_of(response)) == (503, "overloaded")
    assert attempts()[-1] == (FALLBACK, "bad_request")


def test_a_fallback_that_lacks_what_is_asked_for_is_passed_over(http, alice, vendor, house, settings) -> None:
    pools = settings.SELFHOSTED_POOLS
    pools["gpus"]["models"]["house-llama"]["vision"] = False
    settings.SELFHOSTED_POOLS = dict(pools)
    vendor.faults[ASKED] = "upstream:status=503"
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    messages = [{"role": "user", "content": [image]}]
    assert code_of(chat(http, alice, messages=messages)) == "overloaded"
    assert house.chats == 0
    assert chat(http, alice).headers["x-arkroute-model"] == "gpus/their-llama"


def test_no_other_model_makes_embeddings(http, alice, vendor, monkeypatch) -> None:
    catalogue = load_catalogue().models
    small = replace(catalogue["text-embedding-3-small"], fallbacks=("text-embedding-3-large",))
    monkeypatch.setitem(catalogue, small.id, small)
    vendor.faults[small.id] = "upstream:status=503"
    body = {"model": small.id, "input": "Hello"}
    assert code_of(http.post("/v1/embeddings", json=body, headers=alice.headers)) == "overloaded"
    assert set(vendor.asked) == {small.id}


def test_a_fallback_does_not_replace_credentials_that_are_missing(http, alice, settings, house) -> None:
    settings.ARKROUTE_STAND_INS = False
    settings.PROVIDERS = {"openai": {"api_keys": [], "base_url": ""}}
    response = chat(http, alice)
    assert (response.status_code, code_of(response)) == (503, "provider_not_configured")
    assert house.chats == 0


@pytest.mark.parametrize("days", [0, 1])
def test_a_model_goes_to_its_fallback_from_the_day_on_which_it_is_retired(
    http, alice, vendor, monkeypatch, days
) -> None:
    catalogue = load_catalogue().models
    day = datetime.now(UTC).date() + timedelta(days=days)
    monkeypatch.setitem(catalogue, ASKED, replace(catalogue[ASKED], retires=day))
    response = chat(http, alice)
    assert response.headers["x-arkroute-model"] == f"openai/{ASKED if days else FALLBACK}"
    assert response.json()["model"] == ASKED
    assert alice.money()[:2] == (500_000 - 5000, 0)


@pytest.mark.parametrize("how", ["dead", "drained"])
def test_a_model_of_ones_own_may_fall_back_to_a_vendors(http, alice, vendor, settings, how) -> None:
    with FakeReplica() as replica:
        models = {"house-llama": {"upstream": "their-llama", "credits": 1, "fallbacks": [ASKED]}}
        settings.SELFHOSTED_POOLS = {"gpus": {"replicas": [replica.base_url], "models": models}}
        response = chat(http, alice, model="house-llama")
        assert response.headers["x-arkroute-model"] == "gpus/their-llama"
        assert "x-arkroute-session-state" in response.headers
        if how == "dead":
            replica.kill()
        else:
            find_pool("gpus").replicas[0].draining = True
        response = chat(http, alice, model="house-llama")
    assert response.headers["x-arkroute-model"] == f"openai/{ASKED}"
    assert "x-arkroute-session-state" not in response.headers
    assert alice.money()[:2] == (500_000 - 2000, 0)


# --- Pictures: paid, and made once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["upstream:hang", "upstream:die_after=0", "upstream:status=504 upstream:html"])
def test_no_second_picture_is_asked_for_where_the_first_may_be_in_the_making(
    http, alice, vendor, settings, fault
) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.3
    vendor.faults[PICTURE] = fault
    response = draw(http, alice)
    assert response.status_code == 500
    assert vendor.asked == [PICTURE]
    assert alice.money()[:2] == (500_000, 0)


def test_a_definite_failure_goes_on_to_another_model(http, alice, vendor) -> None:
    vendor.faults[PICTURE] = "upstream:status=502 upstream:html"
    response = draw(http, alice)
    assert response.status_code == 200
    assert vendor.asked == [PICTURE, OTHER_PICTURE]
    assert response.headers["x-arkroute-model"] == f"openai/{OTHER_PICTURE}"
    assert response.json()["model"] == PICTURE
    assert alice.money()[:2] == (500_000 - 50_000, 0)


# --- The breaker ---------------------------------------------------------------------------------------------------


def test_a_vendor_that_is_turned_off_in_mid_run_is_left_alone_until_it_is_back(
    http, alice, vendor, house, monkeypatch
) -> None:
    monkeypatch.setattr(health, "FIRST_PAUSE", 0.2)
    assert chat(http, alice).headers["x-arkroute-model"] == f"openai/{ASKED}"
    vendor.kill()
    for _ in range(health.FAULTS_IN_A_ROW + 2):
        response = chat(http, alice)
        assert response.status_code == 200
        assert response.headers["x-arkroute-model"] == "gpus/their-llama"
    assert attempts() == [("their-llama", "")], "the circuit is open: it is not even tried"
    tried = Counter(attempt["error"] for receipt in Receipt.objects.all() for attempt in receipt.attempts)
    assert tried["unreachable"] >= health.FAULTS_IN_A_ROW

    vendor.start_again()
    served = ""
    for _ in range(100):
        served = chat(http, alice).headers["x-arkroute-model"]
        if served == f"openai/{ASKED}":
            break
        asyncio.run(asyncio.sleep(0.02))
    assert served == f"openai/{ASKED}", "a probe finds it back"
    assert health.find_circuit(f"openai/{ASKED}").is_open is False


def test_where_nothing_else_is_there_an_open_circuit_says_at_once_when_to_come_back(http, alice, vendor) -> None:
    vendor.behaviour = Behaviour(status=502, html=True)
    for _ in range(health.FAULTS_IN_A_ROW):
        assert code_of(chat(http, alice)) == "provider_error"
    asked, before = len(vendor.asked), alice.money()
    response = chat(http, alice)
    assert (response.status_code, code_of(response)) == (503, "overloaded")
    assert 1 <= int(response.headers["retry-after"]) <= health.FIRST_PAUSE * (1 + health.JITTER) + 1
    assert len(vendor.asked) == asked
    assert alice.money() == before


def test_streams_that_break_off_open_the_circuit_too(http, alice, vendor) -> None:
    vendor.faults[ASKED] = "upstream:die_after=5"
    for _ in range(health.FEWEST_REQUESTS):
        chat(http, alice, stream=True)
    assert health.find_circuit(f"openai/{ASKED}").is_open


def test_in_a_storm_retries_stay_within_their_budget(gateway_url, make_person, vendor, monkeypatch) -> None:
    monkeypatch.setattr(health, "FAULTS_IN_A_ROW", 10_000)
    monkeypatch.setattr(health, "FEWEST_REQUESTS", 10_000)
    person = make_person("storm@example.com", requests_per_minute=100_000)
    vendor.behaviour = Behaviour(status=503)
    requests = 60
    with httpx.Client(base_url=gateway_url, timeout=30) as http, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: chat(http, person), range(requests)))
    assert {answer.status_code for answer in answers} == {503}
    retries = len(vendor.asked) - requests
    assert 0 < retries <= RetryBudget.FEW + RetryBudget.SHARE * requests


# --- Keys ----------------------------------------------------------------------------------------------------------


def test_keys_take_turns(http, alice, vendor, use_keys) -> None:
    use_keys("sk-one-1111", "sk-two-2222")
    for _ in range(6):
        chat(http, alice)
    assert Counter(vendor.used_keys) == {"sk-one-1111": 3, "sk-two-2222": 3}


@pytest.mark.parametrize("retry_after", ["", " upstream:retry_after=20"])
def test_a_key_that_is_limited_rests_for_that_model_while_the_other_works(
    http, alice, vendor, use_keys, retry_after
) -> None:
    use_keys("sk-one-1111", "sk-two-2222")
    vendor.faults["sk-one-1111"] = "upstream:status=429" + retry_after
    assert {chat(http, alice).headers["x-arkroute-model"] for _ in range(6)} == {f"openai/{ASKED}"}
    assert Counter(vendor.used_keys) == {"sk-one-1111": 1, "sk-two-2222": 6}
    chat(http, alice, model=FALLBACK)
    chat(http, alice, model=FALLBACK)
    assert Counter(vendor.used_keys)["sk-one-1111"] == 2, "another model has limits of its own"


def test_a_vendor_that_says_when_to_come_back_is_not_asked_before(http, alice, vendor) -> None:
    vendor.behaviour = Behaviour(status=429, retry_after="20")
    assert code_of(chat(http, alice)) == "overloaded"
    asked = len(vendor.asked)
    response = chat(http, alice)
    assert (response.status_code, response.headers["retry-after"]) == (503, "20")
    assert len(vendor.asked) == asked


def test_a_vendor_that_limits_for_no_stated_time_may_be_asked_again(http, alice, vendor) -> None:
    vendor.behaviour = Behaviour(status=429)
    assert code_of(chat(http, alice)) == "overloaded"
    vendor.reset()
    assert chat(http, alice).status_code == 200


def test_a_short_wait_that_the_vendor_asks_for_is_waited(http, alice, vendor) -> None:
    vendor.behaviour = Behaviour(status=429, retry_after="0.1", fail_times=1)
    response = chat(http, alice)
    assert response.headers["x-arkroute-model"] == f"openai/{ASKED}"
    assert attempts() == [(ASKED, "rate_limited"), (ASKED, "")]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("upstream:status=401 upstream:code=invalid_api_key", "auth"),
        ("upstream:status=429 upstream:code=insufficient_quota", "balance"),
    ],
)
def test_a_refused_key_is_disabled_for_all_models_and_the_admin_shows_it(
    http, alice, vendor, use_keys, fault, reason
) -> None:
    use_keys("sk-one-1111", "sk-two-2222")
    vendor.faults["sk-one-1111"] = fault
    for model in (ASKED, ASKED, ASKED, FALLBACK, FALLBACK):
        assert chat(http, alice, model=model).status_code == 200
    assert Counter(vendor.used_keys) == {"sk-one-1111": 1, "sk-two-2222": 5}
    follow()
    row = DisabledKey.objects.get()
    assert (row.provider, row.last_four, row.model, row.reason) == ("openai", "1111", "", reason)
    assert row.fingerprint == keys.fingerprint("sk-one-1111")
    assert row.message == "the fake provider was told to fail"


def test_what_another_process_found_out_is_followed(http, alice, vendor, use_keys) -> None:
    use_keys("sk-one-1111", "sk-two-2222")
    now = datetime.now(UTC)
    row = DisabledKey.objects.create(
        provider="openai",
        fingerprint=keys.fingerprint("sk-one-1111"),
        reason="auth",
        since=now,
        until=now + timedelta(minutes=10),
    )
    follow()
    for _ in range(4):
        chat(http, alice)
    assert set(vendor.used_keys) == {"sk-two-2222"}
    keys.use_again(row)
    follow()
    for _ in range(4):
        chat(http, alice)
    assert set(vendor.used_keys) == {"sk-one-1111", "sk-two-2222"}


def test_where_all_keys_are_refused_the_fallback_answers_or_it_is_told(http, alice, vendor, settings) -> None:
    vendor.behaviour = Behaviour(status=401, code="invalid_api_key")
    first, second = chat(http, alice), chat(http, alice)
    assert code_of(first) == code_of(second) == "provider_error"
    assert "sk-one" not in first.text + second.text
    assert vendor.asked == [ASKED], "neither the fallback nor the second call tries a key that is refused"
    assert alice.money()[:2] == (500_000, 0)


def test_where_all_keys_are_refused_a_fallback_of_another_provider_answers(http, alice, vendor, house) -> None:
    vendor.behaviour = Behaviour(status=401, code="invalid_api_key")
    assert [chat(http, alice).headers["x-arkroute-model"] for _ in range(2)] == ["gpus/their-llama"] * 2
    assert vendor.asked == [ASKED]


def test_a_key_that_was_topped_up_comes_back_without_a_hand(http, alice, vendor, monkeypatch) -> None:
    vendor.behaviour = Behaviour(status=402)
    assert code_of(chat(http, alice)) == "provider_error"
    follow()
    vendor.reset()
    assert code_of(chat(http, alice)) == "provider_error"
    later = datetime.now(UTC).timestamp() + keys.DISABLED_SECONDS + 1
    monkeypatch.setattr(keys, "time", lambda: later)
    assert chat(http, alice).status_code == 200
    follow()
    assert not DisabledKey.objects.exists()


def test_a_model_that_a_key_may_not_use_costs_the_key_nothing_else(http, alice, vendor) -> None:
    vendor.faults[ASKED] = "upstream:status=404 upstream:code=model_not_found"
    for _ in range(3):
        assert chat(http, alice).headers["x-arkroute-model"] == f"openai/{FALLBACK}"
    assert vendor.asked == [ASKED, FALLBACK, FALLBACK, FALLBACK]
    follow()
    assert DisabledKey.objects.get().model == ASKED


# --- What one client sends is no trouble for the others --------------------------------------------------------------


@pytest.fixture
def bob(make_person):
    return make_person("bob")


@pytest.mark.parametrize("status", [404, 403, 409, 424, 451])
def test_a_request_that_the_vendor_refuses_takes_nothing_from_others(http, alice, bob, vendor, status) -> None:
    vendor.behaviour = Behaviour(status=status, code="http_error")
    for _ in range(health.FAULTS_IN_A_ROW + 1):
        assert code_of(chat(http, alice)) == "invalid_value"
    assert vendor.asked == [ASKED] * (health.FAULTS_IN_A_ROW + 1)
    vendor.behaviour = Behaviour()
    assert chat(http, bob).headers["x-arkroute-model"] == f"openai/{ASKED}"
    assert health.all_is_well()
    assert keys.all_are_well()


def test_a_page_before_the_vendor_that_forbids_a_request_disables_no_key(http, alice, bob, vendor) -> None:
    vendor.behaviour = Behaviour(status=403, html=True)
    assert code_of(chat(http, alice)) == "provider_error"
    vendor.behaviour = Behaviour()
    assert chat(http, bob).headers["x-arkroute-model"] == f"openai/{ASKED}"
    assert keys.all_are_well()


def test_chats_that_take_too_long_close_nothing_while_others_are_answered(http, alice, bob, vendor, settings) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.2
    assert chat(http, bob).status_code == 200
    vendor.behaviour = Behaviour(hang=True)
    for _ in range(health.FAULTS_IN_A_ROW):
        assert code_of(chat(http, alice)) == "provider_timeout"
    vendor.behaviour = Behaviour()
    assert chat(http, bob).headers["x-arkroute-model"] == f"openai/{ASKED}"
