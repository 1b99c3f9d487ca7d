"""What the owner of a key fills in: its settings, how it is rolled, and that it is revoked."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from secrets import token_urlsafe
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from msgspec import Struct

from accounts.keys import KeySettings
from accounts.models import ApiKey
from accounts.validators import validate_webhook_url
from billing.ledger import MILLICREDITS
from gateway.catalog import Model, list_models
from gateway.catalog.schema import MODEL_TYPES

NEVER, ON_A_DATE = "never", "date"
EXPIRIES = ((NEVER, "Never"), ("7", "In 7 days"), ("30", "In 30 days"), ("90", "In 90 days"), (ON_A_DATE, "On a date"))
PERIODS = (("day", "a day"), ("week", "a week"), ("month", "a month"))
HOUR, DAY = 3600, 86_400
OVERLAPS = (
    (HOUR, "In 1 hour"),
    (DAY, "In 24 hours"),
    (7 * DAY, "In 7 days"),
    (0, "At once"),
)


class ModelGroup(Struct):
    """The models of one type, and those of them that are ticked. `type` is "" for what is in no catalogue any more."""

    type: str
    label: str
    names: list[str]
    chosen: frozenset[str]
    whole: bool  # the type itself is ticked

    @property
    def is_open(self) -> bool:
        return bool(self.chosen)


class OneUseForm(forms.Form):
    """A form that makes one key, however often it is sent."""

    form_token = forms.CharField(max_length=64, widget=forms.HiddenInput, initial=lambda: token_urlsafe(24))


class SettingsForm(forms.Form):
    """A key's name and settings; `api_key` is the one to change. Owners may lower the site's limits, not raise them."""

    name = forms.CharField(
        max_length=100,
        help_text="One key for each project: each can be limited, and revoked, alone.",
        widget=forms.TextInput({"placeholder": "My project", "autocomplete": "off"}),
    )
    credit_limit = forms.DecimalField(
        label="Spending limit",
        required=False,
        min_value=Decimal("0.001"),
        max_value=Decimal(1_000_000_000),
        decimal_places=3,
        widget=forms.NumberInput({"placeholder": "None", "inputmode": "decimal"}),
        help_text="Empty: whatever your balance has. Days, weeks and months are those of the calendar, in UTC.",
    )
    credit_period = forms.ChoiceField(
        choices=PERIODS, required=False, initial="month", widget=forms.Select({"class": "w-32! shrink-0"})
    )
    expiry = forms.ChoiceField(
        label="Expires", choices=EXPIRIES, initial=NEVER, widget=forms.Select({"class": "w-full!"})
    )
    expires_on = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="It works until the end of this day, in UTC.",
    )
    requests_per_minute = forms.IntegerField(required=False, min_value=1)
    concurrent_videos = forms.IntegerField(label="Videos at a time", required=False, min_value=1)
    allowed_models = forms.MultipleChoiceField(required=False)
    webhook_url = forms.CharField(
        label="Webhook address",
        required=False,
        max_length=2000,
        validators=[validate_webhook_url],
        widget=forms.URLInput({"placeholder": "https://example.com/arkroute", "autocomplete": "off"}),
        help_text="Told when a video ends, if its request names no other address.",
    )

    def __init__(self, data: Any = None, *, api_key: ApiKey | None = None) -> None:
        super().__init__(data, initial=_settings_of(api_key) if api_key else None)
        self._api_key = api_key
        models = list_models()
        self._groups = [(kind, [model.id for model in models if model.type == kind]) for kind in MODEL_TYPES]
        self._unknown = _unknown_names(api_key, models)
        names = [*MODEL_TYPES, *(model.id for model in models), *self._unknown]
        self.fields["allowed_models"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        for name, default in (
            ("requests_per_minute", settings.REQUESTS_PER_MINUTE),
            ("concurrent_videos", settings.CONCURRENT_VIDEOS),
        ):
            self._limit(name, default)

    def model_groups(self) -> list[ModelGroup]:
        """The list of models, for the page."""
        ticked = frozenset(self["allowed_models"].value() or ())
        groups = [
            ModelGroup(kind, f"{kind.capitalize()} models", names, ticked.intersection([kind, *names]), kind in ticked)
            for kind, names in self._groups
        ]
        if self._unknown:
            groups.append(
                ModelGroup("", "Not in the catalogue", self._unknown, ticked.intersection(self._unknown), False)
            )
        return groups

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("expiry") == ON_A_DATE and "expires_on" in cleaned:
            day: date | None = cleaned["expires_on"]
            if day is None:
                self.add_error("expires_on", "Enter a date.")
            elif day < timezone.now().date() and not self._keeps(day):
                self.add_error("expires_on", "This day is over. Enter a later one.")
        return cleaned

    def key_settings(self) -> KeySettings:
        """What was entered, as keys have it."""
        cleaned = self.cleaned_data
        limit: Decimal | None = cleaned["credit_limit"]
        return KeySettings(
            requests_per_minute=cleaned["requests_per_minute"],
            concurrent_videos=cleaned["concurrent_videos"],
            credit_limit=int(limit * MILLICREDITS) if limit else None,
            credit_period=(cleaned["credit_period"] or "month") if limit else "",
            allowed_models=cleaned["allowed_models"],
            webhook_url=cleaned["webhook_url"],
            expires_at=self._expires_at(),
        )

    def _limit(self, name: str, default: int) -> None:
        """The site's default is the most, or what staff gave this key."""
        most = max(default, getattr(self._api_key, name, None) or 0)
        field = self.fields[name]
        assert isinstance(field, forms.IntegerField)
        field.max_value = most
        field.validators.append(forms.IntegerField(max_value=most).validators[-1])
        field.widget.attrs |= {"max": most, "placeholder": str(default)}
        field.help_text = f"At most {most}. Empty: {default}."

    def _keeps(self, day: date) -> bool:
        """Whether this is the day that the key expires on as it is."""
        key = self._api_key
        return key is not None and key.expires_at is not None and key.expires_at.date() == day

    def _expires_at(self) -> datetime | None:
        expiry: str = self.cleaned_data["expiry"]
        if expiry == NEVER:
            return None
        if expiry != ON_A_DATE:
            return timezone.now() + timedelta(days=int(expiry))
        day: date = self.cleaned_data["expires_on"]
        if self._api_key is not None and self._keeps(day):
            return self._api_key.expires_at  # of one that was rolled, the hour
        return datetime.combine(day, time(23, 59, 59), UTC)


class NewKeyForm(SettingsForm, OneUseForm):
    """A key that is to be made."""


class RollForm(OneUseForm):
    """When the old key ends."""

    overlap = forms.TypedChoiceField(
        label="The old key ends", choices=OVERLAPS, coerce=int, initial=DAY, help_text="Until then both work."
    )


class RevokeForm(forms.Form):
    """The key's name, typed, so that no click alone ends a program."""

    confirmation = forms.CharField(max_length=100, widget=forms.TextInput({"autocomplete": "off"}))

    def __init__(self, data: Any = None, *, api_key: ApiKey) -> None:
        super().__init__(data)
        self.expected = api_key.name or api_key.masked
        self.fields["confirmation"].widget.attrs["data-expected"] = self.expected

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self.expected:
            raise ValidationError("This is not its name: nothing was revoked.")
        return typed


def _settings_of(api_key: ApiKey) -> dict[str, Any]:
    return {
        "name": api_key.name,
        "credit_limit": Decimal(api_key.credit_limit) / MILLICREDITS if api_key.credit_limit else None,
        "credit_period": api_key.credit_period or "month",
        "expiry": ON_A_DATE if api_key.expires_at else NEVER,
        "expires_on": api_key.expires_at.date() if api_key.expires_at else None,
        "requests_per_minute": api_key.requests_per_minute,
        "concurrent_videos": api_key.concurrent_videos,
        "allowed_models": api_key.allowed_models,
        "webhook_url": api_key.webhook_url,
    }


def _unknown_names(api_key: ApiKey | None, models: list[Model]) -> list[str]:
    """What the key's list has and the catalogue has not. They stay: an empty list would allow all models."""
    known = {*MODEL_TYPES, *(model.id for model in models)}
    return [name for name in (api_key.allowed_models if api_key else ()) if name not in known]
