"""What a user fills in at the settings: a name, what to be told by mail, and the address that ends an account."""

from typing import Any

from django import forms
from msgspec import Struct

from accounts.models import User
from gateway.models import NoticeKind, NoticePreferences
from gateway.notices.preferences import HIGHEST_THRESHOLD, MOST_THRESHOLDS, preferences_of_one
from gateway.notices.words import ABOUT, Words, example_of


class ProfileForm(forms.Form):
    name = forms.CharField(
        required=False,
        max_length=150,
        widget=forms.TextInput({"autocomplete": "name", "class": "input min-w-0"}),
        help_text="How our mails address you. Nobody else sees it.",
    )

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data, initial={"name": user.get_full_name()})
        self._user = user

    def save(self) -> None:
        self._user.first_name, self._user.last_name = self.cleaned_data["name"], ""
        self._user.save(update_fields=["first_name", "last_name"])


class Line(Struct, frozen=True):
    """A kind of mail as the form shows it: its field, what it is about, and what it says."""

    kind: str
    field: forms.BoundField
    name: str
    text: str
    example: Words


class NotificationsForm(forms.Form):
    """The thresholds of the balance, and a switch for each of the other kinds."""

    low_balance = forms.CharField(
        label="Below, in credits",
        required=False,
        max_length=100,
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off", "placeholder": "Off"}),
        help_text=f"Whole credits; several with commas between them, {MOST_THRESHOLDS} at most. Empty: off.",
    )

    def __init__(self, user: User, data: Any = None) -> None:
        self._preferences = preferences_of_one(user.pk)
        thresholds = ", ".join(str(one) for one in self._preferences.thresholds)
        switches = {kind.value: getattr(self._preferences, kind.value) for kind in NoticePreferences.SWITCHES}
        super().__init__(data, initial={"low_balance": thresholds, **switches})
        for kind in NoticePreferences.SWITCHES:
            self.fields[kind.value] = forms.BooleanField(
                label=ABOUT[kind].name,
                required=False,
                widget=forms.CheckboxInput({"role": "switch", "class": "input", "aria-describedby": f"about-{kind}"}),
            )

    def lines(self) -> list[Line]:
        """One for each kind, for the page."""
        return [
            Line(kind.value, self[kind.value], ABOUT[kind].name, ABOUT[kind].text, example_of(kind))
            for kind in NoticeKind
        ]

    def clean_low_balance(self) -> list[int]:
        """The thresholds, the highest first."""
        parts = [part for part in self.cleaned_data["low_balance"].replace(";", ",").split(",") if part.strip()]
        try:
            thresholds = sorted({int(part.strip()) for part in parts}, reverse=True)
        except ValueError:
            raise forms.ValidationError("Enter whole numbers with commas between them, such as 200, 50.") from None
        if len(thresholds) > MOST_THRESHOLDS:
            raise forms.ValidationError(f"Enter at most {MOST_THRESHOLDS} amounts.")
        if thresholds and not (thresholds[-1] >= 1 and thresholds[0] <= HIGHEST_THRESHOLD):
            raise forms.ValidationError(f"Enter amounts from 1 to {HIGHEST_THRESHOLD:,} credits.")
        return thresholds

    def save(self) -> None:
        self._preferences.thresholds = self.cleaned_data["low_balance"]
        for kind in NoticePreferences.SWITCHES:
            setattr(self._preferences, kind.value, self.cleaned_data[kind.value])
        self._preferences.save()


class DeletionForm(forms.Form):
    """Takes what nobody types by mistake."""

    email = forms.EmailField(
        label="Your e-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )

    def __init__(self, user: User, data: dict[str, str] | None = None) -> None:
        super().__init__(data)
        self.user = user

    def clean_email(self) -> str:
        email = User.objects.normalize_email(self.cleaned_data["email"])
        if email != self.user.email:
            raise forms.ValidationError(f"This is not the address of this account. Type {self.user.email}.")
        return email
