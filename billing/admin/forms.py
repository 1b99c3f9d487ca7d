"""The form by which staff adjusts credits."""

from secrets import token_hex
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from billing.amounts import credits_text
from billing.ledger import MILLICREDITS
from billing.models import CreditAccount

SHORTEST_REASON, LONGEST_REASON = 10, 500


class AdjustmentForm(forms.Form):
    """`millicredits` and `cause` are what it comes to. Its token makes it one adjustment, however often it is sent."""

    amount = forms.DecimalField(
        label="Credits",
        max_digits=12,
        decimal_places=3,
        help_text="Up to three decimals. More than 0 gives credits, less takes them back.",
    )
    reason = forms.CharField(
        min_length=SHORTEST_REASON,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="Kept in the books for good, with your name. Write it so that the user may read it.",
    )
    token = forms.CharField(
        widget=forms.HiddenInput,
        initial=lambda: token_hex(16),
        validators=[RegexValidator(r"^[0-9a-f]{32}\Z", "This form is broken. Open it again.")],
    )

    def __init__(self, account: CreditAccount, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.account = account

    @property
    def millicredits(self) -> int:
        return int(self.cleaned_data["amount"] * MILLICREDITS)

    @property
    def cause(self) -> str:
        return f"adjustment:{self.cleaned_data['token']}"

    def clean_amount(self) -> Any:
        amount = self.cleaned_data["amount"]
        if amount == 0:
            raise forms.ValidationError("Nothing would change.")
        return amount

    def refuse_for(self, available: int) -> None:
        """Says that there is less to take than was asked for. `available` is in millicredits."""
        left = max(0, available)
        advice = f"Take {credits_text(left)} at most." if left else "There is nothing to take."
        self.add_error("amount", f"{credits_text(available)} credits are available. {advice}")
