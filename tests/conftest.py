"""What all tests need: a database whose ledger can be flushed, and no writer or session left behind."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models.signals import post_migrate
from django.test import Client

from accounts.database import close_database_threads
from accounts.models import User
from arkroute.management.commands.audit_ledger import RECEIPTS
from billing import group_commit
from billing.audit import CHECKS, find_errors
from gateway.providers import polling

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
    # Each flush would make all permissions again, two thirds of its time.
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    yield
    group_commit.close()
    close_database_threads()
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(autouse=True)
def tasks_are_looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake vendor's tasks are done at once: a second before the first look would be wasted."""
    monkeypatch.setattr(polling, "FIRST_PAUSE", 0.01)


@pytest.fixture
def sign_in(transactional_db: None) -> Callable[..., Client]:
    """Signs in as a member of the staff who is allowed what is named, such as `view_receipt`."""

    def sign_in(*allowed: str) -> Client:
        for application in apps.get_app_configs():
            create_permissions(application, verbosity=0)
        user = User.objects.create_user("staff@example.com", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=allowed))
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def audited(transactional_db: None) -> Iterator[None]:
    """A committed database in which, at the test's end, ledger and receipts add up."""
    yield
    group_commit.close()
    assert list(find_errors((*CHECKS, *RECEIPTS))) == []
