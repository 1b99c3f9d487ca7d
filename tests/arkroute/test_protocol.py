"""How answers leave, and clients that do not take them."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn

from arkroute import protocol

PIECE = b"x" * 65_536


async def application(scope, receive, send) -> None:
    """Two small pieces, or many large ones."""
    large = scope["path"] == "/large"
    length = len(PIECE) * 1000 if large else 4
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % length)]})
    for _ in range(1000 if large else 2):
        await send({"type": "http.response.body", "body": PIECE if large else b"ab", "more_body": True})
    await send({"type": "http.response.body"})


@pytest.fixture
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=protocol.Protocol, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def ask(port: int, request: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(request)
    return connection


def test_head_and_body_arrive_in_one_piece(port: int) -> None:
    with ask(port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") as connection:
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\nabab")


def test_a_large_answer_arrives_whole(port: int) -> None:
    received = 0
    with ask(port, b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n") as connection:
        while part := connection.recv(1 << 20):
            received += len(part)
    assert received > len(PIECE) * 1000


def test_a_client_that_does_not_read_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    lose = protocol.Protocol.connection_lost

    def connection_lost(self: protocol.Protocol, exc: Exception | None) -> None:
        lose(self, exc)
        given_up.set()

    monkeypatch.setattr(protocol.Protocol, "connection_lost", connection_lost)
    monkeypatch.setattr(protocol, "PATIENCE_WITH_READERS", 0.2)
    with ask(port, b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n") as connection:
        assert given_up.wait(20)
        received = 0
        with suppress(ConnectionResetError):  # or an end before the answer's
            while part := connection.recv(1 << 20):
                received += len(part)
    assert received < len(PIECE) * 1000


def test_what_is_not_http_is_refused_in_json(port: int) -> None:
    with ask(port, b"HELLO\r\n\r\n") as connection:
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'{"error":{"message":"' in answer
    assert b"x-request-id: req_" in answer
