"""Everything that is kept of a user is in the export, and nobody's name is in what is left of a deleted account.

A new table with a link to users, or a new column, fails here until somebody has said what becomes of it.
"""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.test import Client

from accounts.deletion import make_anonymous
from accounts.keys import issue_key
from accounts.models import User
from billing.ledger import grant_signup_credits
from billing.models import CreditAccount
from dashboard.export import archive
from dashboard.export.parts import PARTS, Part
from gateway.media import store_now
from gateway.models import KeptInput, Notice, NoticePreferences, Receipt, StoredPicture, VideoTask, WebhookSecret
from tests.gateway.test_tasks import make_task

NOT_EXPORTED = {
    "account.EmailConfirmation": "a code on its way to an address, which is exported",
    "admin.LogEntry": "what the staff did; it names users, and is not theirs",
    "dashboard.DayOfUsage": "sums of receipts, which are exported",
}
# What a deletion leaves of each table that has a link to a user.
ERASED = {
    *("account.EmailAddress", "account.EmailConfirmation", "mfa.Authenticator", "usersessions.UserSession"),
    *("gateway.IdempotentCall", "gateway.KeptInput", "gateway.Notice", "gateway.NoticePreferences"),
    *("gateway.StoredPicture", "gateway.WebhookDelivery", "gateway.WebhookSecret", "billing.AutoTopUp"),
}
ANONYMOUS = {
    "accounts.User": "its row stays for the ledger, without a name",
    "accounts.ApiKey": "without names and addresses of webhooks; receipts name them",
    "admin.LogEntry": "with the new address in place of the old",
    "billing.Adjustment": "the staff's words, which explain an entry",
    "billing.CreditAccount": "the books",
    "billing.Customer": "the name at Stripe, which refunds and disputes come under; without the card",
    "billing.Hold": "the books",
    "billing.LedgerEntry": "the books",
    "billing.Purchase": "the books",
    "billing.Redemption": "the books",
    "billing.Referral": "the books: who was rewarded for whom",
    "dashboard.DayOfUsage": "the books, added up",
    "gateway.Receipt": "the books",
    "gateway.TaskEvent": "say nothing of who asked for what, and go with their days",
    "gateway.VideoTask": "without prompt, pictures and clip",
}
OWNERS = {"accounts.User", "billing.CreditAccount", "gateway.VideoTask", "account.EmailAddress"}


def tables_of_users() -> set[str]:
    """All with a foreign key to users, or to what is theirs, or a column that is named as if it were one."""
    found = set(OWNERS)
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            target = field.related_model._meta.label if field.related_model else ""
            if target in OWNERS or field.attname in {"user_id", "account_id", "owner_id"}:
                found.add(model._meta.label)
    return found


def test_every_table_with_a_link_to_users_is_exported_or_says_why_not() -> None:
    exported = {part.model._meta.label for part in PARTS}
    assert tables_of_users() == exported | NOT_EXPORTED.keys()


def test_every_table_with_a_link_to_users_says_what_a_deletion_leaves_of_it() -> None:
    assert tables_of_users() == ERASED | ANONYMOUS.keys()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_column_is_shown_or_hidden(part: Part) -> None:
    columns = [field.attname for field in part.model._meta.concrete_fields]
    assert sorted([*part.shown, *part.hidden]) == sorted(columns)
    secrets = {"password", "digest", "secret", "session_key", "data", "key_fingerprint", "form_token"}
    assert not secrets & set(part.shown)
    assert set(part.credits) <= set(part.shown)
    # What is read page by page must be told apart by its order.
    unique = [field.attname for field in part.model._meta.concrete_fields if field.unique]
    together = [list(one.fields) for one in part.model._meta.constraints if isinstance(one, models.UniqueConstraint)]
    assert part.order[-1] == "pk" or part.order[-1] in unique or ["task", "number"] in together


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the test's own transaction, which threads would not see."""

    async def run_here(function: Any, *args: Any) -> Any:
        return await sync_to_async(function)(*args)

    monkeypatch.setattr(archive, "run_in_database_thread", run_here)


@pytest.fixture
def alice(db: None) -> User:
    user = User.objects.create_user("alice@example.com", "correct-horse-battery", first_name="Alice")
    grant_signup_credits(user)
    return user


def receipts(user: User, count: int) -> None:
    now = datetime.now(UTC)
    Receipt.objects.bulk_create(
        Receipt(
            id=f"req_{user.pk}_{number}",
            account_id=user.pk,
            api_key_id=1,
            endpoint="/v1/images/generations",
            model="nano-banana-2",
            outcome="succeeded",
            quote=2000,
            captured=2000,
            milliseconds=12,
            created_at=now,  # the same for all: the order goes on by the id
        )
        for number in range(count)
    )


async def whole(pieces: AsyncIterator[bytes]) -> list[bytes]:
    return [piece async for piece in pieces]


def test_the_export_has_what_is_ones_own_and_no_secret(read_here, alice: User, monkeypatch) -> None:
    monkeypatch.setattr(archive, "ROWS", 2)
    bob = User.objects.create_user("bob@example.com")
    CreditAccount.objects.create(id=bob.pk, owner=bob)
    now = datetime.now(UTC)
    secret, key = issue_key(alice, "laptop", credit_limit=1500, credit_period="day", allowed_models=["image"])
    issue_key(bob, "of Bob")
    receipts(alice, 5)
    receipts(bob, 1)
    picture = {"id": "image_1", "request_id": "req_1", "name": store_now(BytesIO(b"x"), "image/png")}
    StoredPicture.objects.create(account_id=alice.pk, mime="image/png", created_at=now, **picture)
    make_task(VideoTask.State.RUNNING, account_id=alice.pk).save(force_insert=True)
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "hush-hush"})
    WebhookSecret.objects.create(account_id=alice.pk, secret="whsec_hush", created_at=now)
    KeptInput.objects.create(id="req_1", account_id=alice.pk, body='{"prompt": "a cat"}', created_at=now)
    NoticePreferences.objects.create(user=alice, thresholds=[7])
    Notice.objects.create(user=alice, kind="low_balance", cause="7", next_at=now, created_at=now)

    client = Client()
    client.force_login(alice)
    response = client.get("/settings/export/")
    assert re.fullmatch(r'attachment; filename="arkroute-\d{4}-\d\d-\d\d\.zip"', response["content-disposition"])
    pieces = async_to_sync(whole)(response.streaming_content)
    assert len(pieces) > 3, "it comes while it is read"
    with ZipFile(BytesIO(b"".join(pieces))) as files:
        assert files.testzip() is None
        assert "receipts.ndjson: what each request cost" in files.read("README.txt").decode()
        texts = {part.name: files.read(f"{part.name}.ndjson").decode() for part in PARTS}
    text = "".join(texts.values())
    for hidden in (secret, key.digest, "hush", "of Bob", "bob@example.com", f"req_{bob.pk}_"):
        assert hidden not in text
    data = {name: [json.loads(line) for line in lines.splitlines()] for name, lines in texts.items()}
    assert data["profile"][0]["email"] == "alice@example.com"
    (shown,) = data["api_keys"]
    assert (shown["key"], shown["name"], shown["credit_limit"], shown["allowed_models"]) == (
        key.masked,
        "laptop",
        1.5,
        ["image"],
    )
    assert [(one["kind"], one["amount"]) for one in data["ledger"]] == [("grant", 500)]
    assert [one["id"] for one in data["receipts"]] == [f"req_{alice.pk}_{number}" for number in range(5)]
    assert data["videos"][0]["body"] == {"prompt": "a secret"}
    assert [one["type"] for one in data["second_factors"]] == ["totp"]
    assert data["inputs"][0]["body"] == '{"prompt": "a cat"}'
    assert data["notifications"][0]["thresholds"] == [7]
    assert client.get(data["pictures"][0]["link"]).status_code == 200


def test_what_the_staff_did_names_a_deleted_user_no_more(alice: User) -> None:
    LogEntry.objects.create(
        user=alice,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(alice.pk),
        object_repr=alice.email,
        action_flag=2,
    )
    make_anonymous(alice)
    assert LogEntry.objects.get().object_repr.endswith("@deleted.invalid")
