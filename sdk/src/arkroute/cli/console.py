"""What goes to the terminal: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from arkroute.cli.exits import UsageError
from arkroute.errors import APIError, VideoFailedError
from arkroute.types import VideoTask

BAR_WIDTH = 30


def print_json(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print()


def print_error(error: Exception, *, as_json: bool) -> None:
    """On stderr: a line for people, or in JSON what the API said."""
    if as_json:
        print(json.dumps({"error": _described(error)}, ensure_ascii=False), file=sys.stderr)
    else:
        print(f"arkroute: {error}", file=sys.stderr)


def print_cost(credits: float | None, request_id: str) -> None:
    if credits is not None:
        print(f"{credits:g} credit{'' if credits == 1 else 's'} ({request_id})", file=sys.stderr)


def read_text(words: list[str]) -> str:
    """The words of the command line; what is piped in where there are none, or `-`."""
    text = sys.stdin.read() if words in ([], ["-"]) else " ".join(words)
    if not text.strip():
        raise UsageError("There is no text. Give it on the command line, or pipe it in.")
    return text


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their longest cell; the last one as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


class ProgressBar:
    """A video's progress, on one line of a terminal; nothing where stderr is none."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._is_shown = sys.stderr.isatty()
        self._full, self._empty = ("█", "░") if "utf" in (sys.stderr.encoding or "").lower() else ("#", "-")

    def show(self, task: VideoTask) -> None:
        if not self._is_shown:
            return
        filled = BAR_WIDTH * task.progress // 100
        bar = self._full * filled + self._empty * (BAR_WIDTH - filled)
        seconds = int(time.monotonic() - self._begun)
        print(f"\r{bar} {task.progress:3d} %  {seconds // 60}:{seconds % 60:02d}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._is_shown:
            print(file=sys.stderr)


def _described(error: Exception) -> Mapping[str, Any]:
    if isinstance(error, APIError):
        return {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
            "request_id": error.request_id,
        }
    if isinstance(error, VideoFailedError):
        return {"message": str(error), "code": error.code, "task": error.task}
    return {"message": str(error)}
