"""Every sample of the documentation, as its readers paste it: run against a gateway, with the address and the key set.

Vendors have no keys here, so stand-ins answer; what the engine would, a fake of it does.
"""

import json
import runpy
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import httpx
import pytest
from markdown_it import MarkdownIt
from PIL import Image

import arkroute
from dashboard.documentation.pages import Page, list_pages
from gateway.providers.sandbox import images, videos
from tests.pictures import picture
from tests.upstreams.openai import Behaviour
from tests.upstreams.replica import FakeReplica

AUDIO = Path(__file__).resolve().parents[1] / "audio" / "sentence.flac"
# An error of the gateway is one of the sample.
STRICT_CURL = 'curl() { command curl -sS --fail-with-body --max-time 30 "$@"; }\n'
# A turn of the loop that asks for a video, in samples.
PAUSE = "time.sleep(2)"


def samples(page: Page, *languages: str) -> list[str]:
    """The blocks of the page in one of `languages`."""
    tokens = MarkdownIt("commonmark").parse(page.text())
    return [token.content for token in tokens if token.type == "fence" and token.info in languages]


def pages_with(*languages: str) -> list[Any]:
    return [pytest.param(page, id=page.name) for page in list_pages() if samples(page, *languages)]


@pytest.fixture
def engine(settings) -> Iterator[None]:
    models = ("smollm2-135m-instruct", "all-minilm-l6-v2", "whisper-base")
    with FakeReplica(kind="llama.cpp", models=models) as replica:
        replica.behaviour = Behaviour(reply='{"title": "Pancakes", "ingredients": ["flour", "milk", "eggs"]}')
        settings.ENGINE_URL = replica.base_url.removesuffix("/v1")
        yield


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they are well painted is another test's concern."""
    monkeypatch.setattr(images, "paint", lambda prompt, width, height, *more: Image.new("RGB", (width, height)))
    monkeypatch.setattr(videos, "FRAMES_PER_SECOND", 2)
    monkeypatch.setattr(videos, "frame_size", lambda *shape: (160, 90))


@pytest.fixture
def reader(alice, gateway_url, job_loop, engine, quick_pictures, settings, tmp_path, monkeypatch) -> Any:
    """Who pastes a sample: into a folder with a picture and a recording, with a key of their own."""
    settings.PUBLIC_URL = gateway_url
    (tmp_path / "photo.png").write_bytes(picture(64, 64))
    shutil.copy(AUDIO, tmp_path / "speech.flac")
    monkeypatch.chdir(tmp_path)
    return alice


@pytest.fixture
def published_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """`from arkroute import ArkRoute` is the published client, which has the name of a package of ours."""
    file = distribution("arkroute").locate_file("arkroute/client.py")
    monkeypatch.setattr(arkroute, "ArkRoute", runpy.run_path(str(file))["ArkRoute"], raising=False)


def paste(sample: str, reader: Any) -> str:
    return sample.replace("YOUR_API_KEY", reader.key)


@pytest.mark.parametrize("page", pages_with("bash"))
def test_curl(page: Page, reader: Any, gateway_url: str, tmp_path: Path) -> None:
    script = "\n".join(samples(page, "bash"))
    names = {}
    if "$TASK_ID" in script:
        names["TASK_ID"] = make_video(gateway_url, reader)
    if "$SESSION_ID" in script:
        names["SESSION_ID"] = open_session(gateway_url, reader)
    for sample in samples(page, "bash"):
        run = subprocess.run(
            ["bash", "-ec", STRICT_CURL + paste(sample, reader)],
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", **names},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, f"{sample}\n{run.stdout}\n{run.stderr}"
        assert run.stdout


@pytest.mark.parametrize("page", pages_with("python"))
def test_python(page: Page, reader: Any, published_client: None) -> None:
    for sample in samples(page, "python"):
        code = compile(paste(sample, reader).replace(PAUSE, "time.sleep(0.05)"), f"{page.name}.md", "exec")
        exec(code, {"__name__": "__main__"})


@pytest.mark.parametrize("page", pages_with("json", "toml"))
def test_what_is_shown_can_be_read(page: Page) -> None:
    for sample in samples(page, "json"):
        json.loads(sample)
    for sample in samples(page, "toml"):
        tomllib.loads(sample)


def test_javascript_can_be_read(tmp_path: Path) -> None:
    """By Node, where there is one; the calls are those of the other languages."""
    sources = [sample for page in list_pages() for sample in samples(page, "javascript")]
    assert len(sources) >= 5
    assert all("YOUR_API_KEY" in source for source in sources if "new OpenAI" in source)
    node = shutil.which("node")
    for number, source in enumerate(sources if node else ()):
        file = tmp_path / f"{number}.mjs"
        file.write_text(source)
        checked = subprocess.run([node, "--check", file], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_every_block_says_what_it_is() -> None:
    known = {"bash", "sh", "python", "javascript", "json", "toml", "http", "nginx", ""}
    for page in list_pages():
        infos = {token.info for token in MarkdownIt("commonmark").parse(page.text()) if token.type == "fence"}
        assert infos <= known, page.name


def make_video(gateway_url: str, reader: Any) -> str:
    body = {"model": "sandbox-video", "prompt": "a boat", "duration": 1}
    with httpx.Client(base_url=gateway_url, headers=reader.headers, timeout=30) as client:
        task_id = client.post("/v1/video/generations", json=body).json()["task_id"]
        # While it is made it cannot be cancelled: by its end the samples do the same every time.
        while client.get(f"/v1/video/status/{task_id}").json()["status"] not in ("completed", "failed"):
            time.sleep(0.02)
    return task_id


def open_session(gateway_url: str, reader: Any) -> str:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello!"}]}
    answer = httpx.post(f"{gateway_url}/v1/chat/completions", json=body, headers=reader.headers)
    return answer.cookies["ark_session_id"]
