"""Credits that are given away: for a code, for bringing others, and those that lapse."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from billing import ledger
from billing.grants import (
    CodeRefused,
    expire_lapsed,
    invitation_of,
    note_referral,
    read_invitation,
    redeem,
    remaining_of,
    reward_referral,
)
from billing.ledger import apply_now, open_account
from billing.models import CreditAccount, LapsedGrant, LedgerEntry, PromotionCode
from billing.verbs import Capture, Hold, Post, Release

pytestmark = [pytest.mark.usefixtures("audited")]

Kind = LedgerEntry.Kind
CREDIT = ledger.MILLICREDITS


@pytest.fixture
def account() -> CreditAccount:
    return open_account(User.objects.create_user("alice@example.com"))


def balance(account: CreditAccount) -> int:
    return CreditAccount.objects.get(pk=account.pk).posted


def grant(account: CreditAccount, credits: int, cause: str, days: float | None = None) -> None:
    lapses = None if days is None else timezone.now() + timedelta(days=days)
    post(account, credits, Kind.GRANT, cause, expires_at=lapses)


def post(account: CreditAccount, credits: int, kind: Kind, cause: str, **more: Any) -> None:
    apply_now([Post(account_id=account.pk, amount=credits * CREDIT, kind=kind.value, cause=cause, **more)])


def hold(account: CreditAccount, credits: int, name: str) -> None:
    deadline = timezone.now() + timedelta(hours=1)
    apply_now([Hold(account_id=account.pk, hold_id=name, amount=credits * CREDIT, deadline=deadline)])


def spend(account: CreditAccount, credits: int, name: str) -> None:
    hold(account, credits, name)
    apply_now([Capture(account_id=account.pk, hold_id=name, amount=credits * CREDIT)])


def in_days(days: float) -> Any:
    return timezone.now() + timedelta(days=days)


# --- Codes ------------------------------------------------------------------------------------------------------------


def test_a_code_gives_its_credits_once_an_account(account: CreditAccount) -> None:
    PromotionCode.objects.create(code="HELLO", credits=5 * CREDIT)
    assert redeem(account, " hello ") == 5 * CREDIT
    with pytest.raises(CodeRefused, match="used this code already"):
        redeem(account, "HELLO")
    assert balance(account) == 5 * CREDIT


def test_a_code_is_for_so_many_and_until_a_time(account: CreditAccount) -> None:
    bob = open_account(User.objects.create_user("bob@example.com"))
    PromotionCode.objects.create(code="ONE", credits=CREDIT, redemptions_left=1)
    PromotionCode.objects.create(code="OVER", credits=CREDIT, redeemable_until=in_days(-1))
    redeem(bob, "ONE")
    for code in ("ONE", "OVER", "NEVER", "", "x" * 500):
        with pytest.raises(CodeRefused, match="not valid, or has run out"):
            redeem(account, code)
    assert (balance(account), balance(bob)) == (0, CREDIT)


def test_what_a_code_gives_may_lapse(account: CreditAccount) -> None:
    PromotionCode.objects.create(code="WEEK", credits=5 * CREDIT, valid_days=7)
    redeem(account, "WEEK")
    assert expire_lapsed() == 0
    assert expire_lapsed(in_days(8)) == 1
    assert balance(account) == 0
    assert LedgerEntry.objects.get(account=account, kind=Kind.EXPIRY).amount == -5 * CREDIT


# --- Lapsing ----------------------------------------------------------------------------------------------------------


def test_what_lapses_soonest_is_spent_first_and_what_was_bought_last(account: CreditAccount) -> None:
    post(account, 100, Kind.PURCHASE, "payment:1")
    grant(account, 30, "later", days=20)
    grant(account, 20, "sooner", days=10)
    spend(account, 25, "req")
    # 20 of the sooner one and 5 of the later one are spent, and nothing of what was bought.
    assert expire_lapsed(in_days(11)) == 1
    assert balance(account) == 125 * CREDIT
    assert expire_lapsed(in_days(21)) == 1
    assert balance(account) == 100 * CREDIT


def test_a_grant_lapses_once_however_often_it_is_looked_at(account: CreditAccount) -> None:
    grant(account, 10, "one", days=1)
    grant(account, 10, "all spent", days=0.5)
    spend(account, 10, "req")
    assert expire_lapsed(in_days(2)) == 2
    assert expire_lapsed(in_days(2)) == 0
    assert balance(account) == 0
    assert sorted(LapsedGrant.objects.values_list("amount", flat=True)) == [0, 10 * CREDIT]


def test_it_waits_for_calls_under_way_that_it_may_pay_for(account: CreditAccount) -> None:
    grant(account, 10, "one", days=1)
    hold(account, 8, "req")
    assert expire_lapsed(in_days(2)) == 0
    apply_now([Release(account_id=account.pk, hold_id="req")])
    assert expire_lapsed(in_days(2)) == 1
    assert balance(account) == 0


def test_it_takes_no_more_than_there_is(account: CreditAccount) -> None:
    grant(account, 10, "one", days=1)
    post(account, -7, Kind.DISPUTE, "dispute:1")
    assert expire_lapsed(in_days(2)) == 1
    assert balance(account) == 0


LENGTHS = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(1, 9)), max_size=4)


@given(LENGTHS, st.lists(st.integers(0, 6), max_size=12))
def test_what_is_left_follows_a_model_that_spends_one_by_one(
    lengths: list[tuple[int, int, int]], amounts: list[int]
) -> None:
    """Against the rule played out: each spending takes the grant that lapses soonest of those that are there."""
    day, start = timedelta(days=1), timezone.now()
    grants = [
        LedgerEntry(
            id=number,
            amount=amount,
            created_at=start + day * begin,
            expires_at=start + day * (begin + length),
        )
        for number, (begin, length, amount) in enumerate(lengths)
    ]
    spent = {start + day * at + day / 2: amount for at, amount in enumerate(amounts)}

    expected = {one.pk: one.amount for one in grants}
    for moment, amount in spent.items():
        there = [one for one in grants if one.created_at <= moment < one.expires_at]  # type: ignore[operator]
        for one in sorted(there, key=lambda one: (one.expires_at, one.pk)):
            used = min(amount, expected[one.pk])
            expected[one.pk] -= used
            amount -= used

    def between(begin: Any, end: Any) -> int:
        return sum(amount for moment, amount in spent.items() if begin <= moment < end)

    assert remaining_of(grants, between) == expected


# --- Those who bring others -------------------------------------------------------------------------------------------


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice@example.com")


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob@example.com")


def test_who_brings_a_buyer_is_rewarded_once_and_so_is_the_buyer(alice: User, bob: User, settings: Any) -> None:
    settings.REFERRAL_CREDITS = 50
    accounts = [open_account(alice), open_account(bob)]
    note_referral(bob, alice.pk)
    note_referral(bob, bob.pk)
    note_referral(alice, alice.pk)
    for user in (bob, bob, alice):
        reward_referral(user.pk)
    assert [balance(account) for account in accounts] == [50 * CREDIT, 50 * CREDIT]


def test_nobody_is_rewarded_unless_the_operator_says_so(alice: User, bob: User) -> None:
    accounts = [open_account(alice), open_account(bob)]
    note_referral(bob, alice.pk)
    reward_referral(bob.pk)
    assert [balance(account) for account in accounts] == [0, 0]


def test_an_invitation_leads_to_who_gave_it_and_cannot_be_made_up(alice: User, settings: Any) -> None:
    settings.REFERRAL_CREDITS = 50
    browser = Client()
    invitation = invitation_of(alice)
    assert read_invitation(invitation) == alice.pk
    assert read_invitation(f"{alice.pk}.made-up") is None
    browser.get(f"/invite/{invitation}/")
    signed_up = browser.post("/accounts/signup/", {"email": "carol@example.com", "password1": "a-long-pass-phrase"})
    assert signed_up.status_code == 302
    assert User.objects.get(email="carol@example.com").referred_by.referrer == alice
