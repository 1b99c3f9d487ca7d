"""What people fill in about money."""

from typing import Any

from django import forms

from billing.ledger import MILLICREDITS
from billing.models import AutoTopUp
from billing.packs import LARGEST_AMOUNT, MINOR_UNITS, SMALLEST_AMOUNT

LARGEST_CAP = 10_000
LARGEST_THRESHOLD = 100_000


class TopUpForm(forms.Form):
    """Automatic top-ups; amounts in whole dollars and credits."""

    enabled = forms.BooleanField(label="Buy credits automatically", required=False)
    threshold = forms.IntegerField(
        label="When fewer credits are left than", min_value=1, max_value=LARGEST_THRESHOLD, initial=100
    )
    amount = forms.IntegerField(
        label="Buy for, in dollars", min_value=SMALLEST_AMOUNT, max_value=LARGEST_AMOUNT, initial=20
    )
    monthly_cap = forms.IntegerField(
        label="At most in a month, in dollars", min_value=SMALLEST_AMOUNT, max_value=LARGEST_CAP, initial=100
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        amount, cap = cleaned.get("amount"), cleaned.get("monthly_cap")
        if amount and cap and cap < amount:
            self.add_error("monthly_cap", "This must be at least what is bought at a time.")
        return cleaned

    @staticmethod
    def of(top_up: AutoTopUp | None) -> "TopUpForm":
        """The form as it stands now."""
        if top_up is None:
            return TopUpForm()
        return TopUpForm(
            initial={
                "enabled": top_up.enabled,
                "threshold": top_up.threshold // MILLICREDITS,
                "amount": top_up.price // MINOR_UNITS,
                "monthly_cap": top_up.monthly_cap // MINOR_UNITS,
            }
        )

    @property
    def fields_of_row(self) -> dict[str, Any]:
        """What a valid form says, in the units of `AutoTopUp`."""
        return {
            "enabled": self.cleaned_data["enabled"],
            "threshold": self.cleaned_data["threshold"] * MILLICREDITS,
            "price": self.cleaned_data["amount"] * MINOR_UNITS,
            "monthly_cap": self.cleaned_data["monthly_cap"] * MINOR_UNITS,
        }
