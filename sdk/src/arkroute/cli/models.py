"""`arkroute models`"""

from __future__ import annotations

import argparse

from arkroute.cli import exits
from arkroute.cli.console import print_json, print_table
from arkroute.client import ArkRoute

NAME = "models"
HELP = "list the models and what they cost, or show one with its parameters; needs no key"
TYPES = ("chat", "embedding", "transcription", "image", "video")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="a model, or an alias of one")
    parser.add_argument("-t", "--type", choices=TYPES, help="those of one type alone")


def run(client: ArkRoute, asked: argparse.Namespace) -> int:
    if asked.id:
        print_json(client.models.retrieve(asked.id))
        return exits.OK
    listed = client.models.list()
    chosen = [model for model in listed.data if asked.type in (None, model.type)]
    if asked.json:
        print_json({**listed, "data": chosen})
        return exits.OK
    rows = [
        (model.id, model.type, model.vendor, f"{model.pricing.credits:g} / {model.pricing.unit}") for model in chosen
    ]
    print_table([("MODEL", "TYPE", "VENDOR", "CREDITS"), *rows])
    return exits.OK
