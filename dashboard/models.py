"""What pages remember of sums that take long."""

from django.db import models

from billing.models import CreditAccount


class DayOfUsage(models.Model):
    """The tallies of a day that is over, of an account that called a lot on it. Receipts never change, nor do these.

    Written when a page first adds them up (`dashboard.tallies`), and to be deleted without loss.
    """

    account = models.ForeignKey(
        CreditAccount, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="days_of_usage"
    )
    day = models.DateField(help_text="in UTC")
    tallies = models.JSONField(help_text="rows of `dashboard.tallies.Tally`, without their step")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("account", "day"), name="one_row_for_each_day_of_usage"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}"
