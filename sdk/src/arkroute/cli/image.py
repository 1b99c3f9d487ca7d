"""`arkroute image`"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from arkroute.cli import exits
from arkroute.cli.console import print_cost, print_json, read_text
from arkroute.cli.outputs import check_output
from arkroute.client import ArkRoute
from arkroute.types import ImagesResponse

NAME = "image"
HELP = "make pictures; prints their links, or writes files"
DEFAULT_MODEL = "nano-banana-2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", nargs="*", help="what they show; piped in where it is left out, or `-`")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write the picture here, several as FILE-1, FILE-2, …; a name without a suffix gets the format's",
    )
    parser.add_argument("-n", type=int, default=1, metavar="N", help="how many (default: 1)")
    parser.add_argument("--size", help="1024x1024, 1536x1024, 1024x1536, 2K, …")
    parser.add_argument("--quality", help="of models that have qualities")
    parser.add_argument(
        "-i", "--input", type=Path, action="append", metavar="FILE", help="a picture to change; may be given again"
    )
    parser.add_argument("--mask", type=Path, metavar="FILE", help="a PNG, transparent where the picture is to change")


def run(client: ArkRoute, asked: argparse.Namespace) -> int:
    check_output(asked.output)
    prompt = read_text(asked.prompt)
    parameters: dict[str, Any] = {
        "n": asked.n if asked.n != 1 else None,
        "size": asked.size,
        "quality": asked.quality,
        "image": asked.input,
        "mask": asked.mask,
        "response_format": "b64_json" if asked.output else None,
    }
    answer: ImagesResponse = client.images.generate(model=asked.model, prompt=prompt, **parameters)
    files = _write(client, answer, asked.output) if asked.output else []
    if asked.json:
        print_json(_with_files(answer, files))
    else:
        for line in files or [image.url or "" for image in answer.data]:
            print(line)
    if asked.verbose:
        print_cost(answer.credits, answer.request_id)
    return exits.OK


def _write(client: ArkRoute, answer: ImagesResponse, output: Path) -> list[str]:
    if not output.suffix:
        output = output.with_suffix(f".{answer.output_format}")
    names = [output]
    if len(answer.data) > 1:
        names = [
            output.with_name(f"{output.stem}-{number}{output.suffix}") for number in range(1, len(answer.data) + 1)
        ]
    return [str(client.images.download(image, name)) for image, name in zip(answer.data, names)]


def _with_files(answer: ImagesResponse, files: list[str]) -> dict[str, Any]:
    """The answer, with the files' names in place of their base64."""
    if not files:
        return answer
    data = [{**image, "file": file} for image, file in zip(answer.data, files)]
    return {**answer, "data": [{name: value for name, value in one.items() if name != "b64_json"} for one in data]}
