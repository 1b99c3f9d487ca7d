"""`arkroute transcribe`"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from arkroute.cli import exits
from arkroute.cli.console import print_cost, print_json
from arkroute.cli.outputs import check_output
from arkroute.client import ArkRoute
from arkroute.resources.downloads import write

NAME = "transcribe"
HELP = "write down what is said in a recording"
DEFAULT_MODEL = "gpt-transcribe"
FORMATS = ("text", "srt", "vtt", "verbose_json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="flac, m4a, mp3, mp4, ogg, wav, webm, …, up to 25 MB")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument(
        "-f", "--format", choices=FORMATS, default="text", help="which a model has, `arkroute models ID` says"
    )
    parser.add_argument("-l", "--language", metavar="CODE", help="of the speech: en, de, …")
    parser.add_argument("--prompt", metavar="TEXT", help="names and words to expect")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the transcript here")


def run(client: ArkRoute, asked: argparse.Namespace) -> int:
    check_output(asked.output)
    # The plain text is asked for in JSON, which every model has.
    wanted: Any = "json" if asked.format == "text" else asked.format
    answer: Any = client.audio.transcriptions.create(
        model=asked.model,
        file=asked.file,
        response_format=wanted,
        language=asked.language,
        prompt=asked.prompt,
    )
    text = answer.text if asked.format == "text" else answer
    if asked.format == "verbose_json":
        text = json.dumps(answer, ensure_ascii=False, indent=2)
    text = text if text.endswith("\n") else f"{text}\n"
    if asked.output:
        write(text.encode(), asked.output)
    if asked.json:
        print_json(answer if isinstance(answer, dict) else {"text": str(answer)})
    elif asked.output:
        print(asked.output)
    else:
        print(text, end="")
    if asked.verbose:
        print_cost(answer.credits, answer.request_id)
    return exits.OK
