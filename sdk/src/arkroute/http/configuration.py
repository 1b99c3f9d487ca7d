"""Where a client sends its calls, with which key, and how patiently."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Union

import httpx

from arkroute.errors import ConfigurationError
from arkroute.version import __version__

DEFAULT_BASE_URL = "https://api.ark-route.com/v1"
DEFAULT_MAX_RETRIES = 2
# Seconds, for each phase. A picture of high quality takes minutes; a server that is there accepts within seconds.
DEFAULT_TIMEOUT = httpx.Timeout(connect=5, read=600, write=60, pool=60)

# A number of seconds for every phase, or httpx's own object, which tells them apart.
Timeout = Union[float, httpx.Timeout]


@dataclass(frozen=True)
class Configuration:
    api_key: str | None
    base_url: str
    timeout: httpx.Timeout = field(default_factory=lambda: DEFAULT_TIMEOUT)
    max_retries: int = DEFAULT_MAX_RETRIES
    headers: Mapping[str, str] = field(default_factory=dict)

    def changed(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: Timeout | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Configuration:
        """The same but for what is not None; `headers` are added to those that there are."""
        return replace(
            self,
            api_key=self.api_key if api_key is None else _checked_key(api_key),
            base_url=self.base_url if base_url is None else _checked_url(base_url),
            timeout=self.timeout if timeout is None else httpx.Timeout(timeout),
            max_retries=self.max_retries if max_retries is None else _checked_retries(max_retries),
            headers={**self.headers, **(headers or {})},
        )

    def request_headers(self, *, needs_key: bool) -> dict[str, str]:
        """What every request carries. Raises `ConfigurationError` where a key is needed and there is none."""
        headers = {"accept": "application/json", "user-agent": f"arkroute-python/{__version__} {_python()}"}
        if self.api_key is not None:
            headers["authorization"] = f"Bearer {self.api_key}"
        elif needs_key:
            raise ConfigurationError("There is no API key. Pass `api_key`, or set ARKROUTE_API_KEY.")
        return {**headers, **{name.lower(): value for name, value in self.headers.items()}}


def read_configuration(
    api_key: str | None,
    base_url: str | None,
    timeout: Timeout | None,
    max_retries: int | None,
    headers: Mapping[str, str] | None,
) -> Configuration:
    """What the caller says, else the environment's ARKROUTE_API_KEY and ARKROUTE_BASE_URL, else the defaults.

    Raises `ConfigurationError`.
    """
    plain = Configuration(api_key=None, base_url=DEFAULT_BASE_URL)
    return plain.changed(
        api_key=api_key if api_key is not None else os.environ.get("ARKROUTE_API_KEY"),
        base_url=base_url if base_url is not None else os.environ.get("ARKROUTE_BASE_URL") or None,
        timeout=timeout,
        max_retries=max_retries,
        headers=headers,
    )


def _checked_key(api_key: str) -> str | None:
    """The key without the line end that a file adds. An empty one is none."""
    key = api_key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError("The API key has characters that no key has. Copy it once more, whole and alone.")
    return key or None


def _checked_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"The base URL {base_url!r} is none: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"The base URL {base_url!r} is none: it begins with https:// and ends in /v1.")
    return str(url).rstrip("/")


def _checked_retries(max_retries: int) -> int:
    if max_retries < 0:
        raise ConfigurationError("`max_retries` is zero or more.")
    return max_retries


def _python() -> str:
    return f"python/{platform.python_version()}"
