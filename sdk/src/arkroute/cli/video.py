"""`arkroute video`"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arkroute.cli import exits
from arkroute.cli.console import ProgressBar, print_cost, print_json, read_text
from arkroute.cli.outputs import check_output
from arkroute.client import ArkRoute
from arkroute.errors import VideoTimeoutError
from arkroute.types import VideoTask

NAME = "video"
HELP = "make a video and wait for it; prints its link, or writes a file"
DEFAULT_MODEL = "seedance-1.5-pro"
POLL_INTERVAL = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", nargs="*", help="what happens; piped in where it is left out, or `-`")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the clip here")
    parser.add_argument("-d", "--duration", type=float, metavar="SECONDS", help="how long the clip is")
    parser.add_argument("--aspect-ratio", metavar="RATIO", help="16:9, 9:16, 1:1, …")
    parser.add_argument("--resolution", help="720p, 1080p, …")
    parser.add_argument("-i", "--input", type=Path, metavar="FILE", help="a picture as the first frame")
    parser.add_argument("--no-wait", action="store_true", help="print the task's id at once")
    parser.add_argument("--task", metavar="ID", help="wait for a video that was asked for before")
    parser.add_argument("--cancel", metavar="ID", help="cancel one")


def run(client: ArkRoute, asked: argparse.Namespace) -> int:
    check_output(asked.output)
    if asked.cancel:
        return _show(client.videos.cancel(asked.cancel), asked, client)
    if asked.task:
        with _reminder(asked.task):
            return _wait(client, asked.task, asked)
    task = _create(client, asked)
    with _reminder(task.task_id):
        if asked.verbose:
            print_cost(task.price, task.request_id)
        if asked.no_wait:
            if asked.json:
                print_json(task)
            else:
                print(task.task_id)
            return exits.OK
        return _wait(client, task.task_id, asked)


def _create(client: ArkRoute, asked: argparse.Namespace) -> VideoTask:
    parameters: dict[str, Any] = {
        "duration": asked.duration,
        "aspect_ratio": asked.aspect_ratio,
        "resolution": asked.resolution,
        "image": asked.input,
    }
    return client.videos.create(model=asked.model, prompt=read_text(asked.prompt), **parameters)


@contextmanager
def _reminder(task_id: str) -> Iterator[None]:
    """Says how a video is taken up again that nobody waits for any more."""
    try:
        yield
    except (KeyboardInterrupt, VideoTimeoutError):
        print(f"arkroute: it goes on; wait for it again with: arkroute video --task {task_id}", file=sys.stderr)
        raise


def _wait(client: ArkRoute, task_id: str, asked: argparse.Namespace) -> int:
    bar = ProgressBar()
    try:
        task = client.videos.wait(task_id, on_progress=bar.show, poll_interval=POLL_INTERVAL, timeout=asked.timeout)
    finally:
        bar.end()
    return _show(task, asked, client)


def _show(task: VideoTask, asked: argparse.Namespace, client: ArkRoute) -> int:
    written = str(client.videos.download(task, asked.output)) if asked.output and task.status == "completed" else None
    if asked.json:
        print_json({**task, "file": written} if written else task)
    else:
        print(written or task.video_url or task.status)
    return exits.OK
