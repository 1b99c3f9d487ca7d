"""Processes of a run: started on a core, waited for, measured, ended."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0))
# With one core everything shares it: the figures then hold the noise of the load.
GATEWAY_CORE = CORES[0]
LOAD_CORE = CORES[1] if len(CORES) > 1 else CORES[0]
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class NotStarted(Exception):
    """A process did not come up; the message says why, with the end of its log."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(**variables: str) -> dict[str, str]:
    """Of the caller's environment only what a process needs to start, so that no key or setting of theirs leaks in."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"PYTHONPATH": str(BASE_DIR), "PYTHONUNBUFFERED": "1"} | variables


class Process:
    """One process and its descendants, pinned to a core. A context manager: at its end the process has ended."""

    def __init__(self, command: list[str], *, core: int, log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})  # inherited
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                command,
                cwd=BASE_DIR,
                env=env or environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.sched_setaffinity(0, before)

    @property
    def pid(self) -> int:
        return self.popen.pid

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *exception: object) -> None:
        members = list(tree(self.pid)) if self.popen.poll() is None else []
        self.popen.terminate()
        try:
            self.popen.wait(15)
        except subprocess.TimeoutExpired:
            for pid in members:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.popen.wait()

    def wait_until_it_answers(self, port: int, path: str, *, seconds: float = 30) -> None:
        """Returns when GET `path` is answered with anything but a server's error. Raises NotStarted."""
        end = time.monotonic() + seconds
        reason = "no answer"
        while time.monotonic() < end:
            if self.popen.poll() is not None:
                raise NotStarted(f"it ended with code {self.popen.returncode}: {self.last_words()}")
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            try:
                connection.request("GET", path)
                status = connection.getresponse().status
                if status < 500:
                    return
                reason = f"GET {path} is answered with {status}"
            except OSError as error:
                reason = f"GET {path}: {error}"
            finally:
                connection.close()
            time.sleep(0.1)
        raise NotStarted(f"{reason} after {seconds:.0f} s: {self.last_words()}")

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(line.strip() for line in lines[-3:]) or "(it said nothing)"


def run_command(command: list[str], *, env: dict[str, str], log: Path, seconds: float = 90) -> str:
    """The command's standard output; raises NotStarted when it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=BASE_DIR,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotStarted(f"`{' '.join(command[1:])}` ran longer than {seconds:.0f} s") from error
    with log.open("a") as output:
        output.write(done.stdout + done.stderr)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise NotStarted(f"`{' '.join(command[1:4])}` failed: {' / '.join(last)}")
    return done.stdout


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def tree(pid: int) -> Iterator[int]:
    """The process and its descendants that live now."""
    yield pid
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        children = [Path(f"/proc/{pid}/task/{thread}/children").read_text().split() for thread in threads]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in (int(child) for of_thread in children for child in of_thread):
        yield from tree(child)


def cpu_seconds(root: int) -> float:
    """User and system time of the process tree: its living processes to the nanosecond, with their ended threads, and
    the children that they have already buried, to the tick."""
    total = 0.0
    for pid in tree(root):
        try:
            # The clock of another process: clock_getcpuclockid(3), which Python does not wrap.
            total += time.clock_gettime((~pid << 3) | 2)
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        total += (int(fields[13]) + int(fields[14])) / _TICKS_PER_SECOND
    return total


def wait_until_idle(*roots: int, seconds: float = 15) -> None:
    """Returns when the trees together use less than 3 % of a core, or when the seconds are over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = sum(map(cpu_seconds, roots))
        time.sleep(0.2)
        if sum(map(cpu_seconds, roots)) - before < 0.006:
            return
