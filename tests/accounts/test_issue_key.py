"""`manage.py issue_key`, as a script calls it."""

from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command

from accounts.keys import find_key, looks_valid
from accounts.models import ApiKey, User
from billing.models import CreditAccount, LedgerEntry
from gateway.catalog import get_model

pytestmark = pytest.mark.django_db(transaction=True)


def issue_key(*arguments):
    """The two outputs of the command."""
    out, err = StringIO(), StringIO()
    call_command("issue_key", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def balance(email):
    return CreditAccount.objects.get(owner__email=email).posted


def test_a_new_user_gets_a_key_alone_on_stdout_and_the_credits_of_a_sign_up():
    out, err = issue_key("--email", "Alice@Example.com", "--name", "demo")
    assert out == out.strip() + "\n"
    assert looks_valid(out.strip())
    assert err == ""
    assert balance("alice@example.com") == 500_000
    caller = async_to_sync(find_key)(out.strip())
    assert (caller.email, caller.key_name, caller.requests_per_minute) == ("alice@example.com", "demo", 600)


def test_a_new_user_gets_exactly_the_credits_asked_for():
    issue_key("--email", "alice@example.com", "--credits", "7")
    issue_key("--email", "bob@example.com", "--credits", "0")
    assert balance("alice@example.com") == 7000
    assert balance("bob@example.com") == 0


def test_an_existing_user_gets_a_key_and_keeps_the_balance():
    issue_key("--email", "alice@example.com", "--credits", "7")
    out, err = issue_key("--email", "ALICE@example.com", "--credits", "900")
    assert looks_valid(out.strip())
    assert "its balance stays" in err
    assert balance("alice@example.com") == 7000
    assert ApiKey.objects.filter(user__email="alice@example.com").count() == 2


def test_the_key_carries_its_own_rate():
    out, _ = issue_key("--email", "alice@example.com", "--rpm", "12")
    assert async_to_sync(find_key)(out.strip()).requests_per_minute == 12


def test_the_key_carries_its_own_limits():
    limits = ("--credit-limit", "2.5", "--credit-period", "week", "--model", "video", "--model", "codex-auto-review")
    out, _ = issue_key("--email", "alice@example.com", *limits)
    caller = async_to_sync(find_key)(out.strip())
    assert (caller.credit_limit, caller.credit_period) == (2500, "week")
    assert caller.allowed_models == {"video", get_model("codex-auto-review").id}


def test_the_new_user_chooses_a_password_by_mail(client, mailoutbox, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    issue_key("--email", "alice@example.com")
    client.post("/accounts/password/reset/", {"email": "alice@example.com"})
    assert "/accounts/password/reset/key/" in mailoutbox[0].body


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--email", "nobody"], "no e-mail address"),
        (["--email", "alice@example.com", "--credits", "-1"], "zero or more"),
        (["--email", "alice@example.com", "--credits", "many"], "invalid int value"),
        (["--email", "alice@example.com", "--rpm", "0"], "at least one"),
        (["--email", "alice@example.com", "--credit-limit", "nan"], "at least 0.001"),
        (["--email", "alice@example.com", "--model", "gpt-99"], "There is no model `gpt-99`"),
        ([], "--email"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_made(arguments, reason):
    with pytest.raises(CommandError, match=reason):
        issue_key(*arguments)
    assert not User.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_a_closed_account_gets_no_key():
    User.objects.create_user("alice@example.com", is_active=False)
    with pytest.raises(CommandError, match="is closed"):
        issue_key("--email", "alice@example.com")
