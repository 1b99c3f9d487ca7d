"""Deleting an account: every room lets go of its part, in the order in which nothing new can come after."""

from functools import partial

from allauth.account.adapter import get_adapter
from asgiref.sync import async_to_sync
from django.db import transaction
from django.http import HttpRequest

from accounts.deletion import make_anonymous, revoke_all_keys
from accounts.models import User
from billing.leaving import stop_payments
from gateway.flows.leaving import leave


def delete_account(request: HttpRequest, user: User) -> None:
    """Ends the user's keys, videos, webhooks and sessions, and makes the user anonymous. The ledger stays as it is.

    Where it fails midway it can be asked for again. The address that is forgotten is told, for the last time.
    """
    address = user.email
    revoke_all_keys(user)
    stop_payments(user.pk)
    async_to_sync(leave)(user.pk)
    with transaction.atomic():
        make_anonymous(user)
        tell = partial(get_adapter(request).send_mail, "account/email/account_deleted", address, {})
        # A mail server that does not answer undoes nothing.
        transaction.on_commit(tell, robust=True)
