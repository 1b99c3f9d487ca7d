"""`manage.py issue_key --email E`: a key for a person who may be new, alone on stdout so that a script can take it."""

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from accounts.keys import issue_key
from accounts.models import User
from billing.ledger import grant_signup_credits


class Command(BaseCommand):
    help = "Issues an API key, for a new user if need be, and prints it alone on stdout. It is shown only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="the owner; a user is created if there is none")
        parser.add_argument("--name", default="", help="what the owner calls the key")
        parser.add_argument(
            "--credits",
            type=int,
            default=settings.SIGNUP_CREDITS,
            help="what a new user starts with (default: %(default)s)",
        )
        parser.add_argument("--rpm", type=int, help=f"requests a minute (default: {settings.REQUESTS_PER_MINUTE})")

    @transaction.atomic
    def handle(self, *, email: str, name: str, credits: int, rpm: int | None, **options: Any) -> None:
        email = User.objects.normalize_email(email)
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"`{email}` is no e-mail address.") from error
        if credits < 0:
            raise CommandError("--credits is zero or more.")
        if rpm is not None and rpm < 1:
            raise CommandError("--rpm is at least one request a minute.")

        user = User.objects.filter(email=email).first()
        if user is None:
            user = create_user(email, credits)
        elif not user.is_active:
            raise CommandError(f"The account of {email} is closed. Open it in the admin first.")
        else:
            self.stderr.write(f"{email} has an account already: its balance stays as it is.")
        self.stdout.write(issue_key(user, name, requests_per_minute=rpm).secret)


def create_user(email: str, credits: int) -> User:
    """A new user who has exactly these credits, and no password: one is set through "Forgot your password?"."""
    user = User.objects.create_user(email)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    grant_signup_credits(user, credits)
    return user
