"""`manage.py run_engine`: its process, and chats, on a model small enough to be made here."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.arkroute.conftest import PATIENCE, ROOT, Running, is_running, run_manage
from tests.arkroute.engines import engine_environment, running_engine
from tests.models import models_folder
from tests.upstreams.tiny_gguf import TOKENS, write_tiny_gguf

HELLO = [{"role": "user", "content": "Hello!"}]
# The tiny model's bytes are no UTF-8, which no real model writes, and which llama.cpp does not accept as JSON.
ASCII_ONLY = {str(TOKENS.index(f"<0x{byte:02X}>")): -100 for byte in range(128, 256)}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    model = tmp_path / "tiny.gguf"
    write_tiny_gguf(model)
    return engine_environment(tmp_path, model)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine")
    write_tiny_gguf(folder / "tiny.gguf")
    with running_engine(folder, engine_environment(folder, folder / "tiny.gguf")) as running:
        yield running


def chat(engine: Running, **fields) -> httpx.Response:
    body = {"messages": HELLO, "max_tokens": 8, "ignore_eos": True} | fields
    return httpx.post(f"{engine.url}/v1/chat/completions", json=body, timeout=30)


def test_it_answers_chats_whole_and_streamed(engine):
    assert chat(engine).json()["usage"]["completion_tokens"] == 8

    streamed = chat(engine, stream=True, stream_options={"include_usage": True})
    assert streamed.headers["content-type"] == "text/event-stream"
    assert '"usage":{"completion_tokens":8' in streamed.text
    assert streamed.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_object"},
        {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "schema": {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]},
            },
        },
    ],
    ids=lambda form: form["type"],
)
def test_it_keeps_to_a_form_of_json(engine, form):
    answer = chat(engine, response_format=form, logit_bias=ASCII_ONLY, max_tokens=200, ignore_eos=False)
    assert answer.json()["choices"][0]["message"]["content"].lstrip().startswith("{")


def test_errors_of_the_server_behind_it_are_kept(engine):
    answer = chat(engine, messages=[{"role": "user", "content": "x" * 5000}])
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "exceed_context_size_error"


def test_a_client_that_leaves_frees_its_slot(engine):
    body = {"messages": HELLO, "max_tokens": 4000, "stream": True, "ignore_eos": True}
    with httpx.stream("POST", f"{engine.url}/v1/chat/completions", json=body, timeout=30) as stream:
        next(stream.iter_lines())

    engine.wait_until(
        lambda: not any(slot["is_processing"] for slot in httpx.get(f"{engine.url}/slots", timeout=30).json())
    )


def test_its_slots_can_be_chosen_and_keep_their_prompts(engine):
    assert httpx.get(f"{engine.url}/props").json()["total_slots"] == 4
    long = [{"role": "user", "content": "a story " * 30}]
    chat(engine, messages=long, id_slot=2, cache_prompt=True)
    again = chat(engine, messages=[*long, *HELLO], id_slot=2, cache_prompt=True)
    assert again.json()["usage"]["prompt_tokens_details"]["cached_tokens"] > 200


def cached_after_another_used_the_slot(engine: Running) -> int:
    first, second = ([{"role": "user", "content": f"{word} " * 60}] for word in ("river", "stone"))
    for messages in (first, second):
        chat(engine, messages=messages, id_slot=1, cache_prompt=True)
    return chat(engine, messages=first, id_slot=1).json()["usage"]["prompt_tokens_details"]["cached_tokens"]


def test_a_prompt_that_lost_its_slot_is_kept_in_memory_unless_that_is_turned_off(engine, environment, tmp_path):
    assert cached_after_another_used_the_slot(engine) > 300
    with running_engine(tmp_path, environment, "--prompt-cache-mib", "0") as without:
        assert cached_after_another_used_the_slot(without) < 100


def test_it_lists_the_models_that_are_there(engine):
    models = httpx.get(f"{engine.url}/v1/models").json()
    assert [model["id"] for model in models["data"]] == ["smollm2-135m-instruct"]
    assert f"The engine is ready on {engine.url} (smollm2-135m-instruct)" in engine.output
    assert httpx.get(f"{engine.url}/health").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/audio/transcriptions"])
def test_what_it_has_no_model_for_is_not_found(engine, path):
    answer = httpx.post(engine.url + path, json={"input": "Hello!"})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


def test_unknown_paths_and_methods_are_refused_in_the_shape_of_openai(engine):
    unknown, wrong = httpx.get(f"{engine.url}/v1/images"), httpx.get(f"{engine.url}/v1/chat/completions")
    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert set(unknown.json()["error"]) == set(wrong.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("headers", [{"Origin": "https://example.com"}, {"Host": "rebound.example.com"}], ids=str)
def test_a_page_in_a_browser_is_refused(engine, headers):
    answer = httpx.post(f"{engine.url}/v1/chat/completions", json={"messages": HELLO}, headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_body_that_is_too_large_is_refused(engine):
    answer = httpx.post(f"{engine.url}/v1/embeddings", content=bytes(30 * 1024 * 1024 + 1), timeout=30)
    assert answer.status_code == 413


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_with_status_0(environment, tmp_path, number):
    with running_engine(tmp_path, environment) as running:
        body = {"messages": HELLO, "max_tokens": 4000, "stream": True, "ignore_eos": True}
        with httpx.stream("POST", f"{running.url}/v1/chat/completions", json=body, timeout=30) as stream:
            next(stream.iter_lines())
            running.send(number)
            assert running.exit_status() == 0


def test_without_a_chat_model_it_serves_what_is_there(tmp_path):
    (tmp_path / "models").mkdir()
    name = "all-MiniLM-L6-v2.F32.gguf"
    (tmp_path / "models" / name).symlink_to(models_folder() / name)
    with running_engine(tmp_path, engine_environment(tmp_path, None)) as running:
        assert httpx.get(f"{running.url}/v1/models").json()["data"][0]["id"] == "all-minilm-l6-v2"
        assert chat(running).json()["error"]["code"] == "model_not_found"
        assert httpx.get(f"{running.url}/props").status_code == 404


def test_without_a_model_it_says_how_to_get_one(tmp_path):
    ended = run_manage(engine_environment(tmp_path, None), "run_engine")
    assert ended.returncode != 0
    assert "make setup" in ended.stdout
    assert "LOCAL_CHAT_GGUF" in ended.stdout


def test_a_file_that_is_no_model_is_refused(tmp_path, free_port):
    (tmp_path / "no.gguf").write_text("no model")
    environment = engine_environment(tmp_path, tmp_path / "no.gguf")
    ended = run_manage(environment, "run_engine", "--port", str(free_port))
    assert ended.returncode != 0
    assert "The engine did not start" in ended.stdout


def test_a_port_that_is_taken_is_refused_before_a_model_is_loaded(tmp_path):
    (tmp_path / "no.gguf").write_text("no model")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_manage(engine_environment(tmp_path, tmp_path / "no.gguf"), "run_engine", "--port", port)
    assert ended.returncode != 0
    assert f"Port {port}: " in ended.stdout
    assert "ENGINE_URL" in ended.stdout


def test_an_engine_elsewhere_is_not_served_here(environment):
    ended = run_manage(environment | {"ENGINE_URL": "http://gpu.example.com:8080"}, "run_engine")
    assert ended.returncode != 0
    assert "gpu.example.com" in ended.stdout


def test_it_ends_with_a_supervisor_that_was_killed(environment, free_port):
    supervisor = (
        "import os, subprocess, sys, time\n"
        "os.environ['ARKROUTE_PARENT_PID'] = str(os.getpid())\n"
        f"child = subprocess.Popen([sys.executable, 'manage.py', 'run_engine', '--port', '{free_port}'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    command = [sys.executable, "-c", supervisor]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + PATIENCE
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
