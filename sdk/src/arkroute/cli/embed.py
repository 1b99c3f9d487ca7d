"""`arkroute embed`"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from arkroute.cli import exits
from arkroute.cli.console import print_cost, print_json
from arkroute.cli.exits import UsageError
from arkroute.client import ArkRoute

NAME = "embed"
HELP = "turn texts into vectors, printed as one JSON array a line"
DEFAULT_MODEL = "text-embedding-3-small"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", help="a text each; without any, each line that is piped in")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument("--dimensions", type=int, metavar="N", help="shorter vectors, where the model has them")


def run(client: ArkRoute, asked: argparse.Namespace) -> int:
    texts = asked.text or [line for line in sys.stdin.read().splitlines() if line.strip()]
    if not texts:
        raise UsageError("There is no text. Give it on the command line, or pipe it in.")
    parameters: dict[str, Any] = {"dimensions": asked.dimensions}
    answer = client.embeddings.create(model=asked.model, input=texts, **parameters)
    if asked.json:
        print_json(answer)
    else:
        for row in answer.data:
            print(json.dumps(row.embedding))
    if asked.verbose:
        print_cost(answer.credits, answer.request_id)
    return exits.OK
