"""What is known of the pictures in our storage."""

from django.db import models

from billing.models import CreditAccount


class StoredPicture(models.Model):
    """A picture that a call made and that lies in our storage. Written with the call's receipt, gone with its file.

    What a video comes to stands in its task.
    """

    id = models.CharField(primary_key=True, max_length=60, help_text="sorts by time, as ids of tasks do")
    # No constraint in the database: the hold of the call has locked the account, and accounts stay.
    account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="pictures"
    )
    request_id = models.CharField(max_length=60, db_index=True, help_text="of the call; its receipt's id, too")
    name = models.CharField(max_length=100, help_text="in our storage")
    mime = models.CharField(max_length=40)
    created_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("account", "id"), name="pictures_of_an_account"),)

    def __str__(self) -> str:
        return f"{self.id}: {self.name}"
