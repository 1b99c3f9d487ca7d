"""Engines to test, each a real process on a port of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.arkroute.conftest import SECRET_KEY, Running, clean_environment, find_free_port
from tests.models import models_folder


def engine_environment(folder: Path, chat_model: Path | None, *, real_models: bool = False) -> dict[str, str]:
    """`real_models`: those for embeddings and speech, too."""
    if real_models:
        (folder / "models").symlink_to(models_folder())
    return clean_environment(folder) | {
        "DEBUG": "on",
        "SECRET_KEY": SECRET_KEY,
        "LOCAL_CHAT_GGUF": str(chat_model or folder / "none.gguf"),
        "LOCAL_AUDIO": "on",
    }


@contextmanager
def running_engine(folder: Path, environment: dict[str, str], *options: str) -> Iterator[Running]:
    """An engine that is ready."""
    port = find_free_port()
    command = [sys.executable, "manage.py", "run_engine", "--port", str(port), *options]
    running = Running(command, environment, port, folder / "output")
    try:
        running.wait_until(lambda: running.answers("/health"))
        yield running
    finally:
        running.kill()
