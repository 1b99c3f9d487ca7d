"""`arkroute chat`"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from arkroute.cli import exits
from arkroute.cli.console import print_cost, print_json, read_text
from arkroute.client import ArkRoute

NAME = "chat"
HELP = "ask a chat model; its answer is printed while it is written"
DEFAULT_MODEL = "gpt-5.4-mini"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="*", help="what to say; piped in where it is left out, or `-`")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument("-s", "--system", metavar="TEXT", help="instructions that come first")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="the most to write")
    parser.add_argument("--temperature", type=float, metavar="T")


def run(client: ArkRoute, asked: argparse.Namespace) -> int:
    messages = [{"role": "system", "content": asked.system}] if asked.system else []
    messages.append({"role": "user", "content": read_text(asked.text)})
    parameters: dict[str, Any] = {"max_tokens": asked.max_tokens, "temperature": asked.temperature}
    if asked.json:
        completion = client.chat.completions.create(model=asked.model, messages=messages, stream=False, **parameters)
        print_json(completion)
        return exits.OK
    stream = client.chat.completions.create(
        model=asked.model, messages=messages, stream=True, stream_options={"include_usage": True}, **parameters
    )
    with stream:
        for chunk in stream:
            sys.stdout.write(chunk.text)
            sys.stdout.flush()
    print()
    if asked.verbose:
        print_cost(stream.credits, stream.request_id)
    return exits.OK
