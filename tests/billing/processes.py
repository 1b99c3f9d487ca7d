"""Starts spenders (`spender.py`) on the test database or another one."""

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
SESSION = "spender"  # what Postgres calls the sessions of these processes


def database_under_test() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def run(*arguments: object, database_url: str) -> "subprocess.Popen[str]":
    """A Python process of this project, with pipes for input and output."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "arkroute.settings",
        "DATABASE_URL": database_url,
        "SECRET_KEY": "tests-only",
        "DEBUG": "on",
        "PYTHONPATH": str(ROOT),
        "PGAPPNAME": SESSION,
    }
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def start_spender(*arguments: object, database_url: str) -> "subprocess.Popen[str]":
    return run(Path(__file__).with_name("spender.py"), *arguments, database_url=database_url)


def read_to_the_end(process: "subprocess.Popen[str]") -> str:
    """Ends the process's input and returns what else it prints.

    Not `communicate`, which passes over what `readline` has buffered.
    """
    process.stdin.close()
    printed = process.stdout.read()
    process.stdout.close()
    process.wait()
    return printed


def wait_for_its_sessions_to_end() -> None:
    """After a kill: Postgres still does what it was sent before."""
    until = time.monotonic() + 30
    while connection.vendor == "postgresql" and _sessions():
        assert time.monotonic() < until
        time.sleep(0.01)


def _sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s",
            [SESSION],
        )
        return int(cursor.fetchone()[0])
