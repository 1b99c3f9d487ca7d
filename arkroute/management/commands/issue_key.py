"""`manage.py issue_key --email E`: a key for a person who may be new, alone on stdout so that a script can take it."""

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from accounts.keys import issue_key
from accounts.models import ApiKey, User
from billing.ledger import MILLICREDITS, grant_signup_credits
from gateway.catalog import get_model
from gateway.catalog.schema import MODEL_TYPES
from gateway.errors import ModelNotFound


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
        parser.add_argument(
            "--credit-limit", type=float, help="credits that the key may spend in a period (default: no limit)"
        )
        parser.add_argument("--credit-period", choices=ApiKey.Period.values, default=ApiKey.Period.MONTH.value)
        parser.add_argument(
            "--model",
            dest="models",
            action="append",
            default=[],
            help="a model, or a type of models, that the key may use; may be given again (default: all)",
        )

    @transaction.atomic
    def handle(
        self,
        *,
        email: str,
        name: str,
        credits: int,
        rpm: int | None,
        credit_limit: float | None,
        credit_period: str,
        models: list[str],
        **options: Any,
    ) -> None:
        email = User.objects.normalize_email(email)
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"`{email}` is no e-mail address.") from error
        if credits < 0:
            raise CommandError("--credits is zero or more.")
        if rpm is not None and rpm < 1:
            raise CommandError("--rpm is at least one request a minute.")
        if credit_limit is not None and not 0.001 <= credit_limit < 1e12:
            raise CommandError("--credit-limit is at least 0.001 credits.")
        allowed_models = [find_name(name) for name in models]

        user = User.objects.filter(email=email).first()
        if user is None:
            user = create_user(email, credits)
        elif not user.is_active:
            raise CommandError(f"The account of {email} is closed. Open it in the admin first.")
        else:
            self.stderr.write(f"{email} has an account already: its balance stays as it is.")
        issued = issue_key(
            user,
            name,
            requests_per_minute=rpm,
            credit_limit=round(credit_limit * MILLICREDITS) if credit_limit else None,
            credit_period=credit_period if credit_limit else "",
            allowed_models=allowed_models,
        )
        self.stdout.write(issued.secret)


def find_name(name: str) -> str:
    """A type of models as it is, a model's id or alias as its id. Raises `CommandError` for what is neither."""
    if name in MODEL_TYPES:
        return name
    try:
        return get_model(name).id
    except ModelNotFound as error:
        raise CommandError(f"--model {name}: {error.message}") from error


def create_user(email: str, credits: int) -> User:
    """A new user who has exactly these credits, and no password: one is set through "Forgot your password?"."""
    user = User.objects.create_user(email)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    grant_signup_credits(user, credits)
    return user
