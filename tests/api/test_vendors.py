"""Every vendor through the gateway: what its answers and its failures are to a client, and what they cost."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.errors import STATUSES
from gateway.catalog import get_model
from gateway.errors import CLIENT_ERRORS, ProviderFault
from gateway.routing import retry
from tests.api.conftest import Person
from tests.upstreams.contract import Contract, Failure, behave, good_post, secrets_of
from tests.upstreams.vendors import CONTRACTS as ALL_CONTRACTS

# Those that answer a request; a video is a task, which answers later.
CONTRACTS = [contract for contract in ALL_CONTRACTS if contract.capability != "video"]
# One of each kind: which errors are of a kind, tests/gateway/test_provider_contract.py knows.
FAILURES = [
    (contract, next(failure for failure in contract.failures if failure.kind is kind))
    for contract in CONTRACTS
    for kind in dict.fromkeys(failure.kind for failure in contract.failures)
]


def names(value: object) -> str:
    return value if isinstance(value, str) else getattr(value, "name", "")


@pytest.fixture(autouse=True)
def nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which waits a second try is worth, tests/gateway/test_routing_rank.py knows."""
    monkeypatch.setattr(retry, "LONGEST_PAUSE", 0.3)


@pytest.fixture
def key(contract: Contract) -> str:
    return contract.new_key()


@pytest.fixture
def fake(contract: Contract, key: str, settings) -> Iterator[Any]:
    """The only provider that has credentials."""
    with contract.fake(api_key=key) as fake:
        settings.PROVIDERS = {contract.provider: {"api_keys": [key], "base_url": fake.base_url}}
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{fake.port}"]
        settings.ARKROUTE_STAND_INS = False
        yield fake


def assert_failed(response: httpx.Response, alice: Person, fault: ProviderFault, secrets: list[str]) -> None:
    code = CLIENT_ERRORS[fault].code
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (STATUSES[code][0], code, STATUSES[code][1])
    for secret in secrets:
        assert secret not in response.text
    assert alice.money() == (500_000, 0, 1), "nothing is charged or held"


@pytest.mark.parametrize("contract", CONTRACTS, ids=names)
def test_an_answer_is_paid_for_and_says_who_gave_it(
    contract: Contract, http: httpx.Client, alice: Person, fake: Any, key: str
) -> None:
    model = get_model(contract.model)
    path, content = good_post(model)
    response = http.post(path, headers=alice.headers, **content)
    assert response.status_code == 200, response.text
    assert response.headers["x-arkroute-model"] == f"{model.provider}/{model.upstream}"
    assert "x-arkroute-stand-in" not in response.headers
    for secret in secrets_of(fake, key):
        assert secret not in response.text
    posted, held, _ = alice.money()
    assert (posted, held) == (500_000 - round(float(response.headers["x-arkroute-credits"]) * 1000), 0)
    assert posted < 500_000


@pytest.mark.parametrize(("contract", "failure"), FAILURES, ids=names)
def test_a_documented_error_is_told_as_the_contract_says_and_costs_nothing(
    contract: Contract, failure: Failure, http: httpx.Client, alice: Person, fake: Any, key: str
) -> None:
    behave(fake, failure.behaviour)
    path, content = good_post(get_model(contract.model))
    response = http.post(path, headers=alice.headers, **content)
    assert_failed(response, alice, failure.kind, secrets_of(fake, key))


@pytest.mark.parametrize("trouble", ["cut", "html", "html_in_200"])
@pytest.mark.parametrize("contract", CONTRACTS, ids=names)
def test_what_is_no_answer_costs_nothing(
    contract: Contract, trouble: str, http: httpx.Client, alice: Person, fake: Any, key: str
) -> None:
    behave(fake, getattr(contract, trouble))
    path, content = good_post(get_model(contract.model))
    response = http.post(path, headers=alice.headers, **content)
    assert_failed(response, alice, ProviderFault.BROKEN, secrets_of(fake, key))


@pytest.mark.parametrize("contract", CONTRACTS, ids=names)
def test_waiting_in_vain_costs_nothing(
    contract: Contract, http: httpx.Client, alice: Person, fake: Any, key: str, settings
) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = 0.2
    behave(fake, contract.hang)
    path, content = good_post(get_model(contract.model))
    response = http.post(path, headers=alice.headers, **content)
    assert_failed(response, alice, ProviderFault.TIMEOUT, secrets_of(fake, key))
