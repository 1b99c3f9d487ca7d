"""Where results are written: looked at before anything is paid for."""

from __future__ import annotations

import os
from pathlib import Path


def check_output(path: Path | None) -> None:
    """Raises `OSError` where a file could not be written."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise NotADirectoryError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path}: the folder {path.parent} is not yours to write to")
