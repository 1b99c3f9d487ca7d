"""What the ledger does when Django or allauth tell of something: accounts that open, and the credits of a sign-up."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed, user_signed_up
from django.apps import apps as installed_apps
from django.apps.registry import Apps
from django.conf import settings
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.addresses import welcome_once
from accounts.models import User
from billing.grants import note_referral
from billing.ledger import grant_signup_credits, open_account
from billing.models import CreditAccount, SystemAccount

# Where the session keeps the account that invited its visitor.
INVITED_BY = "invited_by"


def open_system_accounts(using: str, apps: Apps = installed_apps, **signal: Any) -> None:
    """Opens our own side of every entry, after each migration and each flush."""
    try:
        account = apps.get_model("billing", "CreditAccount")
    except LookupError:  # the app's migrations were taken back
        return
    account.objects.using(using).bulk_create([account(id=id_) for id_ in SystemAccount.values], ignore_conflicts=True)


@receiver(user_signed_up)
def grant_at_signup(user: User, **signal: Any) -> None:
    """Waits for the confirmation where it is mandatory, unless the address came confirmed (from a sign-in provider)."""
    if (
        settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory"
        or EmailAddress.objects.filter(user=user, verified=True).exists()
    ):
        _welcome(user)


@receiver(user_signed_up)
def note_who_invited(request: HttpRequest, user: User, **signal: Any) -> None:
    """The session says whose invitation was followed."""
    referrer_id = request.session.pop(INVITED_BY, None) if request is not None else None
    if referrer_id is not None:
        note_referral(user, referrer_id)


@receiver(email_confirmed)
def grant_at_confirmation(email_address: EmailAddress, **signal: Any) -> None:
    """An account that is open already had its credits, or was opened without any by the operator."""
    user = email_address.user
    if not CreditAccount.objects.filter(pk=user.pk).exists():
        _welcome(user)


def _welcome(user: User) -> None:
    """Opens the account, and grants the credits of a sign-up unless the address had them before: with an account that
    was deleted, or has another address now."""
    with transaction.atomic():
        if welcome_once(user.email):
            grant_signup_credits(user)
        else:
            open_account(user)
