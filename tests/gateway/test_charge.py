"""A charge from hold to receipt, where the books are closed for a while or the call outlives its hold."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.keys import Caller
from accounts.models import User
from arkroute.runtime import runtime
from billing import ledger
from billing.models import CreditAccount, Hold
from gateway import charge
from gateway.call import Call
from gateway.catalog import get_model
from gateway.models import Receipt, StoredPicture
from gateway.pricing import quote
from gateway.requests.chat import parse_chat
from gateway.types import Usage

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def call(audited: None) -> Call:
    user = User.objects.create_user("alice@example.com")
    ledger.grant_signup_credits(user)
    caller = Caller(
        key_id=1,
        user_id=user.pk,
        email=user.email,
        key_name="",
        key_prefix="ark-abcd",
        requests_per_minute=600,
        concurrent_requests=50,
        concurrent_videos=4,
    )
    return Call(caller=caller, endpoint="/v1/chat/completions")


def charging(call: Call) -> charge.Charge:
    request = parse_chat({"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello!"}]})
    return charge.charging(call, quote(get_model("gpt-5.4-mini"), request))


async def charge_while_the_ledger_is_away(
    call: Call, monkeypatch: pytest.MonkeyPatch, also: Sequence[StoredPicture] = ()
) -> int:
    """What the caller is told that the call cost."""

    async def unavailable(*_: object, **__: object) -> None:
        raise ledger.LedgerUnavailable("away")

    async with charging(call) as open_charge:
        with monkeypatch.context() as broken:
            broken.setattr(ledger, "capture", unavailable)
            return await open_charge.capture(Usage(10, 10), also=also)


async def outcome() -> tuple[str, int, int, int]:
    """The receipt's word, what it charged, and the account."""
    receipt = await Receipt.objects.aget()
    account = await CreditAccount.objects.aget(pk__gt=0)
    return receipt.outcome, receipt.captured, account.posted, account.held


async def test_a_call_that_outlives_its_hold_costs_nothing_and_says_so(call) -> None:
    async with charging(call) as open_charge:
        await ledger.sweep(now=timezone.now() + timedelta(minutes=3))
        assert await open_charge.capture(Usage(10, 10)) == 0
    assert await outcome() == ("late", 0, 500_000, 0)


async def test_a_living_call_keeps_its_hold(call) -> None:
    async with charging(call) as open_charge:
        call.started -= 3600
        await charge.renew_leases()
        assert await ledger.sweep(now=timezone.now() + timedelta(seconds=110)) == 0
        await open_charge.capture(Usage(10, 10))
    assert await outcome() == ("succeeded", 1_000, 499_000, 0)


async def test_a_capture_that_finds_the_ledger_away_is_done_later(call, monkeypatch) -> None:
    assert await charge_while_the_ledger_is_away(call, monkeypatch) == 1_000
    hold = await Hold.objects.aget()
    assert hold.is_open
    assert not await Receipt.objects.aexists()
    await charge.renew_leases()
    assert await outcome() == ("succeeded", 1_000, 499_000, 0)
    await charge.renew_leases()
    assert await outcome() == ("succeeded", 1_000, 499_000, 0)


async def test_a_block_that_is_left_without_a_capture_releases_and_keeps_a_receipt_of_nothing(call) -> None:
    with pytest.raises(ZeroDivisionError):
        async with charging(call):
            raise ZeroDivisionError
    assert await outcome() == ("failed", 0, 500_000, 0)
    assert (await Receipt.objects.aget()).error_code == "internal_error"


async def test_a_capture_that_was_done_although_the_ledger_seemed_away_is_done_once(call, monkeypatch) -> None:
    really = ledger.capture

    async def lose_the_answer(*arguments: Any, **named: Any) -> None:
        await really(*arguments, **named)
        raise ledger.LedgerUnavailable("its answer was lost")

    async with charging(call) as open_charge:
        with monkeypatch.context() as broken:
            broken.setattr(ledger, "capture", lose_the_answer)
            await open_charge.capture(Usage(10, 10))
    await charge.renew_leases()
    await charge.renew_leases()
    assert await outcome() == ("succeeded", 1_000, 499_000, 0)


async def test_a_client_that_leaves_during_the_capture_spoils_nothing_for_the_others(call) -> None:
    async def answer() -> None:
        async with charging(call) as open_charge:
            await open_charge.capture(Usage(10, 10))

    task = asyncio.create_task(answer())
    while not (charges := [one for one in charge._open_charges if one._settlement]):  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert charges[0].is_left_over
    await charge.renew_leases()
    await charge.renew_leases()
    assert await outcome() == ("succeeded", 1_000, 499_000, 0)
    assert charges[0] not in charge._open_charges


async def test_a_process_settles_what_is_left_over_before_it_ends(call, monkeypatch) -> None:
    await charge_while_the_ledger_is_away(call, monkeypatch)
    await runtime().drain()
    assert await outcome() == ("succeeded", 1_000, 499_000, 0)


async def test_a_call_that_is_answered_for_nothing_raises_an_alert(call, monkeypatch, caplog) -> None:
    monkeypatch.setattr(charge, "price", lambda quote, usage: 0)
    async with charging(call) as open_charge:
        assert await open_charge.capture(Usage(10, 10)) == 0
        await open_charge.settle()
    alerts = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [call.request_id in alert.getMessage() for alert in alerts] == [True]


def a_picture(call: Call) -> StoredPicture:
    return StoredPicture(
        id="image_1",
        account_id=call.caller.user_id,
        request_id=call.request_id,
        name="ab/cd.png",
        mime="image/png",
        created_at=timezone.now(),
    )


async def test_other_rows_are_written_with_the_receipt_also_where_that_is_late(call) -> None:
    async with charging(call) as open_charge:
        await ledger.sweep(now=timezone.now() + timedelta(minutes=3))
        await open_charge.capture(Usage(10, 10), also=[a_picture(call)])
    assert (await outcome())[0] == "late"
    assert (await StoredPicture.objects.aget()).request_id == (await Receipt.objects.aget()).pk


async def test_other_rows_wait_with_a_capture_that_is_done_later(call, monkeypatch) -> None:
    await charge_while_the_ledger_is_away(call, monkeypatch, also=[a_picture(call)])
    assert not await StoredPicture.objects.aexists()
    await charge.renew_leases()
    await charge.renew_leases()
    assert await StoredPicture.objects.acount() == 1
