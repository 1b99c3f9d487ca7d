"""`manage.py serve`, from the outside: what it refuses, what it says, and how it ends."""

import signal
import socket
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder

from tests.arkroute.conftest import run_manage
from tests.services import redis_url


class HalfARequest:
    """A request whose body is still on its way; the server must wait for the rest."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        head = f"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 10\r\n\r\n"
        self._socket.sendall(head.encode() + b"12345")

    def finish(self) -> bytes:
        """Sends the rest. Returns the whole answer."""
        self._socket.sendall(b"67890")
        answer = b""
        while part := self._socket.recv(65536):
            answer += part
        return answer


def test_it_tells_when_it_is_ready_answers_the_probes_and_ends_on_sigint(serve, development):
    running = serve(development)

    assert httpx.get(f"{running.url}/healthz").json() == {"status": "ok"}
    assert running.output.count("\n") == 1
    answer = httpx.get(f"{running.url}/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "database": "ok", "engine": "unreachable"}
    assert "server" not in answer.headers

    # A websocket that nobody serves is refused.
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert httpx.get(f"{running.url}/ws/nothing/", headers=handshake).status_code in (403, 404)
    assert "Traceback" not in running.output

    running.send(signal.SIGINT)
    assert running.exit_status() == 0


def test_sigterm_gives_notice_and_lets_what_is_in_flight_end(serve, development):
    running = serve(development)
    request = HalfARequest(running.port)

    running.send(signal.SIGTERM)
    running.wait_until(lambda: httpx.get(f"{running.url}/readyz").status_code == 503)
    assert httpx.get(f"{running.url}/healthz").status_code == 200, "it still listens"
    running.wait_until(running.refuses_connections)

    assert request.finish().startswith(b"HTTP/1.1 403 ")  # a form without its CSRF token
    assert running.exit_status() == 0


def test_a_second_signal_forces_the_end(serve, development):
    running = serve(development)
    HalfARequest(running.port)
    running.send(signal.SIGTERM)
    running.wait_until(lambda: httpx.get(f"{running.url}/readyz").status_code == 503)

    running.send(signal.SIGTERM)

    assert running.exit_status() == 1


def test_without_its_database_it_is_alive_and_not_ready(serve, development, data_folder: Path):
    running = serve(development)
    for file in data_folder.glob("arkroute.sqlite3*"):
        file.unlink()
    (data_folder / "arkroute.sqlite3").write_text("This is no database. " * 100)

    answer = httpx.get(f"{running.url}/readyz")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert answer.json()["database"] == "unreachable"
    assert httpx.get(f"{running.url}/healthz").status_code == 200


def test_workers_share_the_port_and_end_together(serve, development):
    running = serve(development | {"REDIS_URL": redis_url()}, "--workers", "2")
    assert httpx.get(f"{running.url}/readyz").json()["redis"] == "ok"

    running.send(signal.SIGTERM)

    assert running.exit_status() == 0
    assert running.output.count("is ready on") == 1


def test_more_workers_need_redis():
    with pytest.raises(CommandError, match="needs REDIS_URL"):
        call_command("serve", workers=2)


def test_a_database_without_its_migrations_is_refused(db):
    MigrationRecorder.Migration.objects.filter(app="gateway").delete()
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        call_command("serve")


def test_a_taken_port_is_named(development):
    """It is said in one line, by a process that ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_manage(development, "serve", "--port", str(port))
    assert ended.returncode != 0
    assert f"Cannot listen on 127.0.0.1:{port}" in ended.stdout


def test_runserver_serves_the_same_through_daphne(start, development, free_port):
    running = start("manage.py", "runserver", "--noreload", str(free_port), environment=development, port=free_port)
    running.wait_until(running.answers)
    assert httpx.get(f"{running.url}/readyz").json()["database"] == "ok"
    assert "daphne" in httpx.get(f"{running.url}/healthz").headers["server"].lower()


@pytest.mark.parametrize("arguments", [["--port", "9000"], ["--port=9000"], ["--host", "::1", "--port", "9000"]])
def test_the_option_port_is_the_variable_port(arguments, monkeypatch):
    import manage

    monkeypatch.setenv("PORT", "8000")
    manage.take_port(arguments)
    assert manage.os.environ["PORT"] == "9000"
