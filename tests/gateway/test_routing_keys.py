"""Provider keys that are refused: what is kept of them, who sees it, and who has them tried again."""

import asyncio
import logging
from datetime import date, timedelta
from decimal import Decimal
from time import time

import pytest
from django.urls import reverse
from django.utils import timezone

from gateway.catalog.schema import ImageSpec, Model
from gateway.errors import ProviderError, ProviderFault
from gateway.models import DisabledKey
from gateway.providers.base import Deployment
from gateway.routing import keys

KEY = "access-0123|secret-4567"
LIST = reverse("admin:gateway_disabledkey_changelist")


@pytest.fixture(autouse=True)
def no_keys_known(monkeypatch) -> None:
    for name in ("_rests", "_refusals", "_found"):
        monkeypatch.setattr(keys, name, {})
    monkeypatch.setattr(keys, "_recovered", set())


def at(key: str = KEY, upstream: str = "their-model") -> Deployment:
    model = Model(
        id="model",
        upstream=upstream,
        type="image",
        credits=Decimal(1),
        provider="acme",
        vendor="Acme",
        description="A model to test with",
        created=date(2026, 1, 1),
        image=ImageSpec(tiers={"1K": "1024x1024"}),
    )
    return Deployment(provider="acme", model=model, api_key=key)


def refuse(deployment: Deployment, kind: ProviderFault = ProviderFault.AUTH, status: int | None = 401) -> None:
    keys.note_error(
        deployment, ProviderError(kind, f"the key {deployment.api_key} of secret-4567 is bad", status=status)
    )


def follow() -> None:
    asyncio.run(keys.follow_disabled_keys())


@pytest.mark.parametrize(
    ("kind", "status", "of_model"),
    [
        (ProviderFault.AUTH, 401, False),
        (ProviderFault.AUTH, 400, False),
        (ProviderFault.AUTH, None, False),
        (ProviderFault.AUTH, 403, True),
        (ProviderFault.AUTH, 404, True),
        (ProviderFault.BALANCE, 403, False),
        (ProviderFault.BALANCE, 429, False),
    ],
)
def test_a_refusal_is_of_the_key_or_of_the_key_for_a_model(kind, status, of_model) -> None:
    refuse(at(), kind, status)
    assert keys.is_disabled(at())
    assert keys.is_disabled(at(upstream="another")) is not of_model
    assert not keys.is_disabled(at(key="sk-other"))


@pytest.mark.parametrize("kind", [kind for kind in ProviderFault if kind not in ("auth", "balance")])
def test_nothing_else_disables_a_key(kind) -> None:
    keys.note_error(at(), ProviderError(kind, "words", status=500))
    assert not keys.is_disabled(at())


def test_neither_does_a_refusal_that_may_be_of_one_request() -> None:
    error = ProviderError(ProviderFault.AUTH, "HTTP 403 without a JSON body", status=403, of_this_request=True)
    keys.note_error(at(), error)
    assert keys.all_are_well()


def test_a_stated_wait_is_believed_up_to_a_limit(monkeypatch) -> None:
    monkeypatch.setattr(keys, "monotonic", lambda: 100.0)
    for stated, expected in ((None, keys.REST_SECONDS), (7.0, 7.0), (86_400.0, keys.MOST_REST_SECONDS)):
        keys.note_error(at(), ProviderError(ProviderFault.RATE_LIMITED, "words", retry_after=stated))
        rest = keys.find_rest(at())
        assert (rest.seconds, rest.is_stated) == (expected, stated is not None)
    assert keys.find_rest(at(upstream="another")) is None
    monkeypatch.setattr(keys, "monotonic", lambda: 100.0 + keys.MOST_REST_SECONDS)
    assert keys.find_rest(at()) is None
    assert keys.all_are_well()


def test_a_disabled_key_is_logged_once_and_not_spelled_out(caplog) -> None:
    with caplog.at_level(logging.ERROR):
        refuse(at())
    assert "acme: key …4567 is not used for any model in the next 10 minutes: auth (HTTP 401)" in caplog.text
    assert "secret" not in caplog.text


def test_the_key_itself_is_kept_nowhere(transactional_db) -> None:
    refuse(at())
    follow()
    row = DisabledKey.objects.values().get()
    assert row["message"] == "the key … of … is bad"
    assert row["last_four"] == "4567"
    assert not any("secret" in str(value) or "access" in str(value) for value in row.values())


@pytest.mark.parametrize(
    ("key", "message", "kept"),
    [
        ("e|secret-4567", "the server refused secret-4567", "the server refused …"),
        ("access-1|s", "access-1 is refused here", "… is refused here"),
        ("a|b", "a bad key: a|b", "a bad key: …"),
    ],
)
def test_a_part_of_a_key_that_any_text_holds_stays_in_it(transactional_db, key, message, kept) -> None:
    keys.note_error(at(key), ProviderError(ProviderFault.AUTH, message, status=401))
    follow()
    assert DisabledKey.objects.get().message == kept


def test_a_key_that_is_refused_again_keeps_the_moment_since_when(transactional_db, monkeypatch) -> None:
    refuse(at())
    follow()
    first = DisabledKey.objects.get()
    later = time() + keys.DISABLED_SECONDS + 1
    monkeypatch.setattr(keys, "time", lambda: later)
    assert not keys.is_disabled(at()), "it is tried again"
    refuse(at(), ProviderFault.BALANCE, 402)
    follow()
    again = DisabledKey.objects.get()
    assert (again.reason, again.since) == ("balance", first.since)
    assert again.until > first.until


def test_an_answer_takes_it_off_the_list(transactional_db) -> None:
    refuse(at())
    follow()
    keys.note_answer(at())
    follow()
    assert not DisabledKey.objects.exists()
    assert keys.all_are_well()


def test_what_is_found_out_while_the_rows_are_read_is_not_lost(transactional_db) -> None:
    refuse(at())
    follow()
    keys.note_answer(at())
    refuse(at())
    refuse(at(upstream="another"), status=404)
    follow()
    assert keys.is_disabled(at())
    assert DisabledKey.objects.count() == 2


def test_a_row_of_a_key_that_nobody_uses_any_more_goes_after_a_day(transactional_db) -> None:
    long_ago = timezone.now() - keys.KEPT - timedelta(minutes=1)
    DisabledKey.objects.create(provider="acme", fingerprint="0" * 64, reason="auth", since=long_ago, until=long_ago)
    refuse(at())
    follow()
    assert [row.last_four for row in DisabledKey.objects.all()] == ["4567"]


def test_who_may_change_it_has_a_key_used_again(transactional_db, sign_in) -> None:
    refuse(at())
    follow()
    row = DisabledKey.objects.get()
    client = sign_in("view_disabledkey", "change_disabledkey")
    page = client.get(LIST).content.decode()
    for shown in ("…4567", "acme", "refused", "the key … of … is bad", ">all<", "Use again"):
        assert shown in page
    assert client.get(reverse("admin:gateway_disabledkey_change", args=[row.pk])).status_code == 200
    client.post(LIST, {"action": "use_again", "_selected_action": [row.pk]})
    follow()
    assert not keys.is_disabled(at())


def test_who_may_only_look_has_nothing_used_again(transactional_db, sign_in) -> None:
    refuse(at())
    follow()
    client = sign_in("view_disabledkey")
    assert "Use again" not in client.get(LIST).content.decode()
    client.post(LIST, {"action": "use_again", "_selected_action": [DisabledKey.objects.get().pk]})
    assert DisabledKey.objects.exists()
