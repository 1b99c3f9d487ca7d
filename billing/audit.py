"""Does the money add up? What `manage.py audit_ledger` looks at, as of one moment, while others go on writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.db import connection, transaction

from billing.models import Hold, LedgerEntry, SystemAccount


class Check(NamedTuple):
    """Something that must hold. Its query finds where it does not: account, cause, what is expected, what is there."""

    holds: str
    query: str


CHECKS = (
    Check(
        "an account's `posted` is the sum of its entries",
        """
        SELECT a.id, '', COALESCE(e.total, 0), a.posted FROM billing_creditaccount a
        LEFT JOIN (SELECT account_id, SUM(amount) AS total FROM billing_ledgerentry GROUP BY account_id) e
          ON e.account_id = a.id
        WHERE a.id > 0 AND a.posted <> COALESCE(e.total, 0)
        """,
    ),
    Check(
        "an account's `held` is the sum of its open holds",
        """
        SELECT a.id, '', COALESCE(h.total, 0), a.held FROM billing_creditaccount a
        LEFT JOIN (SELECT account_id, SUM(amount) AS total FROM billing_hold WHERE state = 'open' GROUP BY account_id) h
          ON h.account_id = a.id
        WHERE a.id > 0 AND a.held <> COALESCE(h.total, 0)
        """,
    ),
    Check(
        "the entries of a cause add up to 0",
        """
        SELECT MAX(account_id), cause, 0, SUM(amount) FROM billing_ledgerentry GROUP BY cause, kind
        HAVING SUM(amount) <> 0
        """,
    ),
    Check(
        "every entry belongs to an account",
        """
        SELECT e.account_id, MIN(e.cause), 0, SUM(e.amount) FROM billing_ledgerentry e
        LEFT JOIN billing_creditaccount a ON a.id = e.account_id WHERE a.id IS NULL GROUP BY e.account_id
        """,
    ),
    Check(
        "every hold belongs to an account",
        """
        SELECT h.account_id, MIN(h.id), 0, SUM(h.amount) FROM billing_hold h
        LEFT JOIN billing_creditaccount a ON a.id = h.account_id WHERE a.id IS NULL GROUP BY h.account_id
        """,
    ),
    Check(
        "what a hold says was captured was entered, once",
        """
        SELECT h.account_id, h.id, h.captured, COALESCE(-e.amount, 0) FROM billing_hold h
        LEFT JOIN billing_ledgerentry e ON e.cause = h.id AND e.kind = 'capture' AND e.account_id = h.account_id
        WHERE h.captured <> COALESCE(-e.amount, 0)
        """,
    ),
    Check(
        "every capture and overrun belongs to a captured hold",
        """
        SELECT e.account_id, e.cause, 0, -e.amount FROM billing_ledgerentry e
        LEFT JOIN billing_hold h ON h.id = e.cause AND h.account_id = e.account_id AND h.state = 'captured'
        WHERE e.kind IN ('capture', 'overrun') AND e.account_id > 0 AND h.id IS NULL
        """,
    ),
    Check(
        "an adjustment with a reason was entered as its reason says",
        """
        SELECT a.account_id, a.cause, a.amount, COALESCE(e.amount, 0) FROM billing_adjustment a
        LEFT JOIN billing_ledgerentry e ON e.cause = a.cause AND e.kind = 'adjustment' AND e.account_id = a.account_id
        WHERE a.amount <> COALESCE(e.amount, 0)
        """,
    ),
    Check(
        "only a refund, a dispute or an overrun takes a balance below zero",
        """
        SELECT a.id, '', 0, a.posted - a.held FROM billing_creditaccount a
        WHERE a.posted < a.held AND NOT EXISTS (
          SELECT 1 FROM billing_ledgerentry e
          WHERE e.account_id = a.id AND e.kind IN ('refund', 'dispute', 'overrun')
        )
        """,
    ),
)


class Summary(NamedTuple):
    """Amounts in millicredits; the totals of our own accounts by what they are for."""

    users: int
    entries: int
    open_holds: int
    posted: int
    held: int
    totals: dict[str, int]


@contextmanager
def one_moment() -> Iterator[None]:
    """Reads within see the database as of one moment, and keep nobody from writing."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        # Not `atomic`, whose BEGIN IMMEDIATE would lock out the writers.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield


def find_errors(checks: tuple[Check, ...] = CHECKS) -> Iterator[str]:
    """A line for each place where a sum is wrong, with the account and the difference in millicredits."""
    for check in checks:
        with connection.cursor() as cursor:
            cursor.execute(check.query)
            for account, cause, expected, found in cursor.fetchall():
                about = f", `{cause}`" if cause else ""
                yield (
                    f"account {account}{about}: {check.holds}: "
                    f"expected {expected}, found {found}, difference {found - expected:+}"
                )


def summarise() -> Summary:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*), COALESCE(SUM(posted), 0), COALESCE(SUM(held), 0) FROM billing_creditaccount WHERE id > 0"
        )
        users, posted, held = cursor.fetchone()
        cursor.execute(
            "SELECT account_id, SUM(amount) FROM billing_ledgerentry WHERE account_id < 0 GROUP BY account_id"
        )
        totals = {str(SystemAccount(account).label): int(total) for account, total in cursor.fetchall()}
    open_holds = Hold.objects.filter(state=Hold.State.OPEN).count()
    return Summary(users, LedgerEntry.objects.count(), open_holds, int(posted), int(held), totals)
