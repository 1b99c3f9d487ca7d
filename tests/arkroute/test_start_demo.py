"""What `make run` ends in: everything starts together, says how to use it, and ends together."""

import re
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.arkroute.conftest import PATIENCE, Running, find_free_port, is_running
from tests.upstreams.tiny_gguf import write_tiny_gguf


@pytest.fixture
def start_demo(start, development, free_port, tmp_path: Path):
    model = tmp_path / "tiny.gguf"
    write_tiny_gguf(model)

    addresses = {"PORT": str(free_port), "ENGINE_URL": f"http://127.0.0.1:{find_free_port()}"}

    def start_demo(**environment: str) -> Running:
        environment = development | addresses | {"LOCAL_CHAT_GGUF": str(model)} | environment
        running = start("manage.py", "start_demo", environment=environment, port=free_port)
        running.wait_until(lambda: "Ctrl-C ends everything" in running.output)
        return running

    return start_demo


def pasted_curl(output: str) -> str:
    found = re.search(r"^curl .*(\n  .*)*", output, re.MULTILINE)
    assert found
    return found[0]


def printed_key(output: str) -> str:
    found = re.search(r"ark-[0-9A-Za-z]{40}", output)
    assert found
    return found[0]


def account_status(running: Running, key: str) -> int:
    return httpx.get(f"{running.url}/v1/account", headers={"Authorization": f"Bearer {key}"}).status_code


def end(running: Running, number: int, *, processes: int) -> int:
    """Sends the signal, and waits until nothing is left of so many processes. Returns the exit status."""
    children = [int(pid) for pid in re.findall(r"started \(pid=(\d+)\)", running.output)]
    assert len(children) == processes
    running.send(number)
    status = running.exit_status()
    deadline = time.monotonic() + PATIENCE
    while any(is_running(pid) for pid in children):
        assert time.monotonic() < deadline, running.output
        time.sleep(0.05)
    return status


def test_the_printed_curl_line_works_and_each_start_has_a_fresh_key(start_demo):
    first = start_demo()
    assert httpx.get(f"{first.url}/readyz").json()["status"] == "ready"
    done = subprocess.run(pasted_curl(first.output), shell=True, capture_output=True, text=True, timeout=PATIENCE)
    assert '"object":"chat.completion"' in done.stdout.replace(" ", ""), done.stdout + first.output
    assert end(first, signal.SIGINT, processes=2) == 0

    # Without a model everything else serves.
    second = start_demo(LOCAL_CHAT_GGUF="/nowhere/model.gguf")
    assert httpx.get(f"{second.url}/readyz").json()["engine"] == "unreachable"
    assert '"model": "sandbox-chat"' in pasted_curl(second.output)
    assert account_status(second, printed_key(first.output)) == 401
    assert account_status(second, printed_key(second.output)) == 200
    assert end(second, signal.SIGKILL, processes=1) != 0
