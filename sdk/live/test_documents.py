"""The samples of the documentation, word for word: the environment says the base URL, the key alone is put in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"

# The documentation's, of the official SDK.
OFFICIAL = """\
from arkroute import ArkRoute

client = ArkRoute(api_key="ark-...")
result = client.images.generate(
    model="seedream-5.0-lite",
    prompt="A linen dress on a Moroccan rooftop, golden hour",
)
print(result["data"][0]["url"])
"""

# The README's of version 0.1.0.
PUBLISHED = """\
from arkroute import ArkRoute

# Initialize client
client = ArkRoute(api_key="your_api_key")

# Generate an image
result = client.generate_image(
    prompt="A beautiful sunset over mountains",
    model="nano-banana-2",
    size="2K"
)
print(result["url"])

# Generate a video
video_job = client.generate_video(
    prompt="A cat playing in a garden",
    model="seedance-1.5-pro",
    duration=5
)

# Check video status
status = client.get_video_status(video_job["task_id"])
print(status["state"])

# List available models
models = client.list_models()
print(models)
"""


def run(sample: str, folder: Path) -> str:
    """What it prints, run as its reader does: by itself, in a folder with the files that it names."""
    done = subprocess.run(
        [sys.executable, "-c", sample], check=False, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_official_sample(tmp_path: Path) -> None:
    printed = run(OFFICIAL.replace("ark-...", os.environ["ARKROUTE_API_KEY"]), tmp_path)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/media/\S+\n", printed)


def test_the_sample_of_the_published_version(tmp_path: Path) -> None:
    printed = run(PUBLISHED.replace("your_api_key", os.environ["ARKROUTE_API_KEY"]), tmp_path)
    url, state, models = printed.splitlines()
    assert "/media/" in url
    assert state == "processing"
    assert models.startswith("{'object': 'list', 'data': [{'id': ")


SAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"sample {number}" for number in range(1, len(SAMPLES) + 1)])
@pytest.mark.usefixtures("picture", "recording")
def test_a_sample_of_the_readme(sample: str, tmp_path: Path) -> None:
    run(sample, tmp_path)
