"""The engine's models: out of pinned packages into the data folder, whole or not at all."""

import hashlib
import math
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import xllamacpp
from django.core.management import CommandError, call_command

from arkroute.engine import minilm
from arkroute.engine.weights import (
    CHAT,
    EMBEDDING,
    SPEECH,
    NotFetched,
    Weights,
    Wheel,
    chat_model,
    embedding_model,
    fetch,
    present,
    speech_model,
)
from tests.models import models_folder
from tests.upstreams.tiny_bert import write_tiny_bert


@pytest.fixture
def data(settings: Any, tmp_path: Path) -> Path:
    settings.ARKROUTE_DATA = tmp_path / "data"
    settings.LOCAL_CHAT_GGUF = ""
    settings.LOCAL_AUDIO = True
    return tmp_path / "data"


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Wheel]:
    """Makes wheels, and they are all that pip finds."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def wheel(name: str, files: dict[str, bytes]) -> Wheel:
        path = folder / f"{name}-1.0-py3-none-any.whl"
        facts = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: not-to-be-had\n",
            "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        with zipfile.ZipFile(path, "w") as archive:
            for file, content in files.items():
                archive.writestr(f"{name}/weights/{file}", content)
            for file, text in facts.items():
                archive.writestr(f"{name}-1.0.dist-info/{file}", text)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return Wheel(f"{name}==1.0", sha256, f"{name}/weights", tuple(files))

    return wheel


def weights(target: Path, *wheels: tuple[Wheel, ...]) -> Weights:
    """A model of which the file `whole` is made, of all that lies in its wheels."""

    def assemble(folder: Path, made: Path) -> None:
        made.write_bytes(b"".join(path.read_bytes() for path in sorted(folder.glob("part*"))))

    return Weights("chat", "Tiny", 1, lambda: target, wheels, assemble)


def test_a_model_is_made_of_the_files_of_its_wheels(wheel, data):
    halves = (wheel("first_half", {"part1": b"to", "README": b""}), wheel("second_half", {"part2": b"gether"}))
    fetch(weights(data / "models" / "whole", halves))

    assert (data / "models" / "whole").read_bytes() == b"together"
    assert [path.name for path in (data / "models").iterdir()] == ["whole"]


def test_a_twin_is_taken_where_the_first_package_cannot_be_had(wheel, data):
    gone = Wheel("long_gone==1.0", "0" * 64, "long_gone", ("part1",))
    fetch(weights(data / "whole", (gone,), (wheel("twin", {"part1": b"the same"}),)))
    assert (data / "whole").read_bytes() == b"the same"


def test_a_package_of_another_hash_is_refused(wheel, data, capfd):
    genuine = wheel("tampered", {"part1": b"evil"})
    with pytest.raises(NotFetched, match="pip could not download"):
        fetch(weights(data / "whole", (replace(genuine, sha256="0" * 64),)))
    assert "HASH" in capfd.readouterr().err
    assert list(data.iterdir()) == []


def test_a_model_of_another_hash_is_refused(wheel, data):
    other = wheel("other", {chat_model().name: b"another model"})
    with pytest.raises(NotFetched, match="not the pinned"):
        fetch(replace(CHAT, wheels=((other,),)))
    assert list((data / "models").iterdir()) == []


def test_what_breaks_off_leaves_nothing_behind(wheel, data):
    def run_out_of_space(folder: Path, made: Path) -> None:
        made.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fetch(replace(weights(data / "whole", (wheel("tiny", {"part1": b""}),)), assemble=run_out_of_space))
    assert list(data.iterdir()) == []


def test_the_command_says_what_fails_goes_on_and_fails_at_the_end(wheel, data, settings, capsys):
    settings.LOCAL_AUDIO = False
    with pytest.raises(CommandError, match="without chat and embeddings; everything else serves"):
        call_command("fetch_engine_models")
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "→ engine     SmolLM2-135M-Instruct for chat (93 MB)",
        "→ engine     all-MiniLM-L6-v2 for embeddings (84 MB)",
    ]
    assert "SmolLM2-135M-Instruct: pip could not download it" in said.err


def test_the_command_downloads_nothing_that_is_here(data, settings, capsys):
    settings.LOCAL_CHAT_GGUF = "/somewhere/my.gguf"
    speech_model().mkdir(parents=True)
    embedding_model().touch()
    call_command("fetch_engine_models")
    assert capsys.readouterr().out == ""
    assert chat_model() == Path("/somewhere/my.gguf")


def test_what_can_be_served_is_what_is_here_and_wanted(data, settings):
    assert present() == []
    speech_model().mkdir(parents=True)
    embedding_model().touch()
    chat_model().touch()
    assert present() == [CHAT, EMBEDDING, SPEECH]
    settings.LOCAL_AUDIO = False
    assert present() == [CHAT, EMBEDDING]


class Embedder:
    """A gguf file, served by llama.cpp."""

    def __init__(self, model: Path) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.embedding = True
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.n_parallel = 1
        params.verbosity = 1
        self._server = xllamacpp.Server(params)

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        return httpx.post(self._server.listening_address + path, json=body, timeout=30).raise_for_status().json()

    def tokens(self, text: str) -> list[int]:
        return self._ask("/tokenize", {"content": text, "add_special": True})["tokens"]

    def likeness(self, one: str, other: str) -> float:
        first, second = (each["embedding"] for each in self._ask("/v1/embeddings", {"input": [one, other]})["data"])
        return sum(a * b for a, b in zip(first, second, strict=True)) / math.hypot(*first) / math.hypot(*second)


@pytest.fixture(scope="module")
def all_minilm() -> Embedder:
    return Embedder(models_folder() / "all-MiniLM-L6-v2.F32.gguf")


def test_a_bert_as_published_becomes_a_file_that_llama_cpp_serves(tmp_path):
    write_tiny_bert(tmp_path)
    minilm.convert(tmp_path, tmp_path / "tiny.gguf")

    embedder = Embedder(tmp_path / "tiny.gguf")
    assert embedder.tokens("Hello worldly!") == [2, 6, 7, 8, 9, 3]
    assert embedder.tokens("goodbye") == [2, 1, 3]
    assert embedder.likeness("hello", "hello") == pytest.approx(1)
    assert embedder.likeness("hello", "world") != pytest.approx(1)


# https://sbert.net/docs/sentence_transformer/usage/semantic_textual_similarity.html gives these for this model.
@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ("The new movie is awesome", "The new movie is so great", 0.8939),
        ("The cat sits outside", "A man is playing guitar", 0.0363),
    ],
)
def test_the_embeddings_are_those_of_the_model_as_published(all_minilm, one, other, likeness):
    assert all_minilm.likeness(one, other) == pytest.approx(likeness, abs=0.001)
