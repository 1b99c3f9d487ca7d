from __future__ import annotations

from typing import Any

import pytest

from tests.gateway import Asyncio, Threads


@pytest.fixture(params=[Threads(), Asyncio()], ids=["threads", "asyncio"])
def do(request: pytest.FixtureRequest) -> Threads:
    """`do(gateway, lambda client: client.models.list())`, with either client."""
    chosen: Threads = request.param
    return chosen


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARKROUTE_API_KEY", "ARKROUTE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept, which nobody really sleeps."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    modules: tuple[Any, ...] = ("arkroute.http.exchange", "arkroute.resources.videos")
    for module in modules:
        monkeypatch.setattr(f"{module}.time.sleep", slept.append)
        monkeypatch.setattr(f"{module}.asyncio.sleep", sleep)
    return slept
