"""The conversation that the gateway keeps for an `ark_stateful` client, which sends what is new alone.

    async with conversation(call, request, deployments) as turn:  # now `request` holds the whole conversation
        answer = …
        turn.hear(answer)

A turn is kept when its block ends well and the whole reply was heard; one that fails or is cut leaves no trace, so that
its client sends it again.
"""

import asyncio
import logging
from time import time
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import msgspec
from django.conf import settings

from gateway.call import Call
from gateway.catalog.schema import Model
from gateway.errors import ContextLengthExceeded, InvalidValue, Overloaded, SessionBusy
from gateway.providers.base import Deployment
from gateway.requests.chat import estimate_messages
from gateway.requests.support import check_support
from gateway.sessions import current_store
from gateway.sessions.reply import join_reply, read_reply
from gateway.sessions.store import Messages, StoreUnavailable
from gateway.types import ChatRequest

logger = logging.getLogger(__name__)

# Of one conversation as it is sent to the model: JSON of about 300,000 tokens, beyond what open models read. The reply
# to the last turn within them is kept, too.
MOST_BYTES = 1024 * 1024
MOST_MESSAGES = 1000

_SYSTEM = frozenset({"system", "developer"})


class Turn:
    """A request that says all by itself: nothing is added to it, and nothing kept."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def hear(self, answer: dict[str, Any]) -> None:
        """Takes the whole reply from OpenAI's `chat.completion`."""

    def hear_chunks(self, chunks: list[bytes]) -> None:
        """Takes a part of the reply: chunks of a stream that were delivered, as JSON."""

    def end(self) -> None:
        """The chunks that were heard are the whole reply."""


_LONE_TURN = Turn()


def conversation(call: Call, request: ChatRequest, deployments: list[Deployment]) -> Turn:
    """A block that answers one turn; of a conversation, if `request` is `ark_stateful`.

    Raises `InvalidValue` where no conversation can be kept. Entering the block raises `SessionBusy` during another
    turn, `ContextLengthExceeded` beyond our bounds, `InvalidValue` where the model does not take what was said before,
    `Overloaded` where the store is away; nothing has been held then.
    """
    if not request.stateful:
        return _LONE_TURN
    if not settings.SESSIONS_ENABLED:
        raise InvalidValue(
            "Sessions are turned off here. Leave out `ark_stateful`, and send the whole conversation.",
            param="ark_stateful",
        )
    first = deployments[0]
    if first.replica is None or first.stand_in:
        raise InvalidValue(
            f"`{request.model}` keeps no sessions: it does not run on servers of our own. Leave out `ark_stateful`, "
            "and send the whole conversation.",
            param="ark_stateful",
        )
    return StatefulTurn(call, request, first.model)


class StatefulTurn(Turn):
    """One turn of a conversation. Its session is locked from the block's beginning to its end."""

    def __init__(self, call: Call, request: ChatRequest, model: Model) -> None:
        self._call = call
        self._request = request
        self._model = model
        self._owner = call.caller.user_id
        self._store = current_store()
        self._session_id = ""
        self._chunks: list[bytes] = []
        self._reply: dict[str, Any] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._session_id = await self._find_session()
            if not await self._store.lock(self._owner, self._session_id):
                raise SessionBusy(
                    f"Another turn of session `{self._session_id}` is under way. Send this one when it has ended."
                )
            try:
                self._recall(await self._store.read_conversation(self._owner, self._session_id))
            except BaseException:
                await self._unlock()
                raise
        except StoreUnavailable as error:
            raise Overloaded("The sessions cannot be reached. Nothing was charged; try again.") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self._keep()
        finally:
            await self._unlock()

    def hear(self, answer: dict[str, Any]) -> None:
        self._reply = read_reply(answer)

    def hear_chunks(self, chunks: list[bytes]) -> None:
        self._chunks += chunks

    def end(self) -> None:
        self._reply = join_reply(self._chunks)

    async def _find_session(self) -> str:
        """The id of the session that goes on, or begins. Notes it for whoever seats the call."""
        call = self._call
        if isinstance(self._request.stateful, str):
            call.named_session_id = self._request.stateful
            return call.named_session_id
        if call.cookie_session_id:
            found = await self._store.find(self._owner, call.cookie_session_id)
            if found is not None and not found.is_idle(time(), settings.SESSION_IDLE_SECONDS):
                return found.id
        call.new_session_id = str(uuid4())
        return call.new_session_id

    def _recall(self, kept: Messages) -> None:
        """Puts what was said before into the request. Its own system messages replace the old ones."""
        request = self._request
        system, said = _part(request.messages)
        old_system, said_before = _part(kept)
        recalled = said_before if system else [*old_system, *said_before]
        messages = [*(system or old_system), *said_before, *said]
        size = len(msgspec.json.encode(messages))
        if len(messages) > MOST_MESSAGES or size > MOST_BYTES:
            raise ContextLengthExceeded(
                f"The conversation of session `{self._session_id}` would have {len(messages):,} messages and "
                f"{size:,} bytes, of at most {MOST_MESSAGES:,} and {MOST_BYTES:,} that are kept. Nothing was charged. "
                f"Begin another session, or end this one with DELETE /v1/sessions/{self._session_id}.",
                param="messages",
            )
        request.messages = messages
        request.input_tokens += estimate_messages(recalled)
        # What was said before may have been said to a model that can do more.
        check_support(self._model, request)

    async def _keep(self) -> None:
        """Adds the turn to the conversation. The answer stands whatever becomes of this."""
        session, reply = self._call.session, self._reply
        kept = False
        # Where its session could not be stored, the client was told of none.
        if session is not None and reply is not None:
            messages = [*self._request.messages, reply]
            try:
                kept = await self._store.write_conversation(self._owner, session.id, messages)
            except StoreUnavailable:
                kept = False
        if not kept:
            logger.warning("%s: this turn of its session is not kept", self._call.request_id)

    async def _unlock(self) -> None:
        # A client that leaves now does not lock itself out.
        await asyncio.shield(self._store.unlock(self._owner, self._session_id))


def _part(messages: Messages) -> tuple[Messages, Messages]:
    """The system messages, and what was said."""
    system = [message for message in messages if message["role"] in _SYSTEM]
    return system, [message for message in messages if message["role"] not in _SYSTEM]
