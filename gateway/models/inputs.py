"""What requests said, of users who want it kept."""

from django.db import models

from billing.models import CreditAccount


class KeptInput(models.Model):
    """What one request asked for, without the files that came with it. Written with its receipt, gone after
    INPUT_DAYS, or when its owner turns keeping off."""

    id = models.CharField(primary_key=True, max_length=100, help_text="the request's id, and its receipt's")
    # No constraint in the database: the call's hold has locked the account, and accounts stay.
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="kept_inputs"
    )
    body = models.TextField(help_text="JSON; the beginning of it where it is cut")
    is_cut = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = (models.Index(fields=("account", "id"), name="inputs_of_an_account"),)

    def __str__(self) -> str:
        return self.id
