"""When a call is tried again, and after how long. Pure rules: who sleeps is the exchange."""

from __future__ import annotations

import email.utils
import logging
import random
import time
from collections.abc import Mapping

import httpx

from arkroute.errors import APIConnectionError, APIStatusError, APITimeoutError
from arkroute.http.call import Call
from arkroute.http.configuration import Configuration
from arkroute.http.failures import status_error

logger = logging.getLogger("arkroute")

RETRIED_STATUSES = frozenset({408, 409, 429})
FIRST_DELAY, LONGEST_DELAY = 0.5, 8.0
# Who is told to wait longer than this hears the error instead: a program may have better to do.
LONGEST_RETRY_AFTER = 120.0
# Failures that say nothing about the next try. The others (a scheme that is none, an illegal header) stay.
PASSING = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)


class Tries:
    """The tries of one call. Each `after_…` answers the seconds to wait before the next, or raises the last word."""

    def __init__(self, call: Call, configuration: Configuration) -> None:
        self.left = configuration.max_retries
        self._most = configuration.max_retries
        timeout = configuration.timeout if call.timeout is None else httpx.Timeout(call.timeout)
        self._patience = time.monotonic() + (timeout.read if timeout.read is not None else float("inf"))

    def after_failure(self, error: httpx.RequestError) -> float:
        """Nothing came back. Raises `APIConnectionError` or `APITimeoutError`."""
        if self.left and isinstance(error, PASSING):
            return self._next(self._backoff(), type(error).__name__)
        raise connection_error(error) from error

    def after_answer(self, response: httpx.Response) -> float:
        """An error came back. Raises the `APIStatusError` of its status."""
        error = status_error(response)
        wait = told_to_wait(response.headers)
        if self._is_under_way(error):
            return jittered(wait or 1.0)
        if not self.left or not is_retried(response) or (wait or 0.0) > LONGEST_RETRY_AFTER:
            raise error
        return self._next(self._backoff() if wait is None else jittered(wait), str(error))

    def _is_under_way(self, error: APIStatusError) -> bool:
        """An earlier try, whose answer was lost, is still at work: its answer is worth the caller's whole patience."""
        return error.code == "idempotency_in_progress" and self._most > 0 and time.monotonic() < self._patience

    def _next(self, delay: float, reason: str) -> float:
        self.left -= 1
        logger.info("Trying again in %.1f seconds after: %s", delay, reason)
        return delay

    def _backoff(self) -> float:
        """0.5, 1, 2, 4, 8 seconds, each up to a quarter less, so that many clients do not come back together."""
        doubled = FIRST_DELAY * 2.0 ** (self._most - self.left)
        return min(doubled, LONGEST_DELAY) * random.uniform(0.75, 1)  # noqa: S311  no secret


def is_retried(response: httpx.Response) -> bool:
    """By the gateway's word where it says one, else by the status."""
    told = response.headers.get("x-should-retry", "").lower()
    if told in ("true", "false"):
        return bool(told == "true")
    return response.status_code in RETRIED_STATUSES or response.status_code >= 500


def told_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds, of `retry-after-ms` or `retry-after` (a number, or a date of HTTP); None where neither says any."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            seconds = _until(value)
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def jittered(seconds: float) -> float:
    """What was told and up to a tenth more, never less."""
    return seconds * random.uniform(1, 1.1)  # noqa: S311  no secret


def connection_error(error: httpx.RequestError) -> APIConnectionError:
    """The SDK's error for one of httpx."""
    if isinstance(error, httpx.TimeoutException):
        return APITimeoutError(f"No answer came in time ({type(error).__name__}).")
    return APIConnectionError(f"The connection failed: {error or type(error).__name__}")


def _until(date: str) -> float:
    """Seconds until a date of HTTP; a negative number for what is none."""
    parsed = email.utils.parsedate_tz(date)
    return -1.0 if parsed is None else max(0.0, email.utils.mktime_tz(parsed) - time.time())
