"""A process that is killed at any step leaves books that add up once the sweeper has passed."""

import random
import time
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from billing import ledger
from billing.models import LedgerEntry
from tests.billing.conftest import balance_of, entries_of
from tests.billing.processes import database_under_test, read_to_the_end, start_spender, wait_for_its_sessions_to_end

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def sweep_later() -> int:
    return async_to_sync(ledger.sweep)(timezone.now() + timedelta(minutes=11))


@pytest.mark.parametrize(
    ("step", "left", "swept", "finally_posted"),
    [
        ("hold written", (10_000, 0), 0, 10_000),
        ("hold committed", (10_000, 1_000), 1, 10_000),
        ("capture written", (10_000, 1_000), 1, 10_000),
        ("capture committed", (9_400, 0), 0, 9_400),
    ],
)
def test_killed_at_a_step(alice: int, step: str, left: tuple[int, int], swept: int, finally_posted: int) -> None:
    spender = start_spender("crash", alice, "r1", step, database_url=database_under_test())
    spender.communicate()
    assert spender.returncode == -9
    wait_for_its_sessions_to_end()

    assert balance_of(alice) == left
    assert sweep_later() == swept
    assert balance_of(alice) == (finally_posted, 0)
    if swept:
        with pytest.raises(ledger.HoldClosed):
            async_to_sync(ledger.capture)("r1", alice, 600)


def test_killed_at_a_random_moment_every_acknowledged_capture_is_there_once(alice: int) -> None:
    async_to_sync(ledger.grant)(alice, 10_000_000, "plenty")
    spender = start_spender("spend", alice, database_url=database_under_test())
    first = spender.stdout.readline()
    time.sleep(random.uniform(0, 0.2))
    spender.kill()
    printed = first + read_to_the_end(spender)
    wait_for_its_sessions_to_end()
    acknowledged = [line.split()[1] for line in printed.splitlines(keepends=True) if line.endswith("\n")]

    sweep_later()
    captured = [cause for kind, _, cause in entries_of(alice) if kind == "capture"]
    assert set(acknowledged) <= set(captured)
    assert len(captured) - len(acknowledged) <= 16  # one of each that was spending
    assert len(captured) == len(set(captured))
    posted, held = balance_of(alice)
    assert (posted, held) == (10_010_000 - 600 * len(captured), 0)
    assert LedgerEntry.objects.filter(kind="capture").count() == 2 * len(captured)
