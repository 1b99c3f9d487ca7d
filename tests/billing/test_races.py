"""An account that affords K calls pays K of them, whoever asks at once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from billing import ledger
from billing.models import Hold
from tests.billing.conftest import balance_of, in_a_minute, open_account
from tests.billing.processes import database_under_test, read_to_the_end, start_spender

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

AFFORDABLE = 25


def test_threads_with_event_loops_of_their_own_spend_exactly_what_there_is(audited: None) -> None:
    account = open_account(AFFORDABLE * 1_000)
    everyone = Barrier(8)

    async def spend(name: int) -> list[object]:
        everyone.wait()
        holds = (ledger.hold(account, 1_000, f"{name}:{i}", deadline=in_a_minute()) for i in range(10))
        return await asyncio.gather(*holds, return_exceptions=True)

    with ThreadPoolExecutor(8) as threads:
        outcomes = [one for found in threads.map(lambda name: asyncio.run(spend(name)), range(8)) for one in found]

    assert sum(isinstance(outcome, ledger.HeldCredits) for outcome in outcomes) == AFFORDABLE
    assert sum(isinstance(outcome, ledger.InsufficientCredits) for outcome in outcomes) == 80 - AFFORDABLE
    assert balance_of(account) == (AFFORDABLE * 1_000, AFFORDABLE * 1_000)
    assert Hold.objects.filter(account=account).count() == AFFORDABLE


def test_processes_spend_exactly_what_there_is(audited: None) -> None:
    account = open_account(AFFORDABLE * 1_000)
    url = database_under_test()
    spenders = [start_spender("race", account, 20, 1_000, database_url=url) for _ in range(3)]
    for spender in spenders:
        assert spender.stdout.readline() == "ready\n"
    for spender in spenders:
        spender.stdin.write("go\n")
        spender.stdin.flush()

    succeeded = [int(read_to_the_end(spender)) for spender in spenders]

    assert sum(succeeded) == AFFORDABLE
    assert balance_of(account) == (0, 0)


async def test_the_poor_do_not_fail_the_batch_of_the_rich(audited: None, alice: int) -> None:
    poor = await asyncio.to_thread(open_account, 1_500)
    asked = [
        ledger.hold(account, amount, f"{account}:{amount}", deadline=in_a_minute())
        for amount in (1_000, 900, 500)
        for account in (poor, alice)
    ]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    # Each request is refused for itself: the third of the poor fits again.
    assert [isinstance(outcome, ledger.HeldCredits) for outcome in outcomes] == [True, True, False, True, True, True]
