"""Sign-up, sign-in and password reset, as a browser does them."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from billing.models import CreditAccount

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _nobody_was_counted_yet():
    cache.clear()


@pytest.fixture
def mandatory(settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


@pytest.fixture
def alice():
    user = User.objects.create_user("alice@example.com", PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_up(client, email="alice@example.com", password=PASSWORD):
    return client.post("/accounts/signup/", {"email": email, "password1": password})


def sign_in(client, email="alice@example.com", password=PASSWORD):
    return client.post("/accounts/login/", {"login": email, "password": password})


def signed_in_as(client):
    return client.session.get("_auth_user_id")


def credits_of(email):
    account = CreditAccount.objects.filter(owner__email=email).first()
    return account.posted if account else 0


def link_in(message):
    return re.search(r"https?://\S+", message.body)[0]


def test_whoever_signs_up_is_signed_in(client):
    answer = sign_up(client)
    assert (answer.status_code, answer["Location"]) == (302, "/dashboard/")
    assert signed_in_as(client) == str(User.objects.get(email="alice@example.com").pk)
    assert credits_of("alice@example.com") == 500_000


def test_where_addresses_must_be_verified_the_mailed_link_does_it(client, mandatory, settings):
    settings.PUBLIC_URL = "https://ark.example"
    assert sign_up(client)["Location"] == "/accounts/confirm-email/"
    assert signed_in_as(client) is None
    assert credits_of("alice@example.com") == 0
    [message] = mail.outbox
    assert message.to == ["alice@example.com"]
    assert message.subject == "ArkRoute: Verify your address"
    link = link_in(message)
    assert link.startswith("https://ark.example/accounts/confirm-email/")

    client.post(link.removeprefix("https://ark.example"))
    assert EmailAddress.objects.get(email="alice@example.com").verified
    assert credits_of("alice@example.com") == 500_000
    client.post(link.removeprefix("https://ark.example"))
    assert credits_of("alice@example.com") == 500_000
    sign_in(client)
    assert signed_in_as(client)


def test_an_unverified_address_does_not_get_in_where_it_must_be_verified(client, mandatory):
    sign_up(client)
    assert sign_in(Client())["Location"] == "/accounts/confirm-email/"


@pytest.mark.parametrize("password", ["short", "password", "12345678901", "alice@example.com"])
def test_a_weak_password_is_refused_with_a_reason(client, password):
    answer = sign_up(client, password=password)
    assert answer.status_code == 200
    assert 'class="errorlist"' in answer.content.decode()
    assert not User.objects.exists()


def test_the_same_address_in_other_letters_is_the_same_account(client, alice):
    assert sign_up(client, "ALICE@example.com").status_code == 200
    assert User.objects.count() == 1
    sign_in(client, "Alice@Example.com")
    assert signed_in_as(client) == str(alice.pk)


def test_where_addresses_are_verified_sign_up_does_not_tell_who_has_an_account(mandatory, alice):
    known, unknown = sign_up(Client(), "alice@example.com"), sign_up(Client(), "bob@example.com")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_a_wrong_password_and_an_unknown_address_look_alike(alice):
    answers = [sign_in(Client(), password="wrong"), sign_in(Client(), email="bob@example.com")]
    errors = [re.search(r'<ul class="errorlist.*?</ul>', answer.content.decode(), re.S)[0] for answer in answers]
    assert errors[0] == errors[1]


def test_signing_out_takes_a_post(client, alice):
    sign_in(client)
    client.get("/accounts/logout/")
    assert signed_in_as(client)
    client.post("/accounts/logout/")
    assert signed_in_as(client) is None


def test_the_mailed_link_resets_the_password(client, alice, settings):
    settings.PUBLIC_URL = "https://ark.example"
    client.post("/accounts/password/reset/", {"email": "alice@example.com"}, headers={"host": "evil.example"})
    link = link_in(mail.outbox[0])
    assert link.startswith("https://ark.example/accounts/password/reset/key/")

    form = client.get(link.removeprefix("https://ark.example"), follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": "a-new-long-secret", "password2": "a-new-long-secret"})
    sign_in(client, password=PASSWORD)
    assert signed_in_as(client) is None
    sign_in(client, password="a-new-long-secret")
    assert signed_in_as(client) == str(alice.pk)
    assert client.get(link.removeprefix("https://ark.example"), follow=True).status_code == 200


def test_password_reset_does_not_tell_who_has_an_account(client, alice):
    known = client.post("/accounts/password/reset/", {"email": "alice@example.com"})
    unknown = client.post("/accounts/password/reset/", {"email": "bob@example.com"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert [message.to for message in mail.outbox] == [["alice@example.com"], ["bob@example.com"]]


def test_mails_lead_to_this_site_whatever_host_was_named(client, mandatory, alice, settings):
    settings.PUBLIC_URL = "https://ark.example"
    client.post(
        "/accounts/signup/", {"email": "alice@example.com", "password1": PASSWORD}, headers={"host": "evil.example"}
    )
    client.post("/accounts/password/reset/", {"email": "bob@example.com"}, headers={"host": "evil.example"})
    links = [link for message in mail.outbox for link in re.findall(r"https?://\S+", message.body)]
    assert "https://ark.example/accounts/password/reset/" in links
    assert "https://ark.example/accounts/signup/" in links
    assert all(link.startswith("https://ark.example") for link in links)


def test_a_new_address_takes_the_place_of_the_old_when_it_is_verified(client, alice):
    sign_in(client)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    message = next(message for message in mail.outbox if message.to == ["new@example.com"])
    client.post(link_in(message).removeprefix("http://testserver"))
    alice.refresh_from_db()
    assert alice.email == "new@example.com"
    assert [address.email for address in EmailAddress.objects.all()] == ["new@example.com"]
    assert "is now new@example.com" in mail.outbox[-1].body


def test_a_change_of_the_account_is_told_by_mail(client, alice):
    sign_in(client)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": "a-new-long-secret", "password2": "a-new-long-secret"},
        headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"},
    )
    [message] = mail.outbox
    assert message.subject == "ArkRoute: Your password has changed"
    assert "With: Chrome on Linux" in message.body


def test_guessing_passwords_is_slowed_down(client, alice):
    for _ in range(5):
        assert sign_in(client, password="guess").status_code == 200
    answer = sign_in(client)
    assert "Too many failed login attempts" in answer.content.decode()
    assert signed_in_as(client) is None


def test_a_flood_of_sign_ups_from_one_place_is_refused():
    answers = [sign_up(Client(), f"user{number}@example.com").status_code for number in range(21)]
    assert answers == [302] * 20 + [429]


def test_an_error_belongs_to_its_field_and_password_managers_know_the_fields(client, alice):
    page = sign_up(client, email="no address", password="short").content.decode()
    for name, complete in (("email", "email"), ("password1", "new-password")):
        [field] = re.findall(rf'<input[^>]*name="{name}"[^>]*>', page)
        assert f'autocomplete="{complete}"' in field
        assert 'aria-invalid="true"' in field
        described_by = re.search(r'aria-describedby="([^"]+)"', field)[1].split()
        assert f"id_{name}_error" in described_by
        assert all(page.count(f'id="{id_}"') == 1 for id_ in described_by)
    assert 'autocomplete="current-password"' in client.get("/accounts/login/").content.decode()


def test_staff_sign_in_where_everybody_does(client):
    answer = client.get("/admin/login/?next=/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=%2Fadmin%2F")
    answer = client.post("/admin/login/", {"username": "root@example.com", "password": PASSWORD})
    assert answer.status_code == 302
    assert signed_in_as(client) is None


@pytest.mark.parametrize("path", ["login", "signup", "password/reset", "logout", "email", "password/change"])
def test_every_page_names_itself_and_loads_nothing_from_elsewhere(client, alice, path):
    if path in {"logout", "email", "password/change"}:
        sign_in(client)
    page = client.get(f"/accounts/{path}/").content.decode()
    assert re.search(r"<title>\s*\S.*· ArkRoute</title>", page, re.S)
    assert '<html lang="en">' in page
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
    assert "style=" not in page
    for field in re.findall(r"<input[^>]*>", page):
        if 'type="hidden"' not in field and (name := re.search(r'id="([^"]+)"', field)):
            assert f'for="{name[1]}"' in page
