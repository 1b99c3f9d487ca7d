"""Postgres is killed under load and started again: no acknowledged credit is lost, no debit doubled."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.billing.processes import read_to_the_end, run, start_spender
from tests.services import Postgres

PREPARE = """
import django; django.setup()
from accounts.models import User
from billing import ledger
print(ledger.grant_signup_credits(User.objects.create_user("alice@example.com"), 1_000_000))
"""


@pytest.fixture
def server() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


def succeed(*arguments: str, server: Postgres) -> str:
    process = run(*arguments, database_url=server.url)
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    return printed


def test_killed_under_load(server: Postgres) -> None:
    succeed("manage.py", "migrate", "--skip-checks", "--verbosity=0", server=server)
    assert succeed("-c", PREPARE, server=server) == "True\n"
    spender = start_spender("spend", 1, database_url=server.url)
    lines = []

    def read_until(word: str, count: int) -> None:
        while count:
            lines.append(spender.stdout.readline())
            assert lines[-1], "the spender ended"
            count -= lines[-1].startswith(word)

    read_until("captured", 50)
    server.kill()
    read_until("unavailable", 1)
    server.start_again()
    read_until("captured", 50)  # nobody restarted it
    rest = read_to_the_end(spender)
    assert spender.returncode == 0

    printed = [line.split() for line in [*lines, *rest.splitlines()]]
    acknowledged = [line[1] for line in printed if line[0] == "captured"]
    with psycopg.connect(server.url) as database:
        captured = [
            cause
            for (cause,) in database.execute(
                "SELECT cause FROM billing_ledgerentry WHERE kind = 'capture' AND account_id = 1"
            )
        ]
    assert len(captured) == len(set(captured))
    assert set(acknowledged) <= set(captured)
    # A capture whose COMMIT was on its way when the server died may be there unacknowledged.
    assert len(captured) - len(acknowledged) <= 16
    audit = "import django; django.setup()\nfrom billing.audit import find_errors\nprint(list(find_errors()))"
    assert succeed("-c", audit, server=server) == "[]\n"
