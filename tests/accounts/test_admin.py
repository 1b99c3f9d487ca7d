"""What staff see and do in the admin."""

import pytest
from django.test import Client

from accounts.keys import issue_key
from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def alices_key():
    return issue_key(User.objects.create_user("alice@example.com"), "laptop")


@pytest.fixture
def staff():
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "correct-horse-battery"))
    return client


def test_users_are_searched_by_address(staff, alices_key):
    page = staff.get("/admin/accounts/user/", {"q": "alice@"}).content.decode()
    assert "alice@example.com" in page
    assert "1 user" in page


def test_staff_add_a_user_by_address(staff):
    form = {"email": "Bob@Example.com", "usable_password": "false"}
    assert staff.post("/admin/accounts/user/add/", form).status_code == 302
    bob = User.objects.get(email="bob@example.com")
    assert not bob.has_usable_password()
    assert staff.get(f"/admin/accounts/user/{bob.pk}/change/").status_code == 200


def test_keys_are_shown_masked(staff, alices_key):
    secret, key = alices_key
    pages = [
        staff.get(path).content.decode()
        for path in ("/admin/accounts/apikey/?q=laptop", f"/admin/accounts/apikey/{key.pk}/change/")
    ]
    for page in pages:
        assert f"{secret[:8]}…{secret[-4:]}" in page
        assert secret not in page
        assert key.digest not in page


def test_selected_keys_are_revoked(staff, alices_key):
    key = alices_key.api_key
    form = {"action": "revoke_selected", "_selected_action": [key.pk]}
    assert "They are refused from now on" in staff.post("/admin/accounts/apikey/", form, follow=True).content.decode()
    key.refresh_from_db()
    assert key.revoked_at


def test_keys_are_neither_added_nor_deleted_there(staff, alices_key):
    assert staff.get("/admin/accounts/apikey/add/").status_code == 403
    assert staff.post(f"/admin/accounts/apikey/{alices_key.api_key.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_limit_of_nothing_is_refused(staff, alices_key):
    key = alices_key.api_key
    page = staff.post(f"/admin/accounts/apikey/{key.pk}/change/", {"requests_per_minute": "0"}).content.decode()
    assert "greater than or equal to 1" in page


def test_the_address_of_webhooks_is_https_or_allowed(staff, alices_key, settings):
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = ["hooks:9000"]
    key = alices_key.api_key
    path = f"/admin/accounts/apikey/{key.pk}/change/"
    for refused in ("http://hooks.example/", "hooks.example", "http://hooks:9001/", "https://[::1", "mailto:a@b.c"):
        assert "starts with https://" in staff.post(path, {"webhook_url": refused}).content.decode()
    for taken in ("https://hooks.example/ark?to=a", "http://hooks:9000/ark", ""):
        assert staff.post(path, {"webhook_url": taken}).status_code == 302
        key.refresh_from_db()
        assert key.webhook_url == taken


def test_a_user_who_is_no_staff_is_turned_away(client, alices_key):
    client.force_login(alices_key.api_key.user)
    assert client.get("/admin/accounts/apikey/", follow=True).status_code == 403
