"""Adds the ledger up; exits 1 and names the account where a sum is wrong."""

from typing import Any

from django.core.management.base import BaseCommand

from billing.amounts import credits_text
from billing.audit import CHECKS, Check, find_errors, one_moment, summarise

RECEIPTS = (
    Check(
        "a receipt says what its hold captured",
        """
        SELECT r.account_id, r.id, COALESCE(h.captured, 0), r.captured FROM gateway_receipt r
        LEFT JOIN billing_hold h ON h.id = r.id AND h.account_id = r.account_id
        WHERE r.captured <> COALESCE(h.captured, 0)
        """,
    ),
    Check(
        "a receipt says what its call cost beyond the hold",
        """
        SELECT r.account_id, r.id, COALESCE(-e.amount, 0), r.overrun FROM gateway_receipt r
        LEFT JOIN billing_ledgerentry e ON e.cause = r.id AND e.kind = 'overrun' AND e.account_id = r.account_id
        WHERE r.overrun <> COALESCE(-e.amount, 0)
        """,
    ),
    Check(
        "every capture has its receipt",
        """
        SELECT h.account_id, h.id, h.captured, 0 FROM billing_hold h
        LEFT JOIN gateway_receipt r ON r.id = h.id WHERE h.captured > 0 AND r.id IS NULL
        """,
    ),
)


class Command(BaseCommand):
    help = "Adds the ledger up; exits 1 and names the account where a sum is wrong."

    def handle(self, **options: Any) -> None:
        with one_moment():
            errors = list(find_errors((*CHECKS, *RECEIPTS)))
            summary = summarise()
        for error in errors:
            self.stderr.write(error)
        self.stdout.write(
            f"{summary.users} accounts, {summary.entries} entries, {summary.open_holds} open holds; "
            f"{credits_text(summary.posted)} credits posted, {credits_text(summary.held)} held"
        )
        for purpose, total in summary.totals.items():
            self.stdout.write(f"  {purpose}: {credits_text(total)}")
        if errors:
            self.stderr.write(f"{len(errors)} sums are wrong.")
            raise SystemExit(1)
        self.stdout.write("Everything adds up.")
