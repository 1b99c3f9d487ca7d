"""The samples of the catalogue's pages and the explorer, run as they are against a gateway. The sandbox answers."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dashboard.samples import samples
from gateway.catalog import get_model
from gateway.catalog.schema import MODEL_TYPES
from gateway.providers.sandbox import images, videos
from tests.pictures import picture

AUDIO = Path(__file__).resolve().parents[1] / "audio" / "sentence.flac"
PHOTO = "data:image/png;base64," + "iVBORw0KGgo" * 20
# Calls that a sample writes in another way than a simple one.
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("sandbox-chat", {"messages": [{"role": "user", "content": 'It\'s "so" $HOME'}], "stream": True, "top_k": 3}),
    ("sandbox-transcription", {"response_format": "srt", "prompt": "it's $5"}),
    ("sandbox-transcription", {"stream": True}),
    ("sandbox-transcription", {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}),
    ("sandbox-image", {"prompt": "a boat", "size": "64x64", "response_format": "b64_json", "output_format": "webp"}),
    ("sandbox-image", {"prompt": "a boat", "size": "64x64", "stream": True, "partial_images": 0}),
    ("sandbox-image", {"prompt": 'it\'s "$HOME" `x` \\ \n', "size": "64x64", "image": [PHOTO, PHOTO]}),
    ("sandbox-video", {"prompt": "a boat", "duration": 1, "aspect_ratio": "1:1", "audio": False}),
]
CALLS = [(f"sandbox-{kind}", None) for kind in MODEL_TYPES] + BODIES


@pytest.fixture
def folder(job_loop, settings, gateway_url, tmp_path, monkeypatch) -> Path:
    """Where a sample is pasted: there are a recording and two pictures."""
    monkeypatch.setattr(images, "paint", lambda prompt, width, height, *more: Image.new("RGB", (width, height)))
    monkeypatch.setattr(videos, "FRAMES_PER_SECOND", 2)
    monkeypatch.setattr(videos, "frame_size", lambda *shape: (160, 90))
    settings.PUBLIC_URL = gateway_url
    shutil.copy(AUDIO, tmp_path / "speech.mp3")
    for name in ("input.png", "input-2.png"):
        (tmp_path / name).write_bytes(picture())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def code(name: str, body: dict[str, Any] | None, language: str, key: str) -> str:
    found = {sample.language: sample.code for sample in samples(get_model(name), key=key, body=body)}
    return found[language]


@pytest.mark.parametrize(("name", "body"), CALLS)
def test_curl(name: str, body: dict[str, Any] | None, alice, folder: Path) -> None:
    # The second call of a video's is for the task that the first one names.
    call = code(name, body, "curl", alice.key).split("\n\n")[0]
    run = subprocess.run(
        ["bash", "-ec", 'curl() { command curl -sS --fail-with-body --max-time 30 "$@"; }\n' + call],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, f"{call}\n{run.stdout!r}\n{run.stderr!r}"
    assert run.stdout


@pytest.mark.parametrize(("name", "body"), CALLS)
def test_python(
    name: str, body: dict[str, Any] | None, alice, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = code(name, body, "python", alice.key)
    exec(compile(source, name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out or list(folder.glob("picture.*")) or (folder / "video.mp4").stat().st_size


def test_javascript_can_be_read(folder: Path) -> None:
    """By Node, where there is one."""
    node = shutil.which("node")
    for number, (name, body) in enumerate(CALLS):
        file = folder / f"{number}.mjs"
        file.write_text(code(name, body, "javascript", "YOUR_API_KEY"))
        if node:
            checked = subprocess.run([node, "--check", file], capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stderr


def test_a_picture_in_base64_is_read_from_a_file() -> None:
    for sample in samples(get_model("nano-banana-2"), body={"prompt": "the same in winter", "image": PHOTO}):
        assert PHOTO not in sample.code
        assert "input.png" in sample.code
