"""The engine's real models, for the tests that need them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def models_folder() -> Path:
    """Where `make test` puts them: the repository's own `var/models`, whatever data folder a test works on."""
    folder = ROOT / "var" / "models"
    assert folder.is_dir(), f"{folder} is not there: `make test` downloads the models into it"
    return folder
