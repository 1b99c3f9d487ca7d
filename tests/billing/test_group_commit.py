"""Many verbs in one transaction: what one of them does wrong, or the database, is nobody else's loss."""

import asyncio
import os
import sqlite3
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from accounts.models import ApiKey
from billing import group_commit, ledger
from billing.models import LedgerEntry
from billing.verbs import Record
from gateway.models import Receipt
from tests.billing.conftest import balance_of, in_a_minute
from tests.billing.test_ledger import make_receipt, read_entries

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def postgres(alice: int) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on Postgres alone: ARKROUTE_TEST_DATABASE=postgres")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "taken"},
        {"quote": 2**70},
        {"usage": {"no JSON": object()}},
        {"model": None},
    ],
    ids=["taken key", "too large", "no JSON", "missing"],
)
async def test_a_row_that_cannot_be_written_fails_its_own_verb_alone(alice: int, wrong: dict[str, Any]) -> None:
    await ledger.record([make_receipt("taken", alice)])
    poison = make_receipt("poison", alice)
    for name, value in wrong.items():
        setattr(poison, name, value)
    await assert_fails_alone(alice, poison)


async def test_a_row_that_is_refused_at_the_commit_fails_its_own_verb_alone(alice: int) -> None:
    await assert_fails_alone(alice, ApiKey(user_id=987_654, digest="of nobody"))


async def assert_fails_alone(alice: int, poison: Model) -> None:
    holds = [ledger.hold(alice, 10, f"r{i}", deadline=in_a_minute()) for i in range(20)]
    holds.insert(13, ledger.hold(alice, 10, "poison", deadline=in_a_minute(), also=[poison]))

    outcomes = await asyncio.gather(*holds, return_exceptions=True)

    refused = outcomes.pop(13)
    assert isinstance(refused, Exception)
    assert not isinstance(refused, ledger.LedgerError)
    assert all(isinstance(outcome, ledger.HeldCredits) for outcome in outcomes)
    assert await ledger.balance(alice) == ledger.Balance(posted=10_000, held=200)


async def test_a_full_queue_refuses_at_once(alice: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_QUEUED", 0)
    with pytest.raises(ledger.LedgerUnavailable):
        await ledger.hold(alice, 10, "r1", deadline=in_a_minute())


async def test_closing_commits_what_is_queued_and_the_next_verb_starts_afresh(alice: int) -> None:
    queued = [asyncio.create_task(ledger.hold(alice, 1, str(i), deadline=in_a_minute())) for i in range(1_500)]
    await asyncio.sleep(0)
    await asyncio.to_thread(group_commit.close)
    assert all(held.amount == 1 for held in await asyncio.gather(*queued))
    await ledger.hold(alice, 1, "afterwards", deadline=in_a_minute())
    assert await ledger.balance(alice) == ledger.Balance(posted=10_000, held=1_501)


async def test_a_closed_writer_refuses_rather_than_keeping_anybody_waiting(alice: int) -> None:
    writer = group_commit.Writer()
    await asyncio.to_thread(writer.close)
    future = asyncio.get_running_loop().create_future()
    writer.submit(Record(), future)
    with pytest.raises(ledger.LedgerUnavailable):
        await future


def test_an_event_loop_that_ends_early_disturbs_nobody(alice: int) -> None:
    async def leave() -> None:
        future = asyncio.get_running_loop().create_future()
        group_commit.writer().submit(Record(also=[make_receipt("left", alice)]), future)

    asyncio.run(leave())
    asyncio.run(ledger.hold(alice, 10, "r1", deadline=in_a_minute()))
    assert Receipt.objects.filter(pk="left").exists()


def test_a_forked_process_writes_with_a_writer_of_its_own(alice: int) -> None:
    asyncio.run(ledger.hold(alice, 10, "parent", deadline=in_a_minute()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, which is the point here
        child = os.fork()
    if child == 0:
        try:
            asyncio.run(ledger.hold(alice, 10, "child", deadline=in_a_minute()))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    asyncio.run(ledger.capture("parent", alice, 10))
    assert balance_of(alice) == (9_990, 10)


# --- A database that does not answer ---------------------------------------------------------------------------------


@pytest.fixture
def impatient() -> Iterator[None]:
    """A writer that does not wait for SQLite's lock."""
    options = connections.settings["default"]["OPTIONS"]
    patience = options.get("timeout")
    group_commit.close()
    options["timeout"] = 0.05
    yield
    group_commit.close()
    options["timeout"] = patience


async def test_a_locked_database_is_unavailable_until_it_is_not(alice: int, impatient: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("Postgres locks rows")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    refused = await asyncio.gather(
        *(ledger.hold(alice, 10, f"r{i}", deadline=in_a_minute()) for i in range(5)), return_exceptions=True
    )
    other.execute("ROLLBACK")
    other.close()

    assert [type(error) for error in refused] == [ledger.LedgerUnavailable] * 5
    await ledger.hold(alice, 10, "r1", deadline=in_a_minute())
    assert await ledger.balance(alice) == ledger.Balance(posted=10_000, held=10)


def end_other_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_session_that_the_server_ended_is_replaced_unnoticed(postgres: None, alice: int) -> None:
    asyncio.run(ledger.hold(alice, 10, "r1", deadline=in_a_minute()))
    end_other_sessions()
    # The thread of asgiref, which looks at its connection when a request begins, would keep a dead one for other tests.
    asyncio.run(sync_to_async(connections.close_all)())
    asyncio.run(ledger.capture("r1", alice, 10))
    assert asyncio.run(ledger.balance(alice)).posted == 9_990


@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_whose_answer_is_lost_is_done_once(
    postgres: None, alice: int, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.hold(alice, 1_000, "r1", deadline=in_a_minute())
    commit = BaseDatabaseWrapper.commit
    lost = []

    def commit_and_lose_the_answer(self: Any) -> None:
        if not lost and not self.get_autocommit():
            lost.append(self)
            if committed:
                commit(self)
            self.connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        commit(self)

    monkeypatch.setattr(BaseDatabaseWrapper, "commit", commit_and_lose_the_answer)
    outcomes = await asyncio.gather(
        ledger.capture("r1", alice, 600, also=[make_receipt("r1", alice, 600)]),
        ledger.hold(alice, 1_000, "r2", deadline=in_a_minute()),
        ledger.purchase(alice, 5_000, "stripe:1"),
        ledger.hold(alice, 100_000, "r3", deadline=in_a_minute()),
        return_exceptions=True,
    )

    assert lost
    assert isinstance(outcomes.pop(), ledger.InsufficientCredits)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert await ledger.balance(alice) == ledger.Balance(posted=14_400, held=1_000)
    assert len(await read_entries(alice)) == 3


# --- Entries are never changed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_ledgerentry SET amount = 1",
        "UPDATE billing_ledgerentry SET cause = cause WHERE kind = 'grant'",
        "DELETE FROM billing_ledgerentry",
    ],
)
def test_the_database_refuses_to_change_or_delete_entries(alice: int, statement: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert LedgerEntry.objects.count() == 2
