"""One call of a tool: who calls, and how to tell them that it goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from mcp.server.session import ServerSession
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from msgspec import Struct

from gateway.call import Call
from gateway.limits import admit

# Seconds between two words to a client that waits.
BEAT = 5.0


class Visit(Struct):
    """`authorization` is the header; `wants_progress`: the client asked to be told how far the call is."""

    call: Call
    authorization: str | None
    session: ServerSession
    wants_progress: bool = False

    @property
    def leaving_cancels(self) -> bool:
        """Whether closing the connection is how this client cancels. In the revisions before it may be an accident.

        https://modelcontextprotocol.io/specification/2026-07-28/basic/utilities/cancellation
        """
        return self.session.protocol_version in MODERN_PROTOCOL_VERSIONS

    async def report(self, progress: float, total: float | None, message: str) -> None:
        """Tells the client; nothing where it did not ask. `progress` must grow from word to word."""
        await self.session.report_progress(round(progress, 1), total, message)

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Counts a call that costs money against the key's limits, as REST does; the message itself was a read.

        Raises `RateLimitExceeded` or `ConcurrencyExceeded`.
        """
        admission = await admit(self.call.caller)
        try:
            yield
        finally:
            admission.release()

    @asynccontextmanager
    async def beating(self, message: str) -> AsyncIterator[None]:
        """Tells the client every few seconds that the block goes on: many give up on silence."""
        began = monotonic()

        async def beat() -> None:
            while True:
                await asyncio.sleep(BEAT)
                seconds = monotonic() - began
                await self.report(seconds, None, f"{message}: {seconds:.0f} s so far")

        beats = asyncio.ensure_future(beat()) if self.wants_progress else None
        try:
            yield
        finally:
            if beats is not None:
                beats.cancel()
