"""Staff adjusts credits: with a reason, once, never below zero, and only where it may."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import Sum
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing import ledger
from billing.adjustments import book_adjustment
from billing.models import Adjustment, CreditAccount, LedgerEntry, SystemAccount
from billing.verbs import Hold
from tests.billing.conftest import balance_of, entries_of, in_a_minute

REASON = "The clip of Tuesday was black."


@pytest.fixture
def staff(alice: int, sign_in) -> Client:
    return sign_in("adjust_credits", "view_creditaccount", "view_ledgerentry", "view_user")


def page_of(account: int) -> str:
    return reverse("admin:billing_adjust", args=[account])


def filled(staff: Client, account: int, amount: str, reason: str = REASON) -> dict[str, str]:
    token = staff.get(page_of(account)).context["form"]["token"].value()
    return {"amount": amount, "reason": reason, "token": token}


def confirm(staff: Client, account: int, form: dict[str, str]) -> str:
    answer = staff.post(page_of(account), {**form, "confirmed": "yes"}, follow=True)
    return answer.content.decode()


def test_it_shows_before_and_after_and_enters_nothing_until_that_is_confirmed(alice, staff) -> None:
    form = filled(staff, alice, "2.5")
    shown = staff.post(page_of(alice), form)
    assert ("Available", "10", "12.5") in shown.context["lines"]
    assert "Enter +2.5 credits" in shown.content.decode()
    assert balance_of(alice) == (10_000, 0)

    page = confirm(staff, alice, form)
    assert "+2.5 credits entered. 12.5 are available now." in page
    assert balance_of(alice) == (12_500, 0)
    assert entries_of(alice)[-1] == ("adjustment", 2_500, f"adjustment:{form['token']}")
    ours = LedgerEntry.objects.filter(account_id=SystemAccount.ADJUSTMENTS)
    assert ours.aggregate(total=Sum("amount"))["total"] == -2_500


def test_who_did_it_and_why_is_kept_twice(alice, staff) -> None:
    form = filled(staff, alice, "-0.125")
    confirm(staff, alice, form)
    adjustment = Adjustment.objects.get()
    assert (adjustment.amount, adjustment.reason, adjustment.staff.email) == (-125, REASON, "staff@example.com")
    entry = LedgerEntry.objects.get(account_id=alice, kind="adjustment")
    page = staff.get(reverse("admin:billing_ledgerentry_change", args=[entry.pk])).content.decode()
    for shown in (REASON, "staff@example.com", "-0.125", "9.875"):
        assert shown in page
    assert REASON in LogEntry.objects.get(object_id=str(alice)).change_message


@pytest.mark.database
def test_sent_twice_it_is_entered_once(alice, staff) -> None:
    form = filled(staff, alice, "5")
    confirm(staff, alice, form)
    assert "was entered before" in confirm(staff, alice, form)
    assert balance_of(alice) == (15_000, 0)
    assert LogEntry.objects.count() == Adjustment.objects.count() == 1


def test_it_takes_no_more_than_is_available(alice, staff) -> None:
    ledger.apply_now([Hold(account_id=alice, hold_id="r1", amount=4_000, deadline=in_a_minute())])
    form = filled(staff, alice, "-6.001")
    assert "6 credits are available. Take 6 at most." in staff.post(page_of(alice), form).content.decode()
    assert "6 credits are available. Take 6 at most." in confirm(staff, alice, form)
    assert balance_of(alice) == (10_000, 4_000)
    confirm(staff, alice, {**form, "amount": "-6"})
    assert balance_of(alice) == (4_000, 4_000)


def test_what_is_not_right_is_refused_with_a_word_on_it(alice, staff) -> None:
    good = filled(staff, alice, "1")
    for wrong, word in (
        ({"amount": "0"}, "Nothing would change."),
        ({"amount": "1.0001"}, "no more than 3 decimal places"),
        ({"amount": "NaN"}, "Enter a number."),
        ({"amount": "1e30"}, "no more than 12 digits"),
        ({"amount": ""}, "This field is required."),
        ({"reason": "   short   "}, "at least 10 characters"),
        ({"reason": "x" * 501}, "at most 500 characters"),
        ({"token": "../../signup:7"}, "This form is broken."),
    ):
        assert word in confirm(staff, alice, {**good, **wrong}), wrong
    assert balance_of(alice) == (10_000, 0)


def test_our_own_accounts_are_not_adjusted(alice, staff) -> None:
    for account in (SystemAccount.ADJUSTMENTS.value, 0, 10**9):
        assert staff.post(f"/admin/billing/creditaccount/{account}/adjust/", {"confirmed": "yes"}).status_code in (
            302,  # to the admin's first page: a row of that name is not there
            404,
        )
    root = User.objects.get(email="staff@example.com")
    with pytest.raises(ValueError, match="one of our own"):
        book_adjustment(CreditAccount.objects.get(pk=SystemAccount.GRANTS), 1, REASON, root, "adjustment:1")
    assert not Adjustment.objects.exists()


def test_who_may_only_look_adjusts_nothing(alice, sign_in) -> None:
    client = sign_in("view_creditaccount", "change_creditaccount", "view_user", "change_ledgerentry", "view_adjustment")
    assert client.get(page_of(alice)).status_code == 403
    form = {"amount": "1", "reason": REASON, "token": "0" * 32, "confirmed": "yes"}
    assert client.post(page_of(alice), form).status_code == 403
    for page in ("admin:billing_creditaccount_change", "admin:accounts_user_change"):
        assert "Adjust credits" not in client.get(reverse(page, args=[alice])).content.decode()
    assert balance_of(alice) == (10_000, 0)


def test_the_page_is_a_click_away_from_user_and_account(alice, staff) -> None:
    for page in ("admin:billing_creditaccount_change", "admin:accounts_user_change"):
        assert page_of(alice) in staff.get(reverse(page, args=[alice])).content.decode()


def test_an_adjustment_is_neither_changed_nor_deleted(alice, sign_in) -> None:
    root = User.objects.create_superuser("root@example.com")
    book_adjustment(CreditAccount.objects.get(pk=alice), 1000, REASON, root, "adjustment:1")
    client = Client()
    client.force_login(root)
    path = reverse("admin:billing_adjustment_change", args=["adjustment:1"])
    assert REASON in client.get(path).content.decode()
    assert client.post(path, {"reason": "another reason"}).status_code == 403
    delete = reverse("admin:billing_adjustment_delete", args=["adjustment:1"])
    assert client.post(delete, {"post": "yes"}).status_code == 403
