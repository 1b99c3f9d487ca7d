"""`client.sessions`, and `client.session()`: staying on the server that holds a model's state.

Sessions are for models on servers of the gateway operator's own; vendors' models have none.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from arkroute.errors import NotFoundError
from arkroute.http.call import read
from arkroute.http.cookies import SessionCookie
from arkroute.http.exchange import AsyncExchange, Exchange
from arkroute.http.options import RequestOptions
from arkroute.resources.audio import AsyncAudio, Audio
from arkroute.resources.chat import AsyncChat, Chat
from arkroute.resources.embeddings import AsyncEmbeddings, Embeddings
from arkroute.resources.resource import AsyncResource, Resource, segment
from arkroute.types import SessionDeleted, SessionList

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Sessions(Resource):
    def list(self, **options: Unpack[RequestOptions]) -> SessionList:
        """Your sessions that have not ended, the one used last first."""
        return self._ask(read("/sessions", options), SessionList)

    def delete(self, session_id: str, **options: Unpack[RequestOptions]) -> SessionDeleted:
        """Forgets a session with all that was said in it. Raises `NotFoundError` where there is none."""
        return self._ask(read(f"/sessions/{segment(session_id)}", options, method="DELETE"), SessionDeleted)


class AsyncSessions(AsyncResource):
    async def list(self, **options: Unpack[RequestOptions]) -> SessionList:
        """As `Sessions.list`."""
        return await self._ask(read("/sessions", options), SessionList)

    async def delete(self, session_id: str, **options: Unpack[RequestOptions]) -> SessionDeleted:
        """As `Sessions.delete`."""
        call = read(f"/sessions/{segment(session_id)}", options, method="DELETE")
        return await self._ask(call, SessionDeleted)


class _Kept:
    """What a session knows of itself."""

    def __init__(self, session_id: str | None, *, stateful: bool) -> None:
        # A conversation's id is made here, so that it is the same from the first turn on, whatever server answers.
        self._conversation = (session_id or str(uuid.uuid4())) if stateful else None
        self._cookie = SessionCookie(session_id)

    @property
    def id(self) -> str | None:
        """The session's id; None before its first answer, unless the gateway keeps the conversation."""
        return self._conversation or self._cookie.id

    @property
    def state(self) -> str | None:
        """What became of it in the last answer: `new`, `hit`, `moved` or `expired`."""
        return self._cookie.state


class ArkSession(_Kept):
    """Calls that stay on one server: `chat`, `embeddings` and `audio` as the client has them.

    Leaving a `with` block forgets the session on the server; without one it rests until it expires there.
    """

    def __init__(self, exchange: Exchange, session_id: str | None = None, *, stateful: bool = False) -> None:
        super().__init__(session_id, stateful=stateful)
        pinned = exchange.with_session(self._cookie)
        self.chat = Chat(pinned, stateful=self._conversation)
        self.embeddings = Embeddings(pinned)
        self.audio = Audio(pinned)
        self._sessions = Sessions(exchange)

    def delete(self) -> None:
        """Forgets the session on the server. One that is gone already is no error."""
        if self.id is None:
            return
        with suppress(NotFoundError):
            self._sessions.delete(self.id)

    def __enter__(self) -> ArkSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.delete()


class AsyncArkSession(_Kept):
    """As `ArkSession`, with `async with`."""

    def __init__(self, exchange: AsyncExchange, session_id: str | None = None, *, stateful: bool = False) -> None:
        super().__init__(session_id, stateful=stateful)
        pinned = exchange.with_session(self._cookie)
        self.chat = AsyncChat(pinned, stateful=self._conversation)
        self.embeddings = AsyncEmbeddings(pinned)
        self.audio = AsyncAudio(pinned)
        self._sessions = AsyncSessions(exchange)

    async def delete(self) -> None:
        """As `ArkSession.delete`."""
        if self.id is None:
            return
        with suppress(NotFoundError):
            await self._sessions.delete(self.id)

    async def __aenter__(self) -> AsyncArkSession:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.delete()
