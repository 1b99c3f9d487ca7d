"""The express lane: the token-rate endpoints as bare ASGI, since Django's own cost per request exceeds all of ours; and
what streams as they do: transcriptions and pictures.

What is true here (auth, limits, holds, receipts, headers, errors) is true of the REST views too: both call
`api.admit`, `gateway.flows` and `api.errors`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from api.admit import Admitted, admit
from api.body import FORM, JSON, PICTURES_FORM, BodyKind, check_size, find_kind, parse_max_credits
from api.cookies import read_session_id
from api.errors import error_answer, error_event, to_openai
from api.headers import (
    EVERYWHERE,
    FOR_BROWSERS,
    call_headers,
    identity_headers,
    limit_headers,
    preflight_headers,
    replayed_headers,
)
from api.idempotency import Recording, begin
from api.origins import is_from_page
from api.sse import DONE, EventStream
from gateway.call import Call, new_request_id
from gateway.errors import InvalidJSON
from gateway.flows import chat, embeddings, images, responses, transcriptions
from gateway.idempotency import Answer
from gateway.requests.chat import parse_chat
from gateway.requests.decoding import decode_object
from gateway.requests.embeddings import parse_embedding
from gateway.requests.forms import Form, parse_form
from gateway.requests.images import AskedImage, parse_edit, parse_edit_form, parse_image
from gateway.requests.responses import parse_response
from gateway.requests.transcriptions import parse_transcription

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]
Endpoint = Callable[["Exchange", Call], Awaitable[None]]

_EVERYWHERE = [(name.encode(), value.encode()) for name, value in EVERYWHERE.items()]
_FOR_BROWSERS = [(name.encode(), value.encode()) for name, value in FOR_BROWSERS.items()]
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
# Seconds in which a body has to arrive, and one with files: it holds one of the key's slots.
BODY_SECONDS = 60
UPLOAD_SECONDS = 300
# An answer is handed to the server in pieces of so many bytes, so that a picture is not copied as a whole.
SLICE = 256 * 1024
# Seconds of a request after which it is noticed when its client leaves.
WATCH_AFTER = 0.05


class Exchange:
    """One request and its answer, on the wire."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers: Headers = dict(scope["headers"])
        if len(self.headers) != len(scope["headers"]):
            self._join_cookies()
        self.request_id = new_request_id()
        self.admitted: Admitted | None = None
        self.client_left = False
        self.recording: Recording | None = None  # where the answer is kept for an `Idempotency-Key`
        self._body = b""
        self._receive = receive
        self._send = send

    def _join_cookies(self) -> None:
        """HTTP/2 splits them into headers of their own, and not every proxy joins them. RFC 9113, section 8.2.3."""
        if cookies := [value for name, value in self.scope["headers"] if name == b"cookie"]:
            self.headers[b"cookie"] = b"; ".join(cookies)

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    async def read_body(self, kind: BodyKind) -> None:
        """Receives all of it. Raises `RequestTooLarge`, `InvalidJSON` where it does not come, `ClientLeft`."""
        check_size(int(self.headers.get(b"content-length", b"0") or 0), kind)
        seconds = BODY_SECONDS if kind is JSON else UPLOAD_SECONDS
        try:
            async with asyncio.timeout(seconds):
                self._body = await self._receive_body(kind)
        except TimeoutError:
            raise InvalidJSON(f"The body did not arrive within {seconds} seconds. Send it again.") from None

    def take_body(self) -> bytes:
        """The body, once: megabytes that nobody should hold on to while a provider is waited for."""
        body, self._body = self._body, b""
        return body

    async def answer_by_key(self, key: str, call: Call) -> bool:
        """Whether the call was made before under this `Idempotency-Key`: its answer is sent again. Else it is claimed.

        Raises what `api.idempotency.begin` raises.
        """
        begun = await begin(call, key, self.header(b"content-type"), self._body)
        if not isinstance(begun, Answer):
            self.recording = Recording(begun, call)
            return False
        self.request_id = begun.request_id
        headers = {**call_headers(call), **replayed_headers(begun)}
        content_type = (b"content-type", headers.pop("content-type").encode())
        await self.answer(begun.status, begun.body, headers, content_type)
        return True

    async def _receive_body(self, kind: BodyKind) -> bytes:
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            pieces, size = [body], len(body)
            while message.get("more_body"):
                message = await self._receive()
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                check_size(size, kind)
            body = b"".join(pieces)
        if message["type"] == "http.disconnect":
            raise ClientLeft
        return body

    async def wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    # Who has left gets nothing more: the work may outlast its client.

    async def start(self, status: int, headers: dict[str, str], content_type: tuple[bytes, bytes] = _JSON) -> None:
        if self.recording is not None:
            self.recording.start(status, {**headers, "content-type": content_type[1].decode()})
        if self.client_left:
            return
        identity = identity_headers(self.request_id, self.header(b"x-request-id"))
        limits = limit_headers(self.admitted.admission) if self.admitted else {}
        lines = [
            (name.encode(), value.encode()) for part in (identity, limits, headers) for name, value in part.items()
        ]
        if b"origin" in self.headers:
            lines += _FOR_BROWSERS
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [content_type, *_EVERYWHERE, *lines]}
        )

    async def send_body(self, body: bytes, *, more: bool = False) -> None:
        if self.recording is not None:
            await self.recording.add(body, more=more)
        await self._pass_on(body, more=more)

    async def _pass_on(self, body: bytes, *, more: bool = False) -> None:
        if not self.client_left:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def answer(
        self, status: int, body: bytes, headers: dict[str, str], content_type: tuple[bytes, bytes] = _JSON
    ) -> None:
        await self.start(status, {**headers, "content-length": str(len(body))}, content_type)
        if len(body) <= SLICE:
            await self.send_body(body)
            return
        if self.recording is not None:
            await self.recording.add(body, more=False)
        whole = memoryview(body)
        for start in range(0, len(body), SLICE):
            await self._pass_on(bytes(whole[start : start + SLICE]), more=start + SLICE < len(body))


class ClientLeft(Exception):
    """The client closed the connection: nobody is there to be answered."""


async def express(scope: Scope, receive: Receive, send: Send) -> None:
    """Serves the paths of `ROUTES`."""
    exchange = Exchange(scope, receive, send)
    method = scope["method"]
    if method == "OPTIONS":
        asked = exchange.header(b"access-control-request-headers")
        await exchange.answer(204, b"", preflight_headers(asked, "POST, OPTIONS"))
        return
    if method != "POST":
        refused = error_answer("method_not_allowed", f"{scope['path']} takes POST, not {method}.")
        await exchange.answer(refused.status, refused.body, {**refused.headers, "allow": "POST, OPTIONS"})
        return
    route = ROUTES[scope["path"]]
    call: Call | None = None
    try:
        exchange.admitted = await admit(exchange.header(b"authorization"))
        call = Call(
            caller=exchange.admitted.caller,
            endpoint=route.endpoint,
            request_id=exchange.request_id,
            max_credits=parse_max_credits(exchange.header(b"x-arkroute-max-credits")),
            cookie_session_id=read_session_id(exchange.header(b"cookie")),
            from_page=is_from_page(exchange.header(b"origin"), exchange.header(b"host")),
        )
        await exchange.read_body(find_kind(exchange.header(b"content-type"), route.takes))
        key = exchange.header(b"idempotency-key")
        if key is not None and await exchange.answer_by_key(key, call):
            return
        await serve_unless_client_leaves(exchange, route.serve, call)
    except ClientLeft:
        return
    except Exception as error:
        answer = to_openai(error, exchange.request_id)
        headers = call_headers(call) if call else {}
        await exchange.answer(answer.status, answer.body, headers | answer.headers)
    finally:
        if exchange.recording is not None:
            await exchange.recording.close()
        if exchange.admitted is not None:
            exchange.admitted.admission.release()


async def serve_unless_client_leaves(exchange: Exchange, serve: Endpoint, call: Call) -> None:
    """Runs `serve`; when the client closes the connection it is cancelled, so that the provider is let go: at once, or
    when the call has lingered.

    What the cancellation means for money is the charge's to say. The server waits at its own end for a call that
    lingers as for any other. The connection is watched from a moment on, since a watch costs more than many an answer.
    """
    work = asyncio.current_task()
    assert work is not None
    watch: asyncio.Task[None] | None = None

    async def cancel_when_left() -> None:
        await exchange.wait_for_disconnect()
        exchange.client_left = call.client_left = True
        if call.linger:
            await asyncio.sleep(call.linger)
        work.cancel()

    def start_watching() -> None:
        nonlocal watch
        watch = asyncio.ensure_future(cancel_when_left())

    timer = asyncio.get_running_loop().call_later(WATCH_AFTER, start_watching)
    try:
        await serve(exchange, call)
    except asyncio.CancelledError:
        if not exchange.client_left:
            raise
        work.uncancel()
        raise ClientLeft from None
    finally:
        timer.cancel()
        if watch is not None:
            watch.cancel()


async def _chat_completions(exchange: Exchange, call: Call) -> None:
    request = parse_chat(decode_object(exchange.take_body()))
    if request.stream:
        await _stream(exchange, call, chat.stream(call, request))
    else:
        answer = msgspec.json.encode(await chat.complete(call, request))
        await exchange.answer(200, answer, call_headers(call))


async def _responses(exchange: Exchange, call: Call) -> None:
    request = parse_response(decode_object(exchange.take_body()))
    if request.chat.stream:
        await _stream(exchange, call, responses.stream(call, request), mark=b"", named=True)
    else:
        answer = msgspec.json.encode(await responses.complete(call, request))
        await exchange.answer(200, answer, call_headers(call))


async def _embeddings(exchange: Exchange, call: Call) -> None:
    answer = await embeddings.embed(call, parse_embedding(decode_object(exchange.take_body())))
    await exchange.answer(200, msgspec.json.encode(answer), call_headers(call))


async def _image_generations(exchange: Exchange, call: Call) -> None:
    await _images(exchange, call, parse_image(decode_object(exchange.take_body())))


async def _image_edits(exchange: Exchange, call: Call) -> None:
    if find_kind(exchange.header(b"content-type"), EDITS) is JSON:
        await _images(exchange, call, parse_edit(decode_object(exchange.take_body())))
    else:
        await _images(exchange, call, parse_edit_form(await _form(exchange)))


async def _images(exchange: Exchange, call: Call, asked: AskedImage) -> None:
    if asked.stream:
        await _stream(exchange, call, images.stream(call, asked), mark=b"", named=True)
    else:
        answer = msgspec.json.encode(await images.generate(call, asked))
        await exchange.answer(200, answer, call_headers(call))


async def _transcriptions(exchange: Exchange, call: Call) -> None:
    asked = parse_transcription(await _form(exchange))
    if asked.stream:
        await _stream(exchange, call, transcriptions.stream(call, asked), mark=b"")
        return
    answer = await transcriptions.transcribe(call, asked)
    if isinstance(answer, str):
        await exchange.answer(200, answer.encode(), call_headers(call), _TEXT)
    else:
        await exchange.answer(200, msgspec.json.encode(answer), call_headers(call))


async def _form(exchange: Exchange) -> Form:
    """The fields and files of a multipart body, read in a thread."""
    content_type = exchange.header(b"content-type") or ""
    return await asyncio.to_thread(parse_form, exchange.take_body(), content_type)


async def _stream(
    exchange: Exchange,
    call: Call,
    chunks: AsyncGenerator[list[bytes], None],
    *,
    mark: bytes = DONE,
    named: bool = False,
) -> None:
    """Sends `chunks` as server-sent events. An error before the first is an HTTP error, after it an event."""

    def headers() -> dict[str, str]:
        # A comment may have to go out before the replica answers: a client that waits long needs its session most.
        call.session = call.session or call.expected_session
        return call_headers(call)

    events = EventStream(exchange, headers, named=named)
    if exchange.recording is not None:
        exchange.recording.named = named
    try:
        async for payloads in chunks:
            await events.send(payloads)
        await events.end(mark)
    except Exception as error:
        if not events.started:
            raise
        body = to_openai(error, exchange.request_id).body
        await events.fail(error_event(body) if named else body)
    finally:
        events.close()
        await chunks.aclose()


# An edit comes as OpenAI's form, or as JSON.
EDITS = (PICTURES_FORM, JSON)


class Route(NamedTuple):
    """`endpoint` is how receipts name it."""

    endpoint: str
    serve: Endpoint
    takes: tuple[BodyKind, ...]


def _routes() -> dict[str, Route]:
    """Each path with and without `/v1`, with and without a slash at its end."""
    endpoints: dict[str, tuple[Endpoint, tuple[BodyKind, ...]]] = {
        "/chat/completions": (_chat_completions, (JSON,)),
        "/responses": (_responses, (JSON,)),
        "/embeddings": (_embeddings, (JSON,)),
        "/audio/transcriptions": (_transcriptions, (FORM,)),
        "/images/generations": (_image_generations, (JSON,)),
        "/images/edits": (_image_edits, EDITS),
    }
    return {
        f"{prefix}{path}{slash}": Route(f"/v1{path}", serve, takes)
        for path, (serve, takes) in endpoints.items()
        for prefix in ("/v1", "")
        for slash in ("", "/")
    }


ROUTES = _routes()
