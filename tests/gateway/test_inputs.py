"""What is kept of requests: their text, of users who want it, for so many days."""

from datetime import timedelta

import msgspec
import pytest
from django.utils import timezone

from accounts.keys import Caller
from accounts.models import User
from billing.models import CreditAccount
from gateway.call import Call
from gateway.inputs import forget_expired_inputs, input_of, note_inputs
from gateway.models import KeptInput

DATA_URI = "data:image/png;base64,iVBORw0KGgo="


def noted(body: dict, *, keeps: bool = True) -> dict | None:
    caller = Caller(1, 7, "alice@example.com", "", "ark-abcd", 600, 50, 4, keeps_inputs=keeps)
    call = Call(caller=caller, endpoint="/v1/chat/completions")
    note_inputs(call, body)
    return call.kept[0].values if call.kept else None


def test_nothing_is_kept_of_those_who_do_not_want_it() -> None:
    assert noted({"prompt": "a secret"}, keeps=False) is None


def test_the_text_is_kept_and_files_are_not() -> None:
    pictured = {"type": "image_url", "image_url": {"url": DATA_URI}}
    text = {"type": "text", "text": "What is this?"}
    kept = noted({"messages": [{"role": "user", "content": [text, pictured]}], "image": "A" * 5000, "file": b"RIFF"})
    body = msgspec.json.decode(kept["body"])
    assert body["messages"][0]["content"][0] == text
    assert body["messages"][0]["content"][1]["image_url"]["url"] == f"[a file of {len(DATA_URI)} characters, not kept]"
    assert body["image"] == "[a file of 5,000 characters, not kept]"
    assert body["file"] == "[a file of 4 bytes, not kept]"
    assert not kept["is_cut"]


def test_of_a_long_request_the_beginning_is_kept_and_said_so() -> None:
    kept = noted({"prompt": "a cat " * 50_000})
    assert len(kept["body"]) == 100_000
    assert kept["is_cut"]
    assert "\0" not in noted({"prompt": "a\0b"})["body"]
    assert "\\u0000" not in noted({"prompt": "a\0b"})["body"], "Postgres would take it as text, and readers as JSON"


@pytest.mark.django_db
def test_what_is_kept_goes_with_its_days_and_with_its_owners_wish(settings) -> None:
    settings.INPUT_DAYS = 7
    owners = [User.objects.create_user(f"{name}@example.com", keeps_inputs=name != "bob") for name in ("alice", "bob")]
    for user in owners:
        CreditAccount.objects.create(id=user.pk, owner=user)
    alice, bob = owners
    now = timezone.now()
    for id_, user, days in (("new", alice, 6), ("old", alice, 8), ("late", bob, 0)):
        KeptInput.objects.create(id=id_, account_id=user.pk, body="{}", created_at=now - timedelta(days=days))
    assert input_of(bob.pk, "new") is None
    assert forget_expired_inputs() == 2
    assert input_of(alice.pk, "new") is not None
