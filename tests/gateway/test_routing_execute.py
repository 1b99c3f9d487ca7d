"""What `execute` makes of attempts that fail in ways of our own."""

import asyncio

import pytest

from gateway.call import Call
from gateway.errors import InvalidValue, Overloaded, ProviderError, ProviderFailed, ProviderFault
from gateway.providers.base import Deployment
from gateway.routing import health, keys
from gateway.routing.execute import execute
from gateway.routing.health import FAULTS_IN_A_ROW
from gateway.routing.route import MOST_ATTEMPTS
from tests.gateway.test_limits import caller
from tests.gateway.test_routing_rank import ASKED, OTHER, THIRD, at

BUSY = ProviderError(ProviderFault.OVERLOADED, "busy", status=503, retry_after=60.0)
BROKEN = ProviderError(ProviderFault.BROKEN, "words", status=500)
REFUSED = ProviderError(ProviderFault.AUTH, "words", status=401)
PLACES = [at(ASKED), at(OTHER, provider="rival"), at(THIRD, provider="third")]


@pytest.fixture(autouse=True)
def good_health(monkeypatch) -> None:
    monkeypatch.setattr(health, "_circuits", {})
    for name in ("_rests", "_refusals", "_found"):
        monkeypatch.setattr(keys, name, {})


@pytest.fixture
def call() -> Call:
    return Call(caller=caller(), endpoint="images")


class Answers:
    """Each attempt takes the next, an error or a text."""

    def __init__(self, *answers: object) -> None:
        self.left = list(answers)

    async def __call__(self, deployment: Deployment) -> str:
        answer = self.left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return f"{answer} of {deployment.model.id}"


def errors(call: Call) -> list[str]:
    return [attempt.error for attempt in call.attempts]


async def test_a_fallback_that_cannot_make_what_is_asked_for_is_passed_over(call) -> None:
    answer = await execute(call, PLACES, Answers(BUSY, InvalidValue("no such size"), "picture"))
    assert answer == "picture of third"
    assert errors(call) == ["overloaded", "ended", ""]


async def test_and_its_complaint_is_not_told(call) -> None:
    with pytest.raises(Overloaded) as told:
        await execute(call, PLACES[:2], Answers(BUSY, InvalidValue("no such size")))
    assert told.value.retry_after == 60


async def test_what_the_model_asked_for_cannot_make_is_told(call) -> None:
    with pytest.raises(InvalidValue, match="no such size"):
        await execute(call, PLACES, Answers(InvalidValue("no such size")))


async def test_a_call_has_so_many_attempts_at_most(call) -> None:
    many = [at(ASKED, provider=f"vendor-{number}") for number in range(2 * MOST_ATTEMPTS)]
    with pytest.raises(ProviderFailed):
        await execute(call, many, Answers(*[BROKEN] * len(many)))
    assert errors(call) == ["broken"] * MOST_ATTEMPTS


async def test_a_key_that_is_refused_is_not_used_for_the_fallback_either(call) -> None:
    with pytest.raises(ProviderFailed):
        await execute(call, [at(ASKED), at(OTHER)], Answers(REFUSED))
    assert errors(call) == ["auth"]


async def test_one_request_is_the_probe_and_the_others_are_told_at_once(call, monkeypatch) -> None:
    monkeypatch.setattr(health, "FIRST_PAUSE", 0.0)
    for _ in range(FAULTS_IN_A_ROW):
        health.note_error(at(ASKED).label, BROKEN)
    answered = asyncio.Event()

    async def wait(deployment: Deployment) -> str:
        await answered.wait()
        return "picture"

    probe = asyncio.create_task(execute(call, [at(ASKED)], wait))
    await asyncio.sleep(0)
    other = Call(caller=caller(), endpoint="images")
    with pytest.raises(Overloaded) as told:
        await execute(other, [at(ASKED)], Answers("picture"))
    assert 0 < told.value.retry_after <= health.PROBE_SECONDS
    assert other.attempts == []
    answered.set()
    assert await probe == "picture"
    assert await execute(other, [at(ASKED)], Answers("picture")) == "picture of asked"


async def test_a_client_that_leaves_gives_the_probe_to_the_next(call, monkeypatch) -> None:
    monkeypatch.setattr(health, "FIRST_PAUSE", 0.0)
    for _ in range(FAULTS_IN_A_ROW):
        health.note_error(at(ASKED).label, BROKEN)
    with pytest.raises(asyncio.CancelledError):
        await execute(call, [at(ASKED)], Answers(asyncio.CancelledError()))
    assert await execute(call, [at(ASKED)], Answers("picture")) == "picture of asked"
