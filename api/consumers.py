"""A video's events as they happen, over a websocket: `/ws/video/{task_id}/`.

The client's first message is `{"type": "auth", "key": "ark-…", "after": 0}`, since browsers send no headers with a
websocket and an address is no place for a key. Every event comes as `{"type": "event", "event": {…}}`.
"""

import asyncio
from collections import deque
from contextlib import aclosing
from time import monotonic
from typing import Any

import msgspec
from channels.generic.websocket import AsyncWebsocketConsumer
from msgspec import Struct

from accounts.keys import InvalidApiKey
from api.admit import admit, authenticate
from api.errors import to_openai
from api.express import ClientLeft
from gateway.call import new_request_id
from gateway.errors import InvalidValue
from gateway.events import Interrupted, find_log, follow

# Seconds in which the key has to come.
AUTH_SECONDS = 10.0
LARGEST_MESSAGE = 64 * 1024
# A client has nothing to say after its first message. What it says all the same is not listened to, up to a point.
MESSAGES_A_SECOND = 5
# Of Postgres' integers.
LARGEST_NUMBER = 2**31 - 1

# Codes of RFC 6455, section 7.4, and of the registry that it sets up; an error's is its HTTP status and 4000.
ALL_TOLD = 1000
TRY_ANOTHER_PROCESS = 1012
ERRORS = 4000
TOO_BIG = ERRORS + 413  # where the server itself has let it in; 1009 is the server's own
TOO_MANY_MESSAGES = ERRORS + 429
LONGEST_REASON = 123  # bytes


class Opening(Struct):
    """The first message. `after`: the number of the last event that the client knows."""

    type: str
    key: str
    after: Any = 0


class TaskEvents(AsyncWebsocketConsumer):
    # The events' hints come through one channel for the whole process, so that a socket needs none of its own.
    channel_layer_alias = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._opening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._telling: asyncio.Task[None] | None = None
        self._heard: deque[float] = deque(maxlen=MESSAGES_A_SECOND)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stop()

    async def connect(self) -> None:
        await self.accept()
        self._telling = asyncio.create_task(self._tell())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        now = monotonic()
        if len(text_data or bytes_data or "") > LARGEST_MESSAGE:
            await self._refuse(TOO_BIG, f"A message has {LARGEST_MESSAGE >> 10} KB at most.")
        elif len(self._heard) == MESSAGES_A_SECOND and now - self._heard[0] < 1:
            await self._refuse(TOO_MANY_MESSAGES, f"Send {MESSAGES_A_SECOND} messages a second at most.")
        elif not self._opening.done():
            self._opening.set_result(text_data or "")
        self._heard.append(now)

    async def _tell(self) -> None:
        """All that this socket is for, from the first message to the last event."""
        try:
            code, reason = await self._tell_all(self.scope["url_route"]["kwargs"]["task_id"])
        except ClientLeft:
            return
        except Interrupted:
            code, reason = TRY_ANOTHER_PROCESS, "The server starts anew. Connect again, with the last event's id."
        except Exception as error:
            answer = to_openai(error, new_request_id())
            code, reason = ERRORS + answer.status, msgspec.json.decode(answer.body)["error"]["message"]
        await self._end(code, reason)

    async def _tell_all(self, task_id: str) -> tuple[int, str]:
        opening = await self._receive_opening()
        authorization = f"Bearer {opening.key}"
        admitted = await admit(authorization, read=True)
        try:
            await find_log(admitted.caller.user_id, task_id)
            async with aclosing(follow(task_id, _parse_number(opening.after))) as batches:
                async for events in batches:
                    # The key may have been revoked since.
                    await authenticate(authorization)
                    for event in events:
                        await self._send_event(event.body)
        finally:
            admitted.admission.release()
        return ALL_TOLD, "This was the last event."

    async def _receive_opening(self) -> Opening:
        """Raises `InvalidApiKey` where it does not come, or is something else."""
        try:
            async with asyncio.timeout(AUTH_SECONDS):
                opening = msgspec.json.decode(await self._opening, type=Opening)
        except TimeoutError:
            raise InvalidApiKey(f"No key came within {AUTH_SECONDS:g} seconds.") from None
        except msgspec.DecodeError:
            opening = None
        if opening is None or opening.type != "auth" or not opening.key.strip():
            raise InvalidApiKey('The first message must be {"type": "auth", "key": "ark-…", "after": 0}.')
        return opening

    async def _send_event(self, body: str) -> None:
        try:
            # The event's own bytes, the same as everywhere.
            await self.send(text_data='{"type":"event","event":' + body + "}")
        except OSError as error:  # uvicorn's way to say it
            raise ClientLeft from error

    async def _refuse(self, code: int, reason: str) -> None:
        self._stop()
        await self._end(code, reason)

    async def _end(self, code: int, reason: str) -> None:
        try:
            await self.close(code, reason.encode()[:LONGEST_REASON].decode(errors="ignore"))
        except OSError:
            return  # there is nobody left to be told

    def _stop(self) -> None:
        if self._telling is not None:
            self._telling.cancel()


def _parse_number(after: Any) -> int:
    if after is None:
        return 0
    if type(after) is not int or after < 0:
        raise InvalidValue("`after` must be the id of the last event that you know, or 0.", param="after")
    return min(after, LARGEST_NUMBER)
