"""The command line as a whole: its subcommands, what they share, and how they end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from arkroute.cli import balance, chat, embed, exits, image, models, transcribe, video
from arkroute.cli.console import print_error
from arkroute.client import ArkRoute
from arkroute.errors import ArkRouteError
from arkroute.version import __version__

COMMANDS = (chat, image, video, transcribe, embed, models, balance)
ENVIRONMENT = """\
environment:
  ARKROUTE_API_KEY   your key; it is no option, since others on the machine can read command lines
  ARKROUTE_BASE_URL  ends in /v1 (default: https://api.ark-route.com/v1)

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line. Returns its exit status; argparse ends a wrong one with 2 by itself."""
    asked = _parser().parse_args(arguments)
    try:
        with ArkRoute(base_url=asked.base_url, timeout=asked.timeout) as client:
            status: int = asked.run(client, asked)
            sys.stdout.flush()
            return status
    except ArkRouteError as error:
        print_error(error, as_json=asked.json)
        return exits.exit_status(error)
    except BrokenPipeError:
        # Who read our output has had enough: `arkroute models | head`. What is left must not be written at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK
    except OSError as error:
        print_error(error, as_json=asked.json)
        return exits.LOCAL
    except KeyboardInterrupt:
        print("arkroute: interrupted", file=sys.stderr)
        return exits.INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arkroute",
        description="Pictures, videos, chat, embeddings and transcripts by ArkRoute.",
        epilog=ENVIRONMENT + exits.TABLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"arkroute {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    shared = _shared_options()
    for module in COMMANDS:
        command = commands.add_parser(
            module.NAME, parents=[shared], help=module.HELP, description=module.HELP[0].upper() + module.HELP[1:] + "."
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _shared_options() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print the API's whole answer, and errors, as JSON")
    shared.add_argument("-v", "--verbose", action="store_true", help="say on stderr what it cost")
    shared.add_argument("--base-url", metavar="URL", help="in place of ARKROUTE_BASE_URL")
    shared.add_argument("--timeout", type=float, metavar="SECONDS", help="how long to wait for an answer")
    return shared
