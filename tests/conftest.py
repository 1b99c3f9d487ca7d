"""What all tests need: a database that is soon empty again, and no writer or session left behind."""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, TransactionTestCase

from accounts.database import close_database_threads
from accounts.models import User
from arkroute.management.commands.audit_ledger import RECEIPTS
from billing import group_commit
from billing.audit import CHECKS, find_errors
from gateway.providers import polling
from tests.emptying import Emptying


def pytest_configure() -> None:
    """What is imported and collected stays: to look through it for garbage, again and again, would find none."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Tables are emptied in our own way. At the end the writer is closed, and Postgres told to end what is left.

    Threads that have gone leave sessions there.
    """
    with django_db_blocker.unblock():
        empty = Emptying()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: empty())
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
