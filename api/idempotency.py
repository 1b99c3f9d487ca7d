"""`Idempotency-Key` on the wire, for both lanes: read, compared, and the answer taken down as it goes out.

The answer that is sent again is the first one to the byte: status, media type, body, and its own headers, with its
`x-request-id`, since the receipt is found by it. What belongs to the request that asks again (its limits, our time) is
its own. `idempotent-replayed: true` tells it apart.
"""

import asyncio
from hashlib import sha256

from api.body import JSON
from api.errors import error_answer, error_event
from gateway import idempotency
from gateway.call import Call
from gateway.errors import InvalidValue
from gateway.idempotency import MOST_BYTES, Answer, Claim

MOST_CHARACTERS = 255
# Of the answer's headers those that are not its own, but of the connection, or of the request that asks.
_NOT_KEPT = frozenset({"content-length", "x-arkroute-overhead-ms", "x-accel-buffering"})
# Bytes that are hashed on the event loop: in less than a millisecond.
_AT_ONCE = 256 * 1024
_EVENTS = "text/event-stream"


async def begin(call: Call, key: str, content_type: str | None, body: bytes) -> Answer | Claim:
    """The right to make the call, which is noted on it, or the answer that its like was given before.

    Raises `InvalidValue` for a header that is no key, and what `gateway.idempotency.claim` raises.
    """
    if not (1 <= len(key) <= MOST_CHARACTERS and key.isascii() and key.isprintable()):
        raise InvalidValue(
            f"`Idempotency-Key` is 1 to {MOST_CHARACTERS} printable ASCII characters: a UUID is a good one.",
            param="Idempotency-Key",
        )
    if len(body) <= _AT_ONCE:
        digest = _digest(call.endpoint, content_type or "", body)
    else:
        digest = await asyncio.to_thread(_digest, call.endpoint, content_type or "", body)
    claimed = await idempotency.claim(call.caller.user_id, key, digest, call.request_id)
    if isinstance(claimed, Claim):
        call.claim = claimed
    return claimed


def _digest(endpoint: str, content_type: str, body: bytes) -> str:
    """Of method, path and body. A form's boundary, which clients make anew each time, does not count."""
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower() or JSON.media_type
    if media_type.startswith("multipart/"):
        name, _, boundary = parameters.strip().partition("=")
        if name.strip().lower() == "boundary" and boundary:
            body = body.replace(b"--" + boundary.partition(";")[0].strip().strip('"').encode("latin-1"), b"--")
    return sha256(f"POST {endpoint}\n{media_type}\n".encode("latin-1", "replace") + body).hexdigest()


class Recording:
    """The answer of a call that has a claim, taken down as it goes out, and kept before its last piece does.

    So who has seen the end of an answer gets all of it again. What is kept: answers of 2xx, of 4xx after the hold, and
    streams as far as they went where that was charged.
    """

    def __init__(self, claim: Claim, call: Call) -> None:
        self.named = False  # whether a stream's events have names
        self._claim = claim
        self._call = call
        self._status = 0
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_over = False

    def start(self, status: int, headers: dict[str, str]) -> None:
        self._status = status
        self._headers = {name: value for name, value in headers.items() if name not in _NOT_KEPT}

    async def add(self, piece: bytes, *, more: bool) -> None:
        """Takes down a piece of the body. With the last one the answer is kept, before this returns."""
        if self._is_over:
            return
        self._size += len(piece)
        if self._size <= MOST_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
        if not more:
            await self._end()

    async def close(self) -> None:
        """The answer has ended, if not by its last piece: its client has left, or it was never begun."""
        if self._is_over:
            return
        if self._is_stream and self._call.charged:
            self._pieces.append(self._rest_is_lost())
        else:
            self._status = 0
        await self._end()

    async def _end(self) -> None:
        self._is_over = True
        if not self._is_worth_keeping:
            await self._claim.let_go()
            return
        answer = Answer(self._claim.request_id, self._status, self._headers, b"".join(self._pieces))
        self._pieces.clear()
        await self._claim.keep(answer)

    @property
    def _is_stream(self) -> bool:
        return self._status == 200 and self._headers.get("content-type", "").startswith(_EVENTS)

    @property
    def _is_worth_keeping(self) -> bool:
        if self._size > MOST_BYTES:
            return False
        if self._is_stream:
            return bool(self._call.charged)
        is_refused_after_hold = 400 <= self._status < 500 and self._call.charged is not None
        return 200 <= self._status < 300 or is_refused_after_hold

    def _rest_is_lost(self) -> bytes:
        """The event that ends what is kept of a stream whose client left: its end must not look like one."""
        body = error_answer(
            "idempotency_answer_lost",
            "The client of this stream left here. What had come until then was charged, and the rest was not made. "
            f"GET /v1/receipts/{self._claim.request_id} tells what it cost; to make it anew, send another "
            "`Idempotency-Key`.",
            param="Idempotency-Key",
        ).body
        if not self.named:
            return b"data: %b\n\n" % body
        return b"event: error\ndata: %b\n\n" % error_event(body)
