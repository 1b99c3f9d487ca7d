"""The end of an account: nobody can tell any more whose it was. Its row stays, for the ledger's sake."""

from secrets import token_hex

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from accounts.keys import revoke_key
from accounts.models import ApiKey, User

# Of the addresses of deleted accounts. Mail to `.invalid` is never delivered (RFC 2606).
DELETED_HOST = "@deleted.invalid"


def revoke_all_keys(user: User) -> None:
    """Nothing new begins in the user's name."""
    for key in ApiKey.objects.filter(user=user, revoked_at=None):
        revoke_key(key)


def make_anonymous(user: User) -> None:
    """Takes away what tells who the user was and all ways in: address, password, sessions, second factors, rights.

    The new address is nobody's. The keys' rows stay for the receipts that name them, without what their owner called
    them.
    """
    with transaction.atomic():
        user.email = f"deleted-{token_hex(16)}{DELETED_HOST}"
        user.first_name = user.last_name = ""
        user.keeps_inputs = False
        user.set_unusable_password()
        user.is_active = user.is_staff = user.is_superuser = False
        user.last_login = None
        user.save()
        user.groups.clear()
        user.user_permissions.clear()
        EmailAddress.objects.filter(user=user).delete()
        Authenticator.objects.filter(user=user).delete()
        for session in UserSession.objects.filter(user=user):
            session.end()
        ApiKey.objects.filter(user=user).update(name="", webhook_url="")
        # What the staff did to the account is remembered, with its number in place of its address.
        changes = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
        changes.update(object_repr=user.email)
