"""Every user is granted the credits of a sign-up once."""

import pytest
from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed, user_signed_up

from accounts.models import User
from billing import ledger
from billing.models import CreditAccount, LedgerEntry
from tests.billing.conftest import entries_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_user("alice@example.com")


def posted(user: User) -> int | None:
    return CreditAccount.objects.filter(pk=user.pk).values_list("posted", flat=True).first()


def sign_up(user: User) -> None:
    user_signed_up.send(sender=User, request=None, user=user)


def confirm(user: User) -> None:
    address, _ = EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True})
    email_confirmed.send(sender=EmailAddress, request=None, email_address=address)


def test_credits_are_granted_at_sign_up_where_no_confirmation_is_asked_for(user: User, settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    sign_up(user)
    assert entries_of(user.pk) == [("grant", 500_000, f"signup:{user.pk}")]
    confirm(user)
    assert posted(user) == 500_000


def test_credits_wait_for_the_confirmation_where_it_is_mandatory(user: User, settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    sign_up(user)
    assert posted(user) is None
    confirm(user)
    confirm(user)
    assert posted(user) == 500_000


def test_an_address_that_came_confirmed_is_not_asked_again(user: User, settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    sign_up(user)
    assert posted(user) == 500_000


def test_another_amount_takes_the_place_of_the_usual_one(user: User) -> None:
    assert ledger.grant_signup_credits(user, credits=7) is True
    assert ledger.grant_signup_credits(user) is False
    assert posted(user) == 7_000


def test_no_credits_open_an_empty_account(user: User) -> None:
    assert ledger.grant_signup_credits(user, credits=0) is False
    assert posted(user) == 0
    assert not LedgerEntry.objects.exists()


def test_an_account_that_the_operator_opened_without_credits_gets_none_at_a_confirmation(user: User) -> None:
    ledger.grant_signup_credits(user, credits=0)
    confirm(user)
    assert posted(user) == 0


def test_an_address_is_welcomed_once_whatever_becomes_of_its_account(user: User, settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    sign_up(user)
    User.objects.filter(pk=user.pk).update(email="deleted-1@deleted.invalid")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    again = User.objects.create_user("Alice@Example.com")
    sign_up(again)
    assert posted(again) == 0
    User.objects.filter(pk=again.pk).update(email="deleted-2@deleted.invalid")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a third", []
    forgotten = User.objects.create_user("alice@example.com")
    sign_up(forgotten)
    assert posted(forgotten) == 500_000, "whose key is gone cannot be known"
