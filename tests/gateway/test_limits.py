"""The limits of a key in one process."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.keys import Caller
from gateway.errors import ConcurrencyExceeded, RateLimitExceeded
from gateway.limits import format_duration
from gateway.limits.memory import SWEEP_FROM, MemoryLimiter
from gateway.limits.quota import quota_of

MINUTE = 60_000_000


class Clock:
    """Microseconds that pass when told to."""

    now = 5_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limiter(clock):
    return MemoryLimiter(clock)


def caller(key_id=1, requests_per_minute=600, concurrent_requests=50):
    return Caller(
        key_id=key_id,
        user_id=1,
        email="alice@example.com",
        key_name="",
        key_prefix="ark-abcd",
        requests_per_minute=requests_per_minute,
        concurrent_requests=concurrent_requests,
        concurrent_videos=4,
    )


def admit(limiter, who=None, read=False):
    who = who or caller()
    return limiter.admit(who, quota_of(who.requests_per_minute, who.concurrent_requests, read))


def admitted_at_once(limiter, who=None, read=False):
    for number in range(10_000):
        try:
            admit(limiter, who, read).release()
        except RateLimitExceeded:
            return number
    raise AssertionError("there is no limit")


@pytest.mark.parametrize(("rate", "burst"), [(600, 60), (6000, 600), (100, 10), (60, 10), (7, 10), (1, 10)])
def test_a_burst_is_a_tenth_of_the_rate_and_at_least_ten(limiter, rate, burst):
    assert admitted_at_once(limiter, caller(requests_per_minute=rate)) == burst


def test_reads_have_a_bucket_of_their_own_five_times_as_large(limiter):
    assert admitted_at_once(limiter) == 60
    assert admitted_at_once(limiter, read=True) == 300
    assert quota_of(600, 50, True).limit == 3000
    assert quota_of(600, 50, True).slots == 250


def test_every_key_has_buckets_of_its_own(limiter):
    assert [admitted_at_once(limiter, caller(key_id)) for key_id in (1, 2)] == [60, 60]


def test_the_bucket_refills_one_request_at_a_time(limiter, clock):
    admitted_at_once(limiter)
    clock.now += 99_999
    assert admitted_at_once(limiter) == 0
    clock.now += 1
    assert admitted_at_once(limiter) == 1
    clock.now += 1_000_000
    assert admitted_at_once(limiter) == 10
    clock.now += MINUTE
    assert admitted_at_once(limiter) == 60


def test_the_numbers_say_what_is_left_and_when_all_is_back(limiter, clock):
    first = admit(limiter)
    assert (first.limit, first.remaining, first.reset) == (600, 59, 0.1)
    for _ in range(59):
        admission = admit(limiter)
        admission.release()
    assert (admission.limit, admission.remaining, admission.reset) == (600, 0, 6.0)
    clock.now += 1_000_000
    assert (admit(limiter).remaining, admit(limiter).reset) == (9, 5.2)


def test_a_refusal_says_how_long_to_wait_and_that_is_long_enough(limiter, clock):
    slow = caller(requests_per_minute=20)
    assert admitted_at_once(limiter, slow) == 10
    with pytest.raises(RateLimitExceeded, match=r"`ark-abcd…` is limited to 20 requests a minute.*Wait 3 s") as caught:
        admit(limiter, slow)
    assert caught.value.retry_after == 3
    numbers = caught.value.allowance
    assert (numbers.limit, numbers.remaining, numbers.reset) == (20, 0, 30.0)
    clock.now += 3_000_000
    admit(limiter, slow)


def test_a_wait_is_never_told_as_less_than_a_second(limiter):
    admitted_at_once(limiter)
    with pytest.raises(RateLimitExceeded) as caught:
        admit(limiter)
    assert caught.value.retry_after == 1


def test_a_refused_request_takes_nothing(limiter, clock):
    admitted_at_once(limiter)
    for _ in range(100):
        with pytest.raises(RateLimitExceeded):
            admit(limiter)
    clock.now += 100_000
    assert admitted_at_once(limiter) == 1

    one = caller(2, concurrent_requests=1)
    held = admit(limiter, one)
    for _ in range(100):
        with pytest.raises(ConcurrencyExceeded):
            admit(limiter, one)
    held.release()
    assert admit(limiter, one).remaining == 58


def test_so_many_at_the_same_time_and_the_next_when_one_has_ended(limiter):
    three = caller(concurrent_requests=3)
    held = [admit(limiter, three) for _ in range(3)]
    with pytest.raises(ConcurrencyExceeded, match="limited to 3 requests at the same time") as caught:
        admit(limiter, three)
    assert caught.value.retry_after == 1
    assert caught.value.allowance.remaining == 57
    held[0].release()
    held[0].release()
    admit(limiter, three)
    with pytest.raises(ConcurrencyExceeded):
        admit(limiter, three)


def test_buckets_of_idle_keys_are_dropped(limiter, clock):
    working = admit(limiter, caller(0))
    for key_id in range(1, 5 * SWEEP_FROM):
        admit(limiter, caller(key_id)).release()
        clock.now += 1_000_000
    assert len(limiter) <= SWEEP_FROM
    with pytest.raises(ConcurrencyExceeded):
        admit(limiter, caller(0, concurrent_requests=1))
    working.release()
    admit(limiter, caller(0, concurrent_requests=1))


@given(
    rate=st.integers(1, 5000),
    steps=st.lists(st.tuples(st.integers(0, 3 * MINUTE), st.integers(1, 30)), max_size=40),
)
def test_a_bucket_admits_what_a_bucket_of_tokens_would(rate, steps):
    clock = Clock()
    limiter = MemoryLimiter(clock)
    who = caller(requests_per_minute=rate)
    burst, interval = max(10, rate // 10), -(-MINUTE // rate)
    tokens = burst * interval  # counted in microseconds, so that nothing is rounded
    for pause, requests in steps:
        clock.now += pause
        tokens = min(burst * interval, tokens + pause)
        for _ in range(requests):
            if tokens < interval:
                with pytest.raises(RateLimitExceeded) as caught:
                    admit(limiter, who)
                assert caught.value.retry_after >= (interval - tokens) / 1_000_000
                assert caught.value.allowance.remaining == 0
                continue
            admission = admit(limiter, who)
            tokens -= interval
            assert admission.remaining == tokens // interval
            assert admission.reset == (burst * interval - tokens) / 1_000_000
            admission.release()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.0001, "1ms"),
        (0.012, "12ms"),
        (0.1, "100ms"),
        (0.9991, "1s"),
        (1.5, "1.5s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (90, "1m30s"),
        (90.2, "1m31s"),
        (360, "6m0s"),
        (7205, "2h0m5s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds, text):
    assert format_duration(seconds) == text


@given(st.floats(0, 1e6))
def test_a_written_duration_is_never_too_short(seconds):
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", format_duration(seconds))
    told = sum(float(number) * units[unit] for number, unit in parts)
    assert seconds - 1e-6 <= told <= seconds + 1.001
