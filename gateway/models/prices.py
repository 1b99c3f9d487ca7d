"""What was promised of prices."""

from django.db import models


class QuotedPrice(models.Model):
    """A model's facts, prices among them, as somebody was quoted them; honoured until `until`."""

    id = models.CharField(primary_key=True, max_length=64, help_text="SHA-256 of the facts")
    model_id = models.CharField(max_length=100)
    facts = models.TextField(help_text="the catalogue's entry, JSON")
    until = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.model_id} until {self.until:%Y-%m-%d %H:%M:%S}"
