"""The command `arkroute`: one module for each of its subcommands."""

from arkroute.cli.command import main

__all__ = ["main"]
