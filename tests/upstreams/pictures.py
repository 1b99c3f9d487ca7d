"""A server that has pictures, or other things, at its addresses: somebody else's web site."""

import asyncio

from tests.upstreams.server import FakeServer, Faults, Recorded, Refusal


class PictureServer(FakeServer[Faults]):
    """`files` are bytes by their path, all of them called PNG, which may be a lie; `moved` are addresses by theirs."""

    def __init__(self) -> None:
        super().__init__(Faults())
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}

    def add(self, path: str, data: bytes) -> str:
        """The address of a new file."""
        self.files[path] = data
        return self.origin + path

    def fault_error(self, behaviour: Faults) -> dict[str, str]:
        return {"error": behaviour.message}

    async def route(self, recorded: Recorded, behaviour: Faults, writer: asyncio.StreamWriter) -> bool:
        if location := self.moved.get(recorded.path):
            raise Refusal(302, "moved", {"location": location})
        data = self.files.get(recorded.path)
        if data is None:
            raise Refusal(404, "nothing here but the secret of the house")
        return await self.answer(writer, behaviour, data, content_type="image/png")
