"""`arkroute balance`"""

from __future__ import annotations

import argparse

from arkroute.cli import exits
from arkroute.cli.console import print_json
from arkroute.client import ArkRoute

NAME = "balance"
HELP = "say how many credits are available"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(client: ArkRoute, asked: argparse.Namespace) -> int:
    account = client.account.retrieve()
    if asked.json:
        print_json(account)
        return exits.OK
    print(f"{account.credits.available:.3f}".rstrip("0").rstrip("."))
    return exits.OK
