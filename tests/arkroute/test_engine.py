"""`manage.py run_engine`: llama.cpp's own server, on a model small enough to be made here."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.arkroute.conftest import PATIENCE, ROOT, Running, is_running, run_manage
from tests.upstreams.tiny_gguf import write_tiny_gguf

HELLO = [{"role": "user", "content": "Hello!"}]


@pytest.fixture
def with_model(development: dict[str, str], tmp_path: Path) -> dict[str, str]:
    model = tmp_path / "tiny.gguf"
    write_tiny_gguf(model)
    return development | {"LOCAL_CHAT_GGUF": str(model)}


@pytest.fixture
def engine(start, with_model, free_port) -> Running:
    running = start("manage.py", "run_engine", "--port", str(free_port), environment=with_model, port=free_port)
    running.wait_until(lambda: running.answers("/health"))
    return running


def test_it_answers_chats_whole_and_streamed(engine):
    body = {"model": "smollm2-135m-instruct", "messages": HELLO, "max_tokens": 8, "ignore_eos": True}

    whole = httpx.post(f"{engine.url}/v1/chat/completions", json=body, timeout=30).json()
    assert whole["usage"]["completion_tokens"] == 8

    body |= {"stream": True, "stream_options": {"include_usage": True}}
    streamed = httpx.post(f"{engine.url}/v1/chat/completions", json=body, timeout=30).text
    assert '"usage":{"completion_tokens":8' in streamed
    assert streamed.endswith("data: [DONE]\n\n")


def test_it_keeps_to_a_json_schema(engine):
    schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
    answer = httpx.post(
        f"{engine.url}/v1/chat/completions",
        json={
            "messages": HELLO,
            "max_tokens": 200,
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        },
        timeout=30,
    )
    assert '"yes"' in answer.json()["choices"][0]["message"]["content"]


def test_a_client_that_leaves_frees_its_slot(engine):
    body = {"messages": HELLO, "max_tokens": 4000, "stream": True}
    with httpx.stream("POST", f"{engine.url}/v1/chat/completions", json=body, timeout=30) as stream:
        next(stream.iter_lines())

    engine.wait_until(
        lambda: not any(slot["is_processing"] for slot in httpx.get(f"{engine.url}/slots", timeout=30).json())
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(engine, number):
    engine.send(number)
    assert engine.exit_status() == 0


def test_without_a_model_it_says_how_to_get_one(development):
    ended = run_manage(development, "run_engine")
    assert ended.returncode != 0
    assert "make setup" in ended.stdout
    assert "LOCAL_CHAT_GGUF" in ended.stdout


def test_a_file_that_is_no_model_is_refused(development, tmp_path, free_port):
    (tmp_path / "no.gguf").write_text("no model")
    ended = run_manage(
        development | {"LOCAL_CHAT_GGUF": str(tmp_path / "no.gguf")}, "run_engine", "--port", str(free_port)
    )
    assert ended.returncode != 0
    assert "The engine did not start" in ended.stdout


def test_an_engine_elsewhere_is_not_served_here(development, with_model):
    ended = run_manage(with_model | {"ENGINE_URL": "http://gpu.example.com:8080"}, "run_engine")
    assert ended.returncode != 0
    assert "gpu.example.com" in ended.stdout


def test_it_ends_with_a_supervisor_that_was_killed(with_model, free_port):
    supervisor = (
        "import os, subprocess, sys, time\n"
        "os.environ['ARKROUTE_PARENT_PID'] = str(os.getpid())\n"
        f"child = subprocess.Popen([sys.executable, 'manage.py', 'run_engine', '--port', '{free_port}'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    command = [sys.executable, "-c", supervisor]
    with subprocess.Popen(command, cwd=ROOT, env=with_model, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + PATIENCE
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
