"""The HTTP client against servers that answer as they should, as they may, and as they must not."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.http import HttpPool, Response, close_pools, pool

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
# The newer way to choose event loops is a hook that would choose for every test of the folder.
pytestmark = pytest.mark.filterwarnings('ignore:Overriding the "event_loop_policy" fixture')
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(
    params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"], scope="module"
)
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.fixture
async def client() -> AsyncIterator[HttpPool]:
    client = HttpPool()
    yield client
    await client.close()
    assert client.open_connections == client.idle_connections == 0


class Server:
    """Hands each connection to a handler; knows what came."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.context = context
        self.connections = 0
        self.requests: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.open = 0

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self.handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self.tasks.discard(task)
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request

    async def stop(self) -> None:
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@asynccontextmanager
async def serving(*answers: bytes, then: str = "keep", context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that writes `answers` in turn, a pause between them, and then keeps, closes or holds the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.request(reader)
            for number, answer in enumerate(answers):
                if number:
                    await asyncio.sleep(0.01)
                writer.write(answer)
                await writer.drain()
            if then == "close":
                return
            if then == "hold":
                await reader.read()
                return

    server = Server(handle, context)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def serving_with(handler: Callable[[Server], Handler]) -> AsyncIterator[Server]:
    server = Server(handler(None))  # type: ignore[arg-type]
    server.handler = handler(server)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def post(client: HttpPool, url: str, body: bytes = b"{}", **options: Any) -> Response:
    return await client.request("POST", url, body=body, **{"first_byte_timeout": 5.0, **options})


async def fault_of(work: Awaitable[Any]) -> ProviderFault:
    with pytest.raises(ProviderError) as caught:
        await work
    assert "127.0.0.1" not in caught.value.message
    return caught.value.kind


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


# --- What is sent --------------------------------------------------------------------------------------------------


async def test_a_request_is_written_as_http_wants_it(client: HttpPool) -> None:
    async with serving(OK) as server:
        headers = ((b"content-type", b"application/json"), (b"authorization", b"Bearer sk-1"))
        response = await post(client, server.url + "/v1/chat?x=1", b'{"a":1}', headers=headers)
        assert await response.read() == b"ok"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first == b"POST /v1/chat?x=1 HTTP/1.1"
    assert set(lines) == {
        f"host: 127.0.0.1:{server.port}".encode(),
        b"user-agent: ArkRoute",
        b"accept-encoding: identity",
        b"content-type: application/json",
        b"authorization: Bearer sk-1",
        b"content-length: 7",
    }
    assert body == b'{"a":1}'


async def test_a_large_body_arrives_whole(client: HttpPool) -> None:
    body = bytes(range(256)) * 20_000
    async with serving(OK) as server:
        await (await post(client, server.url, body)).read()
    assert server.requests[0].endswith(b"\r\n\r\n" + body)


async def test_a_line_break_in_a_header_is_refused(client: HttpPool) -> None:
    with pytest.raises(ValueError, match="line break"):
        await post(client, "http://127.0.0.1:1", headers=((b"a", b"b\r\nc: d"),))
    with pytest.raises(ValueError, match="line break"):
        await post(client, "http://127.0.0.1:1", headers=((b"a", b"b\r\nc"), (b"d", b"e")))


@pytest.mark.parametrize(
    "url", ["127.0.0.1:80/v1", "ftp://127.0.0.1/", "http://", "http://a:b:c/", "http://127.0.0.1/a b"]
)
async def test_an_address_that_is_none_is_unreachable(client: HttpPool, url: str) -> None:
    assert await fault_of(post(client, url)) is ProviderFault.UNREACHABLE


# --- How bodies end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "then", "body"),
    [
        ([OK], "keep", b"ok"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"ab", b"cd"], "keep", b"abcd"),
        (
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", b"3;x=y\r\ncde\r\n0\r\n\r\n"],
            "keep",
            b"abcde",
        ),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: y\r\n", b"\r\n"], "keep", b"ab"),
        ([b"HTTP/1.1 200 OK\r\n\r\nab", b"cd"], "close", b"abcd"),
        ([b"HTTP/1.0 200 OK\r\n\r\n"], "close", b""),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"], "keep", b""),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], "keep", b""),
        ([b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"], "hold", b"ok"),
        ([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", OK], "keep", b"ok"),
        ([OK[:20], OK[20:40], OK[40:]], "keep", b"ok"),
    ],
)
async def test_every_way_to_end_a_body_is_understood(
    client: HttpPool, answers: list[bytes], then: str, body: bytes
) -> None:
    async with serving(*answers, then=then) as server:
        for _ in range(2):
            response = await post(client, server.url)
            assert await response.read() == body
            assert b"link" not in response.headers
        kept = then == "keep"
        await eventually(lambda: client.open_connections == client.idle_connections == int(kept))
        assert server.connections == (1 if kept else 2)


async def test_head_has_no_body(client: HttpPool) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n") as server:
        response = await client.request("HEAD", server.url, first_byte_timeout=5)
        assert response.headers[b"content-length"] == b"999"
        assert await response.read() == b""


async def test_header_names_come_in_lower_case(client: HttpPool) -> None:
    async with serving(b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n") as server:
        response = await post(client, server.url)
        assert (response.status, response.headers[b"retry-after"]) == (429, b"7")


async def test_a_stream_is_delivered_as_it_comes(client: HttpPool) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serving(head, b"1\r\na\r\n1\r\nb\r\n", b"1\r\nc\r\n", b"0\r\n\r\n") as server:
        response = await post(client, server.url)
        assert [piece async for piece in response] == [b"ab", b"c"]
        assert client.idle_connections == 1


async def test_a_body_above_the_limit_is_broken_and_its_connection_closed(client: HttpPool) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, then="hold") as server:
        response = await post(client, server.url)
        assert await fault_of(response.read(limit=4096)) is ProviderFault.BROKEN
        await eventually(lambda: client.open_connections == server.open == 0)


async def test_a_slow_reader_stops_the_sender(client: HttpPool) -> None:
    sent = 0

    def handler(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await server.request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n")
            for _ in range(1024):
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
            await reader.read()

        return handle

    async with serving_with(handler) as server:
        response = await post(client, server.url)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 32 * 1024 * 1024  # what the sockets' buffers hold
        size = sum([len(piece) async for piece in response])
        assert size == 67108864
        assert client.idle_connections == 1


# --- Connections ---------------------------------------------------------------------------------------------------


async def test_connections_are_kept_and_the_last_used_goes_first(client: HttpPool) -> None:
    async with serving(OK, b"") as server:
        responses = await asyncio.gather(*[post(client, server.url) for _ in range(3)])
        assert [await one.read() for one in responses] == [b"ok"] * 3
        assert (server.connections, client.idle_connections) == (3, 3)
        for _ in range(5):
            await (await post(client, server.url)).read()
        assert server.connections == 3


async def test_a_connection_that_was_closed_while_idle_costs_nothing(client: HttpPool) -> None:
    async with serving(OK, then="close") as server:
        await (await post(client, server.url)).read()
        await eventually(lambda: client.open_connections == 0)
        assert await (await post(client, server.url)).read() == b"ok"


def closes_on_second_request(answer: bytes, after: float = 0.0) -> Callable[[Server], Handler]:
    """A server that answers a connection's first request, then takes one more and closes with `answer`."""

    def handler(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            writer.write(OK)
            await server.request(reader)
            await asyncio.sleep(after)
            writer.write(answer)

        return handle

    return handler


async def test_a_request_lost_on_a_stale_connection_is_repeated_once(client: HttpPool) -> None:
    async with serving_with(closes_on_second_request(b"")) as server:
        for _ in range(2):
            assert await (await post(client, server.url)).read() == b"ok"
        assert (server.connections, len(server.requests)) == (2, 3)


async def test_a_request_that_the_server_may_have_worked_on_is_not_repeated(
    client: HttpPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.providers.http.connection.STALE_SECONDS", 0.02)
    async with serving_with(closes_on_second_request(b"", after=0.1)) as server:
        await (await post(client, server.url)).read()
        assert await fault_of(post(client, server.url)) is ProviderFault.BROKEN
        assert (server.connections, len(server.requests)) == (1, 2)


async def test_a_request_that_was_answered_in_part_is_not_repeated(client: HttpPool) -> None:
    async with serving_with(closes_on_second_request(b"HTTP/1.1 2")) as server:
        await (await post(client, server.url)).read()
        assert await fault_of(post(client, server.url)) is ProviderFault.BROKEN
        assert len(server.requests) == 2


async def test_a_request_on_a_fresh_connection_is_not_repeated(client: HttpPool) -> None:
    async with serving(b"", then="close") as server:
        assert await fault_of(post(client, server.url)) is ProviderFault.BROKEN
        assert len(server.requests) == 1


async def test_a_request_that_waits_too_long_on_a_kept_connection_is_not_repeated(client: HttpPool) -> None:
    def handler(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            writer.write(OK)
            await server.request(reader)
            await reader.read()

        return handle

    async with serving_with(handler) as server:
        await (await post(client, server.url)).read()
        assert await fault_of(post(client, server.url, first_byte_timeout=0.05)) is ProviderFault.TIMEOUT
        assert len(server.requests) == 2


async def test_idle_connections_age_out(client: HttpPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.providers.http.client.IDLE_SECONDS", 0.05)
    async with serving(OK) as server:
        await (await post(client, server.url)).read()
        assert client.idle_connections == 1
        await eventually(lambda: client.open_connections == server.open == 0)


async def test_too_many_connections_are_an_overload() -> None:
    client = HttpPool(max_connections=2)
    async with serving(b"", then="hold") as server:
        waiting = [asyncio.ensure_future(post(client, server.url)) for _ in range(2)]
        await eventually(lambda: len(server.requests) == 2)
        assert await fault_of(post(client, server.url)) is ProviderFault.OVERLOADED
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await eventually(lambda: client.open_connections == 0)


async def test_an_answer_before_the_request_was_sent_gives_up_the_connection(client: HttpPool) -> None:
    def handler(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.2)

        return handle

    async with serving_with(handler) as server:
        response = await post(client, server.url, b"x" * 50_000_000)
        assert response.status == 413
        assert client.idle_connections == 0


async def test_bytes_that_nobody_asked_for_close_the_connection(client: HttpPool) -> None:
    async with serving(OK + OK, then="hold") as server:
        assert await (await post(client, server.url)).read() == b"ok"
        assert client.idle_connections == 0
    async with serving(OK, b"surprise", then="hold") as server:
        assert await (await post(client, server.url)).read() == b"ok"
        await eventually(lambda: client.open_connections == server.open == 0)


async def test_closing_a_response_closes_the_connection_or_keeps_it_at_the_end(client: HttpPool) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", then="hold") as server:
        response = await post(client, server.url)
        response.close()
        await eventually(lambda: client.open_connections == server.open == 0)
        assert [piece async for piece in response] in ([], [b"abc"])
    async with serving(OK) as server:
        response = await post(client, server.url)
        await response.read()
        response.close()
        assert client.idle_connections == 1


async def test_a_finished_response_keeps_its_connection_if_the_body_ends(client: HttpPool) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"
    async with serving(head, b"0\r\n\r\n") as server:
        response = await post(client, server.url)
        response.finish()
        await eventually(lambda: client.idle_connections == 1)
        await (await post(client, server.url)).read()
        assert server.connections == 1


async def test_a_finished_response_loses_its_connection_if_the_body_goes_on(
    client: HttpPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.providers.http.connection.LEFTOVER_SECONDS", 0.05)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\na"
    for more in (b"", b"x" * 9999):
        async with serving(head, more, then="hold") as server:
            response = await post(client, server.url)
            response.finish()
            await eventually(lambda server=server: client.open_connections == server.open == 0)


# --- Failures ------------------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_unreachable(client: HttpPool) -> None:
    async with serving(OK) as server:
        pass
    assert await fault_of(post(client, server.url)) is ProviderFault.UNREACHABLE
    assert client.open_connections == 0


async def test_an_unknown_host_is_unreachable(client: HttpPool) -> None:
    for host in ("no-such-host.invalid", f"{'a' * 70}.invalid"):
        assert await fault_of(post(client, f"http://{host}/")) is ProviderFault.UNREACHABLE


async def test_tls_to_a_server_without_it_is_unreachable(client: HttpPool, monkeypatch: pytest.MonkeyPatch) -> None:
    def greets(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\r\n")
            await reader.read()

        return handle

    async with serving_with(greets) as server:
        assert await fault_of(post(client, f"https://127.0.0.1:{server.port}")) is ProviderFault.UNREACHABLE
    monkeypatch.setattr("gateway.providers.http.client.CONNECT_SECONDS", 0.05)
    async with serving(OK) as server:  # it waits for the end of a request that never comes
        assert await fault_of(post(client, f"https://127.0.0.1:{server.port}")) is ProviderFault.UNREACHABLE
    assert client.open_connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000,
        b"\0" * 100,
    ],
)
async def test_what_is_no_answer_is_broken(client: HttpPool, answer: bytes) -> None:
    async with serving(answer, then="hold") as server:
        assert await fault_of(post(client, server.url)) is ProviderFault.BROKEN
        client_is_rid_of_it = client.open_connections - client.idle_connections
        assert client_is_rid_of_it in {0, 1}
        await eventually(lambda: client.open_connections == client.idle_connections)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ],
)
async def test_a_body_that_is_cut_is_broken_after_what_came(client: HttpPool, answer: bytes) -> None:
    async with serving(answer, then="close") as server:
        assert await fault_of((await post(client, server.url)).read()) is ProviderFault.BROKEN
        response = await post(client, server.url)
        assert await anext(response) == b"abc"
        assert await fault_of(anext(response)) is ProviderFault.BROKEN
        await eventually(lambda: client.open_connections == 0)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-"])
async def test_no_answer_in_time_is_a_timeout(client: HttpPool, answer: bytes) -> None:
    async with serving(answer, then="hold") as server:
        assert await fault_of(post(client, server.url, first_byte_timeout=0.05)) is ProviderFault.TIMEOUT
        await eventually(lambda: client.open_connections == server.open == 0)


async def test_a_stall_in_the_middle_is_a_timeout(client: HttpPool) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", then="hold") as server:
        response = await post(client, server.url, idle_timeout=0.05)
        assert await anext(response) == b"abc"
        assert await fault_of(anext(response)) is ProviderFault.TIMEOUT
        await eventually(lambda: client.open_connections == server.open == 0)


async def test_the_time_between_parts_is_counted_from_part_to_part(client: HttpPool) -> None:
    parts = [b"1\r\na\r\n"] * 20
    async with serving(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", *parts, b"0\r\n\r\n") as server:
        response = await post(client, server.url, first_byte_timeout=0.15, idle_timeout=0.15)
        assert await response.read() == b"a" * 20  # which took 0.2 seconds at least


async def test_a_reader_may_take_longer_than_the_sender_may(client: HttpPool) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab", b"cd") as server:
        response = await post(client, server.url, idle_timeout=0.05)
        await asyncio.sleep(0.15)
        assert await response.read() == b"abcd"


async def test_cancelling_closes_the_connection_wherever_it_waits(client: HttpPool) -> None:
    async def before_the_head(url: str) -> None:
        await post(client, url + "/none")

    async def in_the_body(url: str) -> None:
        response = await post(client, url + "/half")
        await response.read()

    def handler(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if b"/half" in await server.request(reader):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
            await reader.read()

        return handle

    for wait in (before_the_head, in_the_body):
        async with serving_with(handler) as server:
            task = asyncio.ensure_future(wait(server.url))
            await eventually(lambda server=server: bool(server.requests))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await eventually(lambda server=server: client.open_connections == server.open == 0)


async def test_cancelling_while_it_connects_leaks_nothing(client: HttpPool) -> None:
    async with serving(OK) as server:
        for turns in range(8):
            task = asyncio.ensure_future(post(client, server.url))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await eventually(lambda: client.open_connections == client.idle_connections)


async def test_a_late_cancel_spares_the_connections_next_user(client: HttpPool) -> None:
    """The answer is complete and its connection free again before the cancelled task gets to run."""
    async with serving(OK) as server:
        for _ in range(50):
            first = asyncio.ensure_future(post(client, server.url))
            while not client.idle_connections:  # noqa: ASYNC110
                await asyncio.sleep(0)
            first.cancel()
            second = await post(client, server.url)
            await asyncio.gather(first, return_exceptions=True)
            assert await second.read() == b"ok"


# --- TLS and event loops -------------------------------------------------------------------------------------------


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(secret + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return folder / "ca.pem", context


async def test_https_is_spoken_to_certified_servers_only(tmp_path: Path, client: HttpPool) -> None:
    authority, context = make_certificate(tmp_path)
    trusting = HttpPool(context=ssl.create_default_context(cafile=str(authority)))
    async with serving(OK, context=context) as server:
        url = f"https://localhost:{server.port}"
        assert await (await post(trusting, url)).read() == b"ok"
        assert await (await post(trusting, url)).read() == b"ok"
        assert server.connections == 1
        await trusting.close()
        assert await fault_of(post(client, url)) is ProviderFault.UNREACHABLE
        await eventually(lambda: client.open_connections == trusting.open_connections == 0)


async def test_closing_the_client_ends_what_is_under_way(client: HttpPool) -> None:
    async with serving(b"", then="hold") as server:
        task = asyncio.ensure_future(post(client, server.url))
        await eventually(lambda: len(server.requests) == 1)
        await client.close()
        assert await fault_of(task) is ProviderFault.BROKEN
        assert client.open_connections == 0


async def test_each_event_loop_has_a_client_of_its_own() -> None:
    async with serving(OK) as server:
        here = pool()
        assert pool() is here
        await (await post(here, server.url)).read()

        async def elsewhere() -> HttpPool:
            other = pool()
            await close_pools()
            return other

        assert await asyncio.to_thread(lambda: asyncio.run(elsewhere())) is not here
        assert here.open_connections == 1
        await close_pools()
        assert here.open_connections == 0
        assert pool() is not here
        await close_pools()
