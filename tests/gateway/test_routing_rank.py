"""In which order places are tried, and what follows a failure: tables, without a clock or a server."""

from datetime import date
from decimal import Decimal

import pytest

from gateway.catalog.schema import ImageSpec, Model
from gateway.errors import ProviderError, ProviderFault
from gateway.pools import Replica
from gateway.providers.base import Deployment
from gateway.routing.rank import Candidate, Condition, rank, shortest_wait
from gateway.routing.retry import LONGEST_PAUSE, PAUSES, RetryBudget, Step, is_told, next_step

TODAY = date(2026, 12, 1)
READY, RESTING, CLOSED, DISABLED = Condition


def make_model(name: str, retires: date | None = None) -> Model:
    return Model(
        id=name,
        upstream=name,
        type="image",
        credits=Decimal(1),
        provider="acme",
        vendor="Acme",
        description="A model to test with",
        created=date(2026, 1, 1),
        retires=retires,
        image=ImageSpec(tiers={"1K": "1024x1024"}),
    )


ASKED, OTHER, THIRD = make_model("asked"), make_model("other"), make_model("third")
RETIRED = make_model("retired", TODAY)


def at(model: Model, key: str = "1", provider: str = "acme") -> Deployment:
    return Deployment(provider=provider, model=model, api_key=f"sk-{key}")


def replica(number: int) -> Deployment:
    return Deployment(provider="gpus", model=ASKED, api_key="own", replica=Replica("gpus", f"http://gpu-{number}/v1"))


def order(*candidates: tuple[Deployment, Condition], turn: int = 0) -> list[str]:
    ranked = rank([Candidate(*candidate) for candidate in candidates], day=TODAY, turn=turn)
    return [f"{one.model.id} {one.api_key[-1]}" for one in ranked]


# --- The order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([(at(ASKED), READY)], ["asked 1"]),
        ([(at(ASKED), READY), (at(OTHER), READY), (at(THIRD), READY)], ["asked 1", "other 1", "third 1"]),
        ([(at(ASKED), CLOSED), (at(OTHER), READY)], ["other 1"]),
        ([(at(ASKED), DISABLED), (at(ASKED, "2"), READY), (at(OTHER), READY)], ["asked 2", "other 1"]),
        ([(at(ASKED), RESTING), (at(ASKED, "2"), READY)], ["asked 2", "asked 1"]),
        ([(at(ASKED), RESTING), (at(OTHER), READY)], ["other 1", "asked 1"]),
        ([(at(ASKED), RESTING)], ["asked 1"]),
        ([(at(RETIRED), READY), (at(OTHER), READY)], ["other 1", "retired 1"]),
        ([(at(RETIRED), READY), (at(OTHER), CLOSED)], ["retired 1"]),
        ([(at(RETIRED), READY)], ["retired 1"]),
        ([(at(ASKED), CLOSED), (at(OTHER), DISABLED)], []),
    ],
)
def test_the_model_asked_for_comes_first_unless_it_cannot(candidates, expected) -> None:
    assert order(*candidates) == expected


def test_keys_take_turns_and_replicas_stay_in_the_order_of_their_pool() -> None:
    keys = [(at(ASKED, key), READY) for key in "123"]
    keys += [(at(OTHER, key), READY) for key in "12"]
    assert order(*keys, turn=0) == ["asked 1", "asked 2", "asked 3", "other 1", "other 2"]
    assert order(*keys, turn=1) == ["asked 2", "asked 3", "asked 1", "other 2", "other 1"]
    pool = [replica(1), replica(2)]
    assert rank([Candidate(one) for one in pool], day=TODAY, turn=1) == pool


def test_a_model_is_retired_from_its_last_day_on() -> None:
    candidates = [Candidate(at(RETIRED)), Candidate(at(OTHER))]
    assert rank(candidates, day=date(2026, 11, 30))[0].model is RETIRED
    assert rank(candidates, day=TODAY)[0].model is OTHER


def test_the_shortest_wait_is_that_of_what_opens_by_itself() -> None:
    closed = [Candidate(at(ASKED), CLOSED, 7.0), Candidate(at(OTHER), CLOSED, 3.0), Candidate(at(THIRD), DISABLED)]
    assert shortest_wait(closed) == 3.0
    assert shortest_wait(closed[2:]) is None


# --- What follows a failure ----------------------------------------------------------------------------------------

KEYS = [at(ASKED, "1"), at(ASKED, "2"), at(OTHER, provider="rival")]
ALONE = [at(ASKED)]
FALLBACK = [at(ASKED), at(OTHER, provider="rival")]
POOL = [replica(1), replica(2)]
AGAIN, NEXT, END = 0, 1, None


def fault(kind: str, status: int | None = None, **parts) -> ProviderError:
    return ProviderError(ProviderFault(kind), "words", status=status, **parts)


@pytest.mark.parametrize(
    ("error", "deployments", "expected"),
    [
        # At the door: another key, the same place once more, a fallback.
        (fault("overloaded", 503), KEYS, NEXT),
        (fault("overloaded", 503), ALONE, AGAIN),
        (fault("overloaded", 503), FALLBACK, AGAIN),
        (fault("overloaded", 503, retry_after=LONGEST_PAUSE + 1), ALONE, END),
        (fault("overloaded", 503, retry_after=LONGEST_PAUSE + 1), FALLBACK, NEXT),
        (fault("unreachable"), ALONE, AGAIN),
        (fault("unreachable"), FALLBACK, NEXT),
        (fault("rate_limited", 429), KEYS, NEXT),
        (fault("rate_limited", 429), FALLBACK, NEXT),
        (fault("rate_limited", 429, retry_after=1.0), FALLBACK, AGAIN),
        (fault("rate_limited", 429, retry_after=60.0), FALLBACK, NEXT),
        (fault("rate_limited", 429, retry_after=60.0), ALONE, END),
        # Our account there: another key, a fallback, never the same.
        (fault("auth", 401), KEYS, NEXT),
        (fault("auth", 401), ALONE, END),
        (fault("balance", 429), FALLBACK, NEXT),
        # A definite failure goes on; one that may have been accepted, and paid, does not.
        (fault("broken", 500), KEYS, NEXT),
        (fault("broken", 500), FALLBACK, NEXT),
        (fault("broken", 500), ALONE, END),
        (fault("broken", 504), FALLBACK, END),
        (fault("overloaded", 504), ALONE, END),
        (fault("overloaded", 504), KEYS, END),
        (fault("overloaded", 524, retry_after=0.1), FALLBACK, END),
        (fault("broken", 200), FALLBACK, END),
        (fault("broken"), KEYS, END),
        (fault("timeout"), KEYS, END),
        (fault("timeout", 200), FALLBACK, END),
        (fault("overloaded", 503, accepted=True), FALLBACK, END),
        (fault("auth", 401, accepted=True), KEYS, END),
        # What is wrong with the request is wrong everywhere.
        (fault("bad_request", 400), KEYS, END),
        (fault("content_policy", 400), FALLBACK, END),
        (fault("context_length", 400), FALLBACK, END),
        # Servers of one's own charge nothing for work begun in vain.
        (fault("broken"), POOL, NEXT),
        (fault("rate_limited", 429, retry_after=3600.0), POOL, NEXT),
        (fault("timeout"), POOL, END),
        (fault("auth", 404), POOL, NEXT),
    ],
)
def test_a_second_try_is_made_only_where_it_can_help_and_costs_nothing(error, deployments, expected) -> None:
    step = next_step(error, deployments, 0, repeated=False)
    assert (step.place if step else None) == expected
    if step is not None and step.place == AGAIN:
        assert step.pause == error.retry_after or PAUSES[0] <= step.pause <= PAUSES[1]


def test_one_place_is_tried_twice_at_most() -> None:
    assert next_step(fault("overloaded"), ALONE, 0, repeated=True) is None
    assert next_step(fault("overloaded"), FALLBACK, 0, repeated=True) == Step(1)


def test_another_try_at_the_same_provider_waits_a_moment_unless_the_key_was_the_trouble() -> None:
    assert next_step(fault("broken", 500), KEYS, 0, repeated=False).pause >= PAUSES[0]
    assert next_step(fault("auth", 401), KEYS, 0, repeated=False).pause == 0
    assert next_step(fault("broken", 500), KEYS, 1, repeated=False) == Step(2)


def test_what_a_fallback_finds_wrong_with_a_request_is_not_told() -> None:
    places = [at(ASKED), at(OTHER), at(THIRD)]
    for kind in ("bad_request", "context_length"):
        assert next_step(fault(kind, 400), places, 1, repeated=False) == Step(2)
        assert not is_told(fault(kind, 400), places, 1)
        assert is_told(fault(kind, 400), places, 0)
    assert is_told(fault("content_policy"), places, 1)
    assert next_step(fault("content_policy"), places, 1, repeated=False) is None


# --- The budget ----------------------------------------------------------------------------------------------------


def test_retries_are_a_share_of_the_requests_and_a_few() -> None:
    budget = RetryBudget()
    for _ in range(100):
        budget.note_request(5.0)
    granted = sum(budget.take(5.0) for _ in range(100))
    assert granted == RetryBudget.FEW + RetryBudget.SHARE * 100


def test_what_was_spent_comes_back_with_time() -> None:
    budget = RetryBudget()
    while budget.take(5.0):
        pass
    assert not budget.take(5.0 + RetryBudget.SECONDS / 2)
    assert budget.take(5.0 + RetryBudget.SECONDS)


def test_in_a_storm_of_any_length_the_share_holds() -> None:
    budget, retries, requests = RetryBudget(), 0, 5000
    for number in range(requests):
        budget.note_request(number / 100)
        retries += budget.take(number / 100)
    windows = requests / 100 / (RetryBudget.SECONDS / 2)
    assert retries <= RetryBudget.SHARE * requests + RetryBudget.FEW * (windows + 1)
