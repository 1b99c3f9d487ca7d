"""What every fake provider is: a real HTTP server in a thread of its own, which records, and fails as servers do.

    class FakeVendor(FakeServer[Faults]):
        def fault_error(self, behaviour): ...     # the vendor's shape of an error that it was told to answer
        async def route(self, recorded, behaviour, writer):
            if "prompt" not in recorded.body:
                raise Refusal(400, {"error": "no prompt"})
            return await self.answer(writer, behaviour, {"data": []})

    with FakeVendor() as upstream:
        upstream.base_url                              # "http://127.0.0.1:<port>"
        upstream.behaviour = Faults(status=503)        # until set otherwise
        upstream.requests[-1].body["prompt"]           # what it was sent
        upstream.kill()                                # as `kill -9` does
        upstream.start_again()                         # at the same address

Being in a thread, it serves tests in the same process and live gateways alike. A request can ask for a behaviour of its
own by markers in its prompt, which go on top of `behaviour`: `upstream:die_after=3 upstream:no_usage`. A marker's name
is a field of the behaviour.
"""

import asyncio
import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Generic, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

MARKER = re.compile(r"upstream:(\w+)(?:=([^\s\"\\]+))?")


@dataclass
class Faults:
    """How to fail. The defaults are those of a provider in good health. Times are in seconds."""

    # Errors before an answer. `status` 429 with `code` and `retry_after`; `fail_times` limits them to so many requests.
    status: int = 200
    code: str = ""
    error_type: str = ""
    message: str = "the fake provider was told to fail"
    retry_after: str = ""
    fail_times: int = 1_000_000
    html: bool = False  # an HTML page, with `status`
    raw_body: str = ""  # this body, with `status`
    bad_json: bool = False
    garbage: bool = False  # no HTTP at all
    refuse: bool = False  # closes the connection without an answer
    hang: bool = False  # never answers
    delay: float = 0.0  # before the first byte
    # Faults in the middle of a stream, after so many events; of a whole answer, after half its bytes.
    die_after: int = -1  # the connection is cut
    stall_after: int = -1  # nothing more comes
    error_after: int = -1  # an error as an event
    bad_chunk_after: int = -1  # an event that is no JSON
    # How a stream is written.
    chunk_delay: float = 0.0
    split: int = 0  # in writes of so many bytes
    crlf: bool = False
    comments: bool = False
    # After the answer.
    close_idle: bool = False  # closes the connection without having said so


B = TypeVar("B", bound=Faults)


@dataclass
class Recorded:
    """A request as it arrived. `body` is the JSON, or a form's fields, those named `…[]` as lists; `files` are a form's
    files, as (name, type, bytes), and `filenames` what they are called. `query` is what follows `?` in the path."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: int
    files: list[tuple[str, str, bytes]] = field(default_factory=list)
    filenames: list[str] = field(default_factory=list)
    query: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request that the server answers with an error of its own: `body`, in its vendor's shape."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body)
        self.status = status
        self.body = body
        self.headers = headers or {}


class FakeServer(ABC, Generic[B]):
    """A context manager. A vendor's fake says how it answers: `route`, and how it words an error: `fault_error`."""

    def __init__(self, behaviour: B) -> None:
        self._health = behaviour
        self.behaviour = replace(behaviour)
        self.requests: list[Recorded] = []
        self.connections = 0  # made so far
        self.open_connections = 0
        self.port = 0
        self._failures = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    @abstractmethod
    def fault_error(self, behaviour: B) -> Any:
        """The body of an error of `behaviour`'s status, code and message; also as an event in a stream."""

    @abstractmethod
    async def route(self, recorded: Recorded, behaviour: B, writer: asyncio.StreamWriter) -> bool:
        """Answers a request; whether the connection is good for another. Raises `Refusal` for what it does not take."""

    def prompt(self, recorded: Recorded) -> Any:
        """The part of a request in which markers are looked for."""
        return recorded.body

    @property
    def base_url(self) -> str:
        return self.origin

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Back to good health, with nothing recorded."""
        self.behaviour = replace(self._health)
        self.requests.clear()
        self._failures = 0

    def kill(self) -> None:
        """Nobody listens any more, and every connection ends where it is."""
        self._run_there(self._die())

    def start_again(self) -> None:
        self._run_there(self._listen())

    async def answer(
        self,
        writer: asyncio.StreamWriter,
        behaviour: Faults,
        answer: Any,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> bool:
        """Writes a 200: JSON, or bytes as they are."""
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        if behaviour.bad_json:
            content = content[:-10]
        opening = head(200, len(content), content_type, headers)
        if behaviour.die_after >= 0 or behaviour.stall_after >= 0:
            writer.write(opening + content[: len(content) // 2])
            await writer.drain()
            if behaviour.stall_after >= 0:
                await asyncio.sleep(3600)
            return False
        writer.write(opening + content)
        return True

    async def stream(
        self,
        writer: asyncio.StreamWriter,
        behaviour: B,
        events: Iterator[dict[str, Any] | str],
        *,
        named: bool = False,
        done: bool = False,
    ) -> bool:
        """Writes a stream of events. `named`: with their `type` as `event:`, too; `done`: and `[DONE]` at the end."""
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        end = b"\r\n" if behaviour.crlf else b"\n"

        async def send(payload: bytes, name: str = "") -> None:
            event = b"data: " + payload + 2 * end
            if name:
                event = b"event: " + name.encode() + end + event
            if behaviour.comments:
                event = b": keep-alive" + 2 * end + event
            size = behaviour.split or len(event)
            for start in range(0, len(event), size):
                part = event[start : start + size]
                writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                if behaviour.split:
                    await writer.drain()
                    await asyncio.sleep(0)
            await writer.drain()
            await asyncio.sleep(behaviour.chunk_delay)

        for number, event in enumerate(events):
            if number == behaviour.die_after:
                return False
            if number == behaviour.stall_after:
                await asyncio.sleep(3600)
            if number == behaviour.error_after:
                await send(json.dumps(self.fault_error(behaviour)).encode())
                return False
            if number == behaviour.bad_chunk_after:
                await send(b'{"choices": [')
            name = event.get("type", "") if named and isinstance(event, dict) else ""
            await send((event if isinstance(event, str) else json.dumps(event)).encode(), name)
        if done:
            await send(b"[DONE]")
        writer.write(b"0\r\n\r\n")
        return True

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    def _run_there(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        await self._listen()
        self._ready.set()
        await self._stop.wait()
        await self._die()

    async def _listen(self) -> None:
        """At a port of the system's choice at first, at the same one ever after."""
        self._server = await asyncio.start_server(self._on_connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _die(self) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        number = self.connections
        early = b""  # the first byte of the next request, if it came while the last was answered
        try:
            while True:
                recorded = await _read_request(reader, early, number)
                self.requests.append(recorded)
                answer = asyncio.ensure_future(self._answer(recorded, writer))
                more = asyncio.ensure_future(reader.read(1))
                try:
                    await asyncio.wait({answer, more}, return_when=asyncio.FIRST_COMPLETED)
                    if more.done() and not more.result():
                        break  # a client that leaves ends the answer, wherever it is
                    if not await answer:
                        break
                finally:
                    answer.cancel()
                    more.cancel()
                    await asyncio.gather(answer, more, return_exceptions=True)
                early = b"" if more.cancelled() else more.result()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _answer(self, recorded: Recorded, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is good for another request."""
        behaviour = _with_markers(self.behaviour, self.prompt(recorded))
        if behaviour.refuse:
            return False
        if behaviour.hang:
            await asyncio.sleep(3600)
        await asyncio.sleep(behaviour.delay)
        if behaviour.garbage:
            writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
            return False
        failing = behaviour.status != 200 or behaviour.html or behaviour.raw_body
        if failing and self._failures < behaviour.fail_times:
            self._failures += 1
            self._fail(writer, behaviour)
        else:
            try:
                if not await self.route(recorded, behaviour, writer):
                    return False
            except Refusal as refusal:
                write(writer, refusal.status, refusal.body, refusal.headers)
        await writer.drain()
        return not behaviour.close_idle

    def _fail(self, writer: asyncio.StreamWriter, behaviour: B) -> None:
        headers = {"retry-after": behaviour.retry_after} if behaviour.retry_after else {}
        if behaviour.html or behaviour.raw_body:
            content = (behaviour.raw_body or "<html><body><h1>502 Bad Gateway</h1></body></html>").encode()
            kind = "text/html" if behaviour.html else "application/json"
            writer.write(head(behaviour.status, len(content), kind, headers) + content)
        else:
            write(writer, behaviour.status, self.fault_error(behaviour), headers)


def head(
    status: int, length: int, content_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> bytes:
    """The opening of an answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}", f"content-length: {length}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "x-request-id: req_upstream", "", ""]).encode()


def write(writer: asyncio.StreamWriter, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
    """A whole answer in JSON."""
    content = json.dumps(body).encode()
    writer.write(head(status, len(content), headers=headers) + content)


async def _read_request(reader: asyncio.StreamReader, early: bytes, connection: int) -> Recorded:
    first, *lines = (early + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    address = urlsplit(target)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    recorded = Recorded(method, address.path, headers, {}, connection, query=dict(parse_qsl(address.query)))
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        form = BytesParser(policy=HTTP).parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + content)
        for part in form.iter_parts():
            name, data = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
            if part.get_filename():
                recorded.files.append((name, part.get_content_type(), data))
                recorded.filenames.append(part.get_filename())
            elif name.endswith("[]"):
                recorded.body.setdefault(name, []).append(data.decode())
            else:
                recorded.body[name] = data.decode()
    elif content_type.startswith("application/x-www-form-urlencoded"):
        recorded.body = dict(parse_qsl(content.decode(), keep_blank_values=True))
    elif content:
        recorded.body = json.loads(content)
    return recorded


def _with_markers(behaviour: B, prompt: Any) -> B:
    """The behaviour that the prompt asks for."""
    text = json.dumps(prompt)
    if "upstream:" not in text:
        return behaviour
    wanted: dict[str, Any] = {}
    kinds = {one.name: type(one.default) for one in fields(behaviour)}
    for name, value in MARKER.findall(text):
        kind = kinds[name]
        if kind is bool:
            wanted[name] = value not in {"0", "off", "false"}
        else:
            wanted[name] = kind(value)
    return replace(behaviour, **wanted)
