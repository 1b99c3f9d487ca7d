"""The command, as a shell runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

COMMAND = Path(sysconfig.get_path("scripts")) / "arkroute"


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        check=False,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_each_command_does_its_work(tmp_path: Path, recording: Path) -> None:
    picture, clip, transcript = tmp_path / "cat.png", tmp_path / "waves.mp4", tmp_path / "speech.srt"
    assert run("chat", "-m", "sandbox-chat", stdin="from a pipe").stdout == "You said: from a pipe\n"
    assert (
        run("image", "a cat", "-m", "sandbox-image", "--size", "128x128", "-o", str(picture)).stdout == f"{picture}\n"
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    changed = run("image", "winter", "-m", "sandbox-image", "-i", str(picture), "--size", "128x128", "-v")
    assert "/media/" in changed.stdout
    assert changed.stderr.startswith("1 credit (req_")
    assert run("video", "waves", "-m", "sandbox-video", "-d", "1", "-o", str(clip)).stdout == f"{clip}\n"
    assert clip.read_bytes()[4:8] == b"ftyp"
    run("transcribe", str(recording), "-m", "sandbox-transcription", "-f", "srt", "-o", str(transcript))
    assert "-->" in transcript.read_text()
    vectors = run("embed", "one", "two", "-m", "sandbox-embedding").stdout.splitlines()
    assert [len(json.loads(vector)) for vector in vectors] == [256, 256]
    assert "sandbox-video" in run("models", "--type", "video").stdout
    assert float(run("balance").stdout) > 0


@pytest.mark.parametrize(
    ("arguments", "environment", "status"),
    [
        (["chat", "sandbox:fail=content_policy_violation", "-m", "sandbox-chat"], {}, 3),
        (["balance"], {"ARKROUTE_API_KEY": ""}, 4),
        (["balance"], {"ARKROUTE_API_KEY": "ark-wrong"}, 4),
        (["image", "a cat"], {"ARKROUTE_API_KEY": os.environ.get("ARKROUTE_POOR_KEY", "")}, 5),
        (["video", "sandbox:fail=provider_error", "-m", "sandbox-video", "-d", "1"], {}, 7),
        (["balance"], {"ARKROUTE_BASE_URL": "http://127.0.0.1:9/v1"}, 8),
        (["chat"], {}, 2),
    ],
)
def test_the_exit_status_tells_what_went_wrong(arguments: list[str], environment: dict[str, str], status: int) -> None:
    done = run(*arguments, **environment)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("arkroute: ")


def test_an_interrupted_video_goes_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        [COMMAND, "video", "waves sandbox:delay=5", "-m", "sandbox-video", "-d", "1", "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "credit" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    task = errors.split("--task ")[1].split()[0]
    assert run("video", "--cancel", task, "--json").returncode == 0


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", f"{COMMAND} models --json | head -c 10"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
