#!/usr/bin/env python
"""Django's command line for ArkRoute: `python manage.py help` lists the commands."""

import argparse
import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        take_port(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arkroute.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def take_port(arguments: list[str]) -> None:
    """`serve --port 9000` is `PORT=9000 serve`.

    Settings make addresses of PORT (links, the engine's), and are read once, before a command sees its options.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--port", type=int)
    port = parser.parse_known_args(arguments)[0].port
    if port is not None:
        os.environ["PORT"] = str(port)


if __name__ == "__main__":
    main()
