"""Forms of allauth in our words."""

from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms


class AddPasskeyForm(AddWebAuthnForm):
    """A key is made to sign in with it alone, unless its owner wants it beside the password."""

    name = forms.CharField(required=False, max_length=100, help_text="To tell it from others: where it is kept.")
    passwordless = forms.BooleanField(
        label="Sign in with it alone, without the password",
        initial=True,
        required=False,
        help_text="Takes a device that checks who you are: a fingerprint, a face, or a PIN.",
    )
