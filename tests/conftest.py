"""What all tests need: a database whose ledger can be flushed, and no writer or session left behind."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from accounts.database import close_database_threads
from arkroute.management.commands.audit_ledger import RECEIPTS
from billing import group_commit
from billing.audit import CHECKS, find_errors

append_only = import_module("billing.migrations.0002_append_only_entries")


@pytest.fixture(scope="session", autouse=True)
def flushable_ledger() -> Iterator[None]:
    """Django empties the tables between tests, which the ledger's triggers refuse: they are taken off meanwhile."""
    flush = connection.ops.execute_sql_flush

    def flush_without_triggers(statements: list[str]) -> Any:
        with connection.schema_editor() as editor:
            append_only.take_off(None, editor)
        try:
            return flush(statements)
        finally:
            with connection.schema_editor() as editor:
                append_only.put_on(None, editor)

    connection.ops.execute_sql_flush = flush_without_triggers
    yield
    connection.ops.execute_sql_flush = flush


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """At the end the writer is closed, and Postgres told to end the sessions of threads that have gone."""
    yield
    group_commit.close()
    close_database_threads()
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def audited(transactional_db: None) -> Iterator[None]:
    """A committed database in which, at the test's end, ledger and receipts add up."""
    yield
    group_commit.close()
    assert list(find_errors((*CHECKS, *RECEIPTS))) == []
