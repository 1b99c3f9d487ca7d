"""`GET /v1/account`: what a key's owner has left."""

import pytest

from accounts.keys import issue_key
from accounts.models import User


@pytest.mark.parametrize("path", ["/v1/account", "/v1/account/", "/account"])
def test_it_shows_credits_limits_and_use_of_the_key(http, alice, path) -> None:
    spent = http.post("/v1/embeddings", json={"model": "sandbox-embedding", "input": "x"}, headers=alice.headers)
    assert spent.status_code == 200
    account = http.get(path, headers=alice.headers).json()
    assert account["object"] == "account"
    assert account["email"] == "alice@example.com"
    assert account["credits"] == {"balance": 499, "held": 0, "available": 499}
    assert account["key"]["name"] == "test"
    assert alice.key.startswith(account["key"]["prefix"])
    limits = {"requests_per_minute": 600, "concurrent_requests": 50, "concurrent_videos": 4}
    assert account["key"]["limits"] == limits
    assert account["key"]["usage"] == {"days": 30, "requests": 1, "credits": 1}


def test_it_needs_a_key(http) -> None:
    assert http.get("/v1/account").json()["error"]["code"] == "missing_api_key"


def test_a_user_who_never_had_credits_has_none(http, transactional_db) -> None:
    key = issue_key(User.objects.create_user("new@example.com")).secret
    account = http.get("/v1/account", headers={"authorization": f"Bearer {key}"})
    assert account.json()["credits"] == {"balance": 0, "held": 0, "available": 0}
