"""A fake OpenAI for the adapters' tests, and the proof that none of them leaves a connection behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.providers.http import close_pools, pool
from tests.upstreams.openai import FakeOpenAI

KEY = "sk-test-0123456789"


async def close_idle_pools() -> None:
    """Closes the running loop's connections once all are idle. Raises `TimeoutError` where one stays in use."""
    async with asyncio.timeout(5):  # a stream's connection is free a moment after its reader is done
        while pool().open_connections > pool().idle_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await close_pools()


@pytest.fixture(scope="module")
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(api_key=KEY) as server:
        yield server


@pytest.fixture
async def upstream(server: FakeOpenAI) -> AsyncIterator[FakeOpenAI]:
    """The module's fake, in good health. Whoever used it must have let go of every connection."""
    server.reset()
    yield server
    await close_idle_pools()
