"""What a process does in the background, and how it puts its things away."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from arkroute import runtime as runtime_module
from arkroute.runtime import Chore, Part, Runtime
from tests.arkroute.conftest import ROOT


@pytest.fixture
def done(monkeypatch):
    """Chores of 10 milliseconds, and what they did."""
    done: list[str] = []

    async def work(name: str) -> None:
        done.append(name)
        if name == "fails":
            raise OSError("the database is away")

    chores = (
        Chore("fails", 0.01, lambda: work("fails")),
        Chore("works", 0.01, lambda: work("works")),
        Chore("job", 0.01, lambda: work("job"), Part.JOBS),
        Chore("request", 0.01, lambda: work("request"), Part.REQUESTS),
    )
    monkeypatch.setattr(runtime_module, "CHORES", chores)
    return done


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_chore_that_fails_is_tried_again_and_harms_no_other(done, caplog):
    process = Runtime()
    process.start()
    process.start()  # the first connection does it again
    await until(lambda: min(done.count(name) for name in ("fails", "works", "job")) >= 3)
    await process.drain()

    assert "the database is away" in caplog.text
    count = len(done)
    await asyncio.sleep(0.03)
    assert len(done) == count, "nothing goes on after the drain"


async def test_a_chore_is_done_at_once_and_then_after_its_time(monkeypatch):
    done: list[str] = []

    async def work() -> None:
        done.append("once")

    monkeypatch.setattr(runtime_module, "CHORES", (Chore("rare", 3600, work),))
    process = Runtime()
    process.start()
    await until(lambda: done)
    await process.drain()
    assert done == ["once"]


async def test_jobs_can_be_left_to_other_processes(done):
    process = Runtime()
    process.parts = Part.REQUESTS
    process.start()
    await until(lambda: done.count("works") >= 3)
    await process.drain()
    assert "job" not in done
    assert "request" in done


async def test_a_process_can_be_there_for_jobs_alone(done):
    process = Runtime()
    process.parts = Part.JOBS
    process.start()
    await until(lambda: min(done.count("works"), done.count("job")) >= 3)
    await process.drain()
    assert "request" not in done


def test_a_forked_child_has_a_runtime_of_its_own():
    program = """
import os
import subprocess
import sys
from arkroute.runtime import runtime
runtime().draining = True
if os.fork() == 0:
    os._exit(int(runtime().draining))
assert os.wait()[1] == 0
assert runtime().draining
"""
    # In a process of its own: this one has threads, and must not be forked.
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    setup = "import django\ndjango.setup()\n"
    subprocess.run([sys.executable, "-c", setup + program], cwd=ROOT, env=environment, check=True)
