"""Compares Stripe's payments, refunds and disputes with the ledger, and books what was missed."""

import asyncio
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.payments import stripe_gateway
from billing.payments.errors import PaymentError
from billing.payments.reconciliation import Report, reconcile


class Command(BaseCommand):
    help = (
        "Compares Stripe's payments, refunds and disputes of the last days with the ledger, and books what was missed. "
        "May run at any time, and as often as one likes. Exits 1 where something differs that it cannot mend."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=30, help="how far to look back (default: 30)")

    def handle(self, *, days: int, **options: Any) -> None:
        try:
            report = asyncio.run(_reconcile(days))
        except PaymentError as error:
            raise CommandError(str(error)) from error
        for line in report.booked:
            self.stdout.write(f"booked: {line}")
        for line in report.differences:
            self.stderr.write(f"differs: {line}")
        self.stdout.write(
            f"{report.looked_at} objects of the last {days} days compared; {len(report.booked)} booked that were "
            f"missing, {len(report.differences)} differences."
        )
        if report.differences:
            raise SystemExit(1)


async def _reconcile(days: int) -> Report:
    try:
        return await reconcile(timezone.now() - timedelta(days=days))
    finally:
        await stripe_gateway.close()
