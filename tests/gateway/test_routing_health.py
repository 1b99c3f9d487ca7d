"""The circuit breaker, by a clock that the test moves."""

import pytest

from gateway.errors import ProviderError, ProviderFault
from gateway.routing import health
from gateway.routing.health import (
    FAULTS_IN_A_ROW,
    FEWEST_REQUESTS,
    FIRST_PAUSE,
    JITTER,
    LONGEST_PAUSE,
    PROBE_SECONDS,
    WINDOW,
    Circuit,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock) -> Circuit:
    return Circuit("acme/model", clock)


def fail(circuit: Circuit, times: int = FAULTS_IN_A_ROW) -> None:
    for _ in range(times):
        circuit.note_fault()


def test_it_opens_after_so_many_faults_in_a_row(circuit) -> None:
    fail(circuit, FAULTS_IN_A_ROW - 1)
    assert circuit.enter()
    circuit.note_answer()
    fail(circuit, FAULTS_IN_A_ROW - 1)
    assert circuit.enter(), "an answer in between begins the count anew"
    fail(circuit, 1)
    assert not circuit.enter()
    assert FIRST_PAUSE * (1 - JITTER) <= circuit.wait <= FIRST_PAUSE * (1 + JITTER)


def test_it_opens_where_every_second_request_fails(circuit) -> None:
    for _ in range(FEWEST_REQUESTS // 2 - 1):
        circuit.note_fault()
        circuit.note_answer()
    assert circuit.enter()
    circuit.note_fault()
    circuit.note_answer()
    circuit.note_fault()
    assert not circuit.enter()


def test_faults_that_are_far_apart_do_not_open_it(circuit, clock) -> None:
    for _ in range(10 * FEWEST_REQUESTS):
        circuit.note_fault()
        circuit.note_answer()
        clock.now += WINDOW
    assert circuit.enter()
    assert circuit.is_quiet


def test_after_its_pause_it_lets_one_request_through_whose_answer_closes_it(circuit, clock) -> None:
    fail(circuit)
    clock.now += circuit.wait
    assert [circuit.enter() for _ in range(3)] == [True, False, False]
    circuit.note_answer()
    assert not circuit.is_open
    assert circuit.enter()
    circuit.note_fault()
    assert circuit.enter(), "what was counted before is forgotten"


def test_each_probe_that_fails_doubles_the_pause(circuit, clock) -> None:
    fail(circuit)
    pauses = []
    for _ in range(6):
        clock.now += circuit.wait
        assert circuit.enter()
        circuit.note_fault()
        pauses.append(circuit.wait)
    for number, pause in enumerate(pauses, 1):
        expected = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number)
        assert expected * (1 - JITTER) <= pause <= expected * (1 + JITTER)


def test_pauses_differ_from_process_to_process(clock) -> None:
    circuits = [Circuit("acme/model", clock) for _ in range(20)]
    for circuit in circuits:
        fail(circuit)
    assert len({circuit.wait for circuit in circuits}) > 1


def test_what_was_on_its_way_when_it_opened_changes_nothing(circuit) -> None:
    fail(circuit)
    wait = circuit.wait
    fail(circuit, 10)
    circuit.note_answer()
    assert not circuit.enter()
    assert circuit.wait == wait


def test_a_probe_whose_client_left_gives_its_place_to_the_next(circuit, clock) -> None:
    fail(circuit)
    clock.now += circuit.wait
    assert circuit.enter()
    circuit.leave()
    assert circuit.enter()


def test_a_probe_that_takes_long_does_not_keep_others_out_for_ever(circuit, clock) -> None:
    fail(circuit)
    clock.now += circuit.wait
    assert circuit.enter()
    clock.now += PROBE_SECONDS
    assert circuit.enter()


@pytest.mark.parametrize("kind", ProviderFault)
def test_only_what_says_something_of_the_provider_counts(kind, monkeypatch) -> None:
    monkeypatch.setattr(health, "_circuits", {})
    for _ in range(FAULTS_IN_A_ROW):
        health.note_error("acme/model", ProviderError(kind, "words"))
    counts = kind in ("overloaded", "unreachable", "timeout", "broken")
    assert health.all_is_well() is not counts
    found = health.find_circuit("acme/model")
    assert (found is not None and found.is_open) is counts


def test_what_may_be_the_requests_own_fault_does_not_count(monkeypatch) -> None:
    monkeypatch.setattr(health, "_circuits", {})
    for _ in range(FAULTS_IN_A_ROW):
        health.note_error("acme/model", ProviderError(ProviderFault.BROKEN, "the task failed", of_this_request=True))
    assert health.all_is_well()


@pytest.mark.parametrize(
    ("ago", "took", "counts"), [(WINDOW - 1, 0.5, False), (WINDOW + 1, 0.5, True), (299.0, 300.0, False)]
)
def test_a_timeout_counts_only_where_nobody_was_answered_meanwhile(monkeypatch, clock, ago, took, counts) -> None:
    monkeypatch.setattr(health, "_circuits", {})
    monkeypatch.setattr(health, "_answered", {})
    monkeypatch.setattr(health, "monotonic", clock)
    health.note_answer("acme/model")
    clock.now += ago
    for _ in range(FAULTS_IN_A_ROW):
        health.note_error("acme/model", ProviderError(ProviderFault.TIMEOUT, "slow"), took=took)
    assert health.all_is_well() is not counts


def test_one_in_good_health_leaves_nothing_behind(monkeypatch, clock) -> None:
    monkeypatch.setattr(health, "_circuits", {"acme/model": Circuit("acme/model", clock)})
    health.note_error("acme/model", ProviderError(ProviderFault.BROKEN, "words"))
    health.note_answer("acme/model")
    assert not health.all_is_well()
    clock.now += WINDOW
    health.note_answer("acme/model")
    assert health.all_is_well()
