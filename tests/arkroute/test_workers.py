"""`run_workers`, with workers that do nothing but say who they are."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.arkroute.conftest import PATIENCE, ROOT

PROGRAM = """
import os, signal, sys
from arkroute.workers import run_workers

def work(on_ready):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STATUS))
    os.write(1, b'%d\\n' % os.getpid())  # in one piece, whoever writes at the same time
    on_ready()
    while True:
        signal.pause()

sys.exit(run_workers(2, work, lambda: None))
"""


@pytest.fixture
def start_workers() -> Iterator:
    started = []

    def start(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_worker_that_crashes_is_replaced(start_workers):
    supervisor = start_workers(PROGRAM.replace("STATUS", "0"))
    first, second = int(supervisor.stdout.readline()), int(supervisor.stdout.readline())

    os.kill(first, signal.SIGKILL)

    assert int(supervisor.stdout.readline()) not in (first, second)
    supervisor.terminate()
    assert supervisor.wait(PATIENCE) == 0


def test_a_worker_that_ends_badly_is_told(start_workers):
    supervisor = start_workers(PROGRAM.replace("STATUS", "1"))
    supervisor.stdout.readline()
    supervisor.stdout.readline()
    supervisor.terminate()
    assert supervisor.wait(PATIENCE) == 1


def test_workers_that_never_serve_end_it(start_workers):
    supervisor = start_workers(
        "import sys\nfrom arkroute.workers import run_workers\nsys.exit(run_workers(2, lambda on_ready: 3, print))"
    )
    assert supervisor.wait(PATIENCE) == 3
