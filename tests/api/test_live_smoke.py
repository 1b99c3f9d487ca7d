"""The script that asks the real vendors, against the fakes of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import live_smoke
from bench.processes import BASE_DIR
from tests.upstreams.openai import Behaviour, FakeOpenAI


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in {*(name for pair in live_smoke.VARIABLES.values() for name in pair), *live_smoke.KLING_PAIR}:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ARKROUTE_DATA", str(tmp_path))


def test_without_keys_everything_is_skipped_by_the_variable_that_is_missing(no_keys) -> None:
    command = [sys.executable, "-m", "bench.live_smoke"]
    ended = subprocess.run(command, cwd=BASE_DIR, env=os.environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    for provider, (variable, _) in live_smoke.VARIABLES.items():
        assert any(line.startswith(provider) and f"set {variable}" in line for line in ended.stdout.splitlines())
    assert "0 ok, 5 skipped, 0 failed." in ended.stdout


def test_each_key_is_tried_with_all_that_its_provider_does(no_keys, monkeypatch, capsys) -> None:
    with FakeOpenAI(api_key="sk-good-key-0000") as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-good-key-0000,sk-stale-key-1111")
        assert live_smoke.main([]) == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("openai")]
    told = {(key, what): " ".join(rest) for _, key, what, *rest in lines}
    assert set(told) == {(key, what) for key in ("…0000", "…1111") for what in live_smoke.KINDS}
    for what, answer in (
        ("chat", "'one two three"),
        ("embedding", "8 dimensions"),
        ("image", "bytes"),
        ("transcription", "'one two three"),
    ):
        assert " ok " in told["…0000", what]
        assert answer in told["…0000", what]
        assert " failed 500 " in told["…1111", what]
        assert "provider_error" in told["…1111", what]


def test_a_gateway_that_runs_already_is_asked_with_the_keys_that_it_has(gateway_url, alice, settings, capsys) -> None:
    asked = ["--base-url", gateway_url, "--key", alice.key]
    with FakeOpenAI() as upstream:
        settings.PROVIDERS = {"openai": {"api_keys": ["sk-test"], "base_url": upstream.base_url}}
        assert live_smoke.main(asked) == 0
        first = capsys.readouterr().out
        upstream.behaviour = Behaviour(status=400, code="content_policy_violation")
        assert live_smoke.main(asked) == 1
        second = capsys.readouterr().out
    assert "4 ok, " in first
    assert "stood in" in first
    assert "content_policy_violation: The provider refused this content" in second
