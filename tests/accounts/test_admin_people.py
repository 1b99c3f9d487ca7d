"""What staff sees of a person and does about one: state, keys, sessions, second factors, and the search by them."""

from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.deletion import make_anonymous
from accounts.keys import IssuedKey, issue_key, revoke_key
from accounts.models import User

FIND = "/admin/find/"
SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture
def alice(transactional_db: None) -> User:
    user = User.objects.create_user("alice@example.com", "a-password")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def key(alice: User) -> IssuedKey:
    return issue_key(alice, "laptop")


@pytest.fixture
def boss(transactional_db: None) -> User:
    return User.objects.create_superuser("boss@example.com")


def page_of(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def text_of(client: Client, path: str, **params: str) -> str:
    answer = client.get(path, params)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_users_page_says_how_the_account_is(alice, key, sign_in) -> None:
    revoke_key(issue_key(alice, "old").api_key)
    TOTP.activate(alice, SECRET)
    page = text_of(sign_in("view_user", "view_apikey"), page_of(alice))
    for shown in ("alice@example.com, verified", "authenticator app", "1 open, 1 revoked, 0 expired, never used"):
        assert shown in page
    make_anonymous(alice)
    assert "deleted: made anonymous" in text_of(sign_in_again(), page_of(alice))


def sign_in_again() -> Client:
    client = Client()
    client.force_login(User.objects.get(email="staff@example.com"))
    return client


def test_what_needs_a_permission_is_not_on_a_users_page_without_it(alice, key, sign_in) -> None:
    page = text_of(sign_in("view_user"), page_of(alice))
    assert "At a glance" in page
    for hidden in ("1 open, 0 revoked", "Ledger", "Receipts", "Adjust credits"):
        assert hidden not in page


def test_who_may_change_users_gives_nobody_rights(alice, sign_in) -> None:
    client = sign_in("view_user", "change_user")
    form = {"email": alice.email, "first_name": "Al", "is_active": "on", "is_superuser": "on", "is_staff": "on"}
    assert client.post(page_of(alice), form).status_code == 302
    alice.refresh_from_db()
    assert (alice.first_name, alice.is_superuser, alice.is_staff) == ("Al", False, False)


def test_who_may_change_users_changes_none_of_the_staff(boss, sign_in) -> None:
    client = sign_in("view_user", "change_user", "delete_user")
    staff = User.objects.get(email="staff@example.com")
    for user in (boss, staff):
        assert client.post(page_of(user), {"email": "mine@example.com"}).status_code == 403
        assert client.get(reverse("admin:auth_user_password_change", args=[user.pk])).status_code == 403
        assert client.post(reverse("admin:accounts_user_delete", args=[user.pk]), {"post": "yes"}).status_code == 403


def test_secrets_of_second_factors_and_sessions_are_not_shown(alice, sign_in) -> None:
    factor = TOTP.activate(alice, SECRET).instance
    session = UserSession.objects.create(user=alice, session_key="s3ss10nkey", ip="192.0.2.7", user_agent="Firefox")
    client = sign_in("view_authenticator", "view_usersession", "change_authenticator", "change_usersession")
    for model, row in (("mfa_authenticator", factor), ("usersessions_usersession", session)):
        pages = text_of(client, reverse(f"admin:{model}_changelist"), q=alice.email) + text_of(
            client, reverse(f"admin:{model}_change", args=[row.pk])
        )
        assert "alice@example.com" in pages
        assert SECRET not in pages
        assert "s3ss10nkey" not in pages
        assert client.post(reverse(f"admin:{model}_change", args=[row.pk]), {"data": "{}"}).status_code == 403


def test_a_lost_second_factor_is_taken_away_by_who_may(alice, boss, sign_in) -> None:
    lost, guarding = TOTP.activate(alice, SECRET).instance, TOTP.activate(boss, SECRET).instance
    client = sign_in("view_authenticator", "delete_authenticator")
    for factor in (lost, guarding):
        client.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"})
    assert list(Authenticator.objects.values_list("user__email", flat=True)) == [boss.email]


def test_a_session_is_ended_by_who_may(alice, sign_in) -> None:
    browser = Client()
    browser.force_login(alice)
    session = UserSession.objects.create(
        user=alice, session_key=browser.session.session_key, ip="192.0.2.7", user_agent="Firefox"
    )
    delete = reverse("admin:usersessions_usersession_delete", args=[session.pk])
    looking = sign_in("view_usersession")
    assert looking.post(delete, {"post": "yes"}).status_code == 403
    allow(User.objects.get(email="staff@example.com"), "delete_usersession")
    assert looking.post(delete, {"post": "yes"}).status_code == 302
    assert browser.get("/dashboard/").status_code == 302


def allow(user: User, codename: str) -> None:
    user.user_permissions.add(Permission.objects.get(codename=codename))


def test_one_box_finds_a_user_or_a_key(alice, key, sign_in: Callable[..., Client]) -> None:
    secret, api_key = key
    client = sign_in("view_user", "view_apikey")
    dotted = api_key.masked.replace("…", "...")
    for words, page in (
        *((words, page_of(alice)) for words in ("alice@example.com", " ALICE@", str(alice.pk))),
        *((words, key_page(key)) for words in (secret[:8], secret[-4:], api_key.masked, dotted, secret)),
    ):
        answer = client.post(FIND, {"q": words})
        # A key that was pasted whole is in no address.
        assert secret not in answer["Location"]
        assert client.get(answer["Location"])["Location"] == page, words


def key_page(key: IssuedKey) -> str:
    return reverse("admin:accounts_apikey_change", args=[key.api_key.pk])


def test_nothing_is_found_without_permission_or_by_nonsense(alice, key, sign_in) -> None:
    client = sign_in("view_permission")
    assert client.get(FIND, {"q": "alice@example.com"}).context["found"] == []
    allow(User.objects.get(email="staff@example.com"), "view_user")
    for words in ("ark-", key.api_key.masked, "nobody@example.com", "", "x" * 400, "a\0b", "9" * 20):
        answer = client.get(FIND, {"q": words})
        assert (answer.status_code, answer.context["found"]) == (200, []), words


def test_the_search_is_for_staff_alone(alice, client) -> None:
    assert client.get(FIND).status_code == 302
    client.force_login(alice)
    assert client.get(FIND, follow=True).status_code == 403


def test_why_a_key_does_not_work_is_said_in_words(alice, key, sign_in) -> None:
    client = sign_in("view_apikey", "change_apikey")
    path = key_page(key)
    assert "600 requests a minute" in text_of(client, path)
    alice.is_active = False
    alice.save()
    assert "its owner&#x27;s account is closed" in text_of(client, path)
    client.post(
        reverse("admin:accounts_apikey_changelist"),
        {"action": "revoke_selected", "_selected_action": [key.api_key.pk]},
    )
    assert "revoked " in text_of(client, path)
    assert LogEntry.objects.get().change_message == "Revoked."


def test_a_list_of_keys_costs_the_same_queries_however_long(alice, key, sign_in) -> None:
    client = sign_in("view_apikey")
    costs = []
    for more in (0, 1, 20):
        for _ in range(more):
            issue_key(alice)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("admin:accounts_apikey_changelist"))
        costs.append(len(queries))
    assert costs[1] == costs[2]
