"""Chat has two APIs at OpenAI's: what differs between them in the one flow that holds, asks and settles for both."""

from collections.abc import AsyncGenerator
from typing import Protocol

from gateway.call import Call
from gateway.providers.base import Deployment
from gateway.types import ChatAnswer, Usage


class Delivered(Protocol):
    """What of a stream passes through to the client, and what it amounts to."""

    def take(self, payloads: list[bytes]) -> list[bytes]:
        """What the client gets of what has come; usage is kept back."""
        ...

    @property
    def anything(self) -> bool:
        """Whether the client got some of the model's work."""
        ...

    @property
    def usage(self) -> Usage: ...

    def end(self, usage: Usage, charged: int) -> list[bytes]:
        """What the client gets when the stream has come to its end and `charged` millicredits are paid."""
        ...


class Dialect(Protocol):
    """How one request is asked, and its answer told."""

    def choose(self, call: Call, deployments: list[Deployment]) -> list[Deployment]:
        """Those that can answer. Notes on `call` what they leave out. Raises `InvalidValue` where there is none."""
        ...

    async def ask(self, deployment: Deployment) -> ChatAnswer:
        """The whole answer as the client gets it."""
        ...

    def stream(self, deployment: Deployment) -> AsyncGenerator[list[bytes], None]: ...

    def delivery(self, deployment: Deployment) -> Delivered: ...
