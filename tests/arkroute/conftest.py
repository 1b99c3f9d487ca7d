"""Real processes: `manage.py` with an environment and a data folder of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
PATIENCE = 30  # seconds; a busy machine is slow to start a process


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A process of ours that serves on `port`; what it prints goes to a file."""

    def __init__(self, arguments: list[str], environment: dict[str, str], port: int, log: Path) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                arguments, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; the process printed:\n{self.output}"
            assert self.process.poll() is None, f"the process ended; it printed:\n{self.output}"
            time.sleep(0.02)

    def answers(self, path: str = "/healthz") -> bool:
        try:
            return httpx.get(self.url + path).status_code == 200
        except httpx.TransportError:
            return False

    def refuses_connections(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except ConnectionRefusedError:
            return True
        return False

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def exit_status(self) -> int:
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def free_port() -> int:
    return find_free_port()


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Path:
    """A copy of the database of the tests' own, while it is empty."""
    file = tmp_path_factory.mktemp("migrated") / "arkroute.sqlite3"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(file)])
    return file


@pytest.fixture
def data_folder(tmp_path: Path, migrated_database: Path) -> Path:
    """A data folder with a migrated, empty database."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(migrated_database, folder)
    return folder


@pytest.fixture
def development(data_folder: Path) -> dict[str, str]:
    return clean_environment(data_folder) | {"DEBUG": "on", "SECRET_KEY": SECRET_KEY}


@pytest.fixture
def production(data_folder: Path) -> dict[str, str]:
    return clean_environment(data_folder) | {
        "SECRET_KEY": SECRET_KEY,
        "ALLOWED_HOSTS": "api.example.com",
        "PUBLIC_URL": "https://api.example.com",
    }


@pytest.fixture
def beside(transactional_db: None, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that works on the database of the test's own.

    The test has to be marked `django_db(transaction=True)`: the process then ends before the tables are emptied.
    """
    folder = tmp_path / "beside"
    folder.mkdir()
    address = f"sqlite:///{connection.settings_dict['NAME']}"
    return clean_environment(folder) | {"DEBUG": "on", "SECRET_KEY": settings.SECRET_KEY, "DATABASE_URL": address}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*arguments: str, environment: dict[str, str], port: int) -> Running:
        command = [sys.executable, *arguments]
        running = Running(command, environment, port, tmp_path / f"output-{len(started)}")
        started.append(running)
        return running

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def serve(start: Callable[..., Running]) -> Callable[..., Running]:
    """Starts `manage.py serve` and waits until it says that it is ready."""

    def serve(environment: dict[str, str], *options: str) -> Running:
        port = find_free_port()
        running = start("manage.py", "serve", "--port", str(port), *options, environment=environment, port=port)
        running.wait_until(lambda: f"ArkRoute is ready on {running.url}" in running.output)
        return running

    return serve


def clean_environment(data: Path) -> dict[str, str]:
    """What a shell would give, and nothing of the tests' own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"ARKROUTE_DATA": str(data), "PYTHONUNBUFFERED": "1"}


def run_manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def is_running(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")
