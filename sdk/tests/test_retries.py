"""When a call is tried again, and after how long."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import httpx
import pytest

from arkroute import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConflictError,
    InternalServerError,
    RateLimitError,
)
from arkroute.http.retries import told_to_wait
from tests.gateway import FakeGateway, Threads, answer, refusal


def ask(client: Any) -> Any:
    return client.chat.completions.create(model="m", messages=[])


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_passes_is_tried_three_times(do: Threads, pauses: list[float], status: int) -> None:
    gateway = FakeGateway(refusal(status, "some_code"))
    with pytest.raises(APIStatusError) as caught:
        do(gateway, ask)
    assert caught.value.status_code == status
    assert len(gateway.requests) == 3
    first, second = pauses
    assert 0.375 <= first <= 0.5
    assert 0.75 <= second <= 1


@pytest.mark.parametrize("status", [300, 400, 401, 402, 403, 404, 405, 413, 415, 422])
def test_what_stays_is_tried_once(do: Threads, pauses: list[float], status: int) -> None:
    gateway = FakeGateway(refusal(status, "some_code"))
    with pytest.raises(APIStatusError):
        do(gateway, ask)
    assert len(gateway.requests) == 1
    assert pauses == []


@pytest.mark.parametrize("error", [httpx.ConnectError("no"), httpx.ReadError("no"), httpx.RemoteProtocolError("no")])
def test_a_lost_connection_is_tried_again(do: Threads, error: Exception) -> None:
    gateway = FakeGateway(error, answer({"id": "c"}))
    assert do(gateway, ask).id == "c"


def test_the_last_word_is_a_connection_error_with_its_cause(do: Threads) -> None:
    gateway = FakeGateway(httpx.ConnectError("refused"))
    with pytest.raises(APIConnectionError, match="refused") as caught:
        do(gateway, ask)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    assert len(gateway.requests) == 3


def test_a_timeout_is_a_connection_error_of_its_own(do: Threads) -> None:
    with pytest.raises(APITimeoutError, match="ReadTimeout"):
        do(FakeGateway(httpx.ReadTimeout("")), ask)


def test_a_failure_that_stays_is_not_tried_again(do: Threads) -> None:
    gateway = FakeGateway(httpx.LocalProtocolError("illegal header"))
    with pytest.raises(APIConnectionError, match="illegal header"):
        do(gateway, ask)
    assert len(gateway.requests) == 1


def test_without_retries_there_is_one_try(do: Threads) -> None:
    gateway = FakeGateway(refusal(503, "overloaded"))
    with pytest.raises(InternalServerError):
        do(gateway, ask, max_retries=0)
    assert len(gateway.requests) == 1


def test_the_pauses_double_up_to_eight_seconds(do: Threads, pauses: list[float]) -> None:
    with pytest.raises(InternalServerError):
        do(FakeGateway(refusal(500, "provider_error")), ask, max_retries=7)
    for pause, most in zip(pauses, [0.5, 1, 2, 4, 8, 8, 8]):
        assert most * 0.75 <= pause <= most


def test_retry_after_is_waited_for_and_a_little_more(do: Threads, pauses: list[float]) -> None:
    do(FakeGateway(refusal(429, "rate_limit_exceeded", retry_after="7"), answer()), ask)
    [pause] = pauses
    assert 7 <= pause <= 7.7


def test_who_is_told_to_wait_for_minutes_hears_the_error(do: Threads, pauses: list[float]) -> None:
    gateway = FakeGateway(refusal(503, "provider_not_configured", retry_after="300"))
    with pytest.raises(InternalServerError):
        do(gateway, ask)
    assert pauses == []


def test_x_should_retry_has_the_last_word(do: Threads) -> None:
    final = FakeGateway(refusal(409, "task_not_ready", x_should_retry="false"))
    with pytest.raises(ConflictError):
        do(final, ask)
    assert len(final.requests) == 1

    passing = FakeGateway(refusal(404, "model_not_found", x_should_retry="true"), answer({"id": "c"}))
    assert do(passing, ask).id == "c"


def test_a_call_that_is_under_way_is_waited_for(do: Threads, pauses: list[float]) -> None:
    """The first answer is lost while the picture is made: the next tries find it at work, for as long as that takes."""
    at_work = refusal(409, "idempotency_in_progress", retry_after="1")
    gateway = FakeGateway(httpx.ReadError("lost"), *[at_work] * 20, answer({"id": "made"}))
    assert do(gateway, ask).id == "made"
    assert len(pauses) == 21
    assert all(1 <= pause <= 1.1 for pause in pauses[1:])


def test_a_call_that_is_under_way_is_not_waited_for_beyond_the_timeout(do: Threads) -> None:
    gateway = FakeGateway(refusal(409, "idempotency_in_progress", retry_after="1"))
    with pytest.raises(ConflictError):
        do(gateway, ask, timeout=0.0)
    assert len(gateway.requests) == 3
    alone = FakeGateway(refusal(409, "idempotency_in_progress", retry_after="1"))
    with pytest.raises(ConflictError):
        do(alone, ask, max_retries=0)
    assert len(alone.requests) == 1


def test_a_stream_is_tried_again_before_its_first_byte(do: Threads) -> None:
    gateway = FakeGateway(refusal(429, "rate_limit_exceeded"))
    with pytest.raises(RateLimitError):
        do(gateway, lambda client: client.chat.completions.create(model="m", messages=[], stream=True))
    assert len(gateway.requests) == 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_what_retry_after_may_say(headers: dict[str, str], seconds: float | None) -> None:
    assert told_to_wait(headers) == seconds


def test_retry_after_may_be_a_date() -> None:
    seconds = told_to_wait({"retry-after": email.utils.formatdate(time.time() + 30, usegmt=True)})
    assert seconds is not None
    assert 25 < seconds <= 30
