"""What each verb moves, what it refuses, and that it moves nothing then. Amounts are millicredits."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from billing import ledger
from billing.models import CreditAccount, Hold, LedgerEntry, SystemAccount
from billing.verbs import Hold as HoldVerb
from billing.verbs import Post, Release
from gateway.models import Receipt
from tests.billing.conftest import balance_of, entries_of, in_a_minute

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

read_balance = sync_to_async(balance_of)
read_entries = sync_to_async(entries_of)
find_hold = sync_to_async(lambda pk: Hold.objects.filter(pk=pk).first())


def make_receipt(cause: str, account_id: int, captured: int = 0, overrun: int = 0, **fields: object) -> Receipt:
    fields = {"outcome": Receipt.Outcome.SUCCEEDED, "usage": {"total_tokens": 3}, "created_at": timezone.now()} | fields
    return Receipt(
        id=cause,
        account_id=account_id,
        api_key_id=1,
        endpoint="/v1/chat/completions",
        model="sandbox-chat",
        quote=4_000,
        captured=captured,
        overrun=overrun,
        milliseconds=5,
        **fields,
    )


async def test_a_hold_sets_credits_aside_and_a_capture_spends_part_of_it(alice: int) -> None:
    held = await ledger.hold(alice, 4_000, "r1", deadline=in_a_minute())
    assert (held.id, held.account_id, held.amount) == ("r1", alice, 4_000)
    assert await ledger.balance(alice) == ledger.Balance(posted=10_000, held=4_000)

    balance = await ledger.capture("r1", alice, 2_500, also=[make_receipt("r1", alice, 2_500)])

    assert balance == ledger.Balance(posted=7_500, held=0)
    assert await read_balance(alice) == (7_500, 0)
    assert (await read_entries(alice))[1:] == [("capture", -2_500, "r1")]
    assert (await read_entries(SystemAccount.USAGE))[-1] == ("capture", 2_500, "r1")
    hold = await find_hold("r1")
    assert (hold.state, hold.captured, hold.amount) == ("captured", 2_500, 4_000)


async def test_a_release_spends_nothing(alice: int) -> None:
    await ledger.hold(alice, 4_000, "r1", deadline=in_a_minute())
    assert await ledger.release("r1", alice) == ledger.Balance(posted=10_000, held=0)
    assert len(await read_entries(alice)) == 1
    assert (await find_hold("r1")).state == "released"


async def test_what_a_call_cost_beyond_its_hold_is_an_entry_of_its_own_and_may_go_below_zero(alice: int) -> None:
    await ledger.hold(alice, 9_000, "r1", deadline=in_a_minute())
    receipt = make_receipt("r1", alice, 9_000, 2_000)
    balance = await ledger.capture("r1", alice, 9_000, overrun=2_000, also=[receipt])
    assert balance.available == -1_000
    assert (await read_entries(alice))[1:] == [("capture", -9_000, "r1"), ("overrun", -2_000, "r1")]

    with pytest.raises(ledger.InsufficientCredits) as refusal:
        await ledger.hold(alice, 1, "r2", deadline=in_a_minute())
    assert (refusal.value.needed, refusal.value.available) == (1, -1_000)


async def test_a_capture_of_nothing_ends_the_hold_without_an_entry(alice: int) -> None:
    await ledger.hold(alice, 4_000, "r1", deadline=in_a_minute())
    assert await ledger.capture("r1", alice, 0) == ledger.Balance(posted=10_000, held=0)
    assert len(await read_entries(alice)) == 1


@pytest.mark.parametrize("end", ["capture", "release", "sweep"])
async def test_a_hold_is_resolved_once(alice: int, end: str) -> None:
    await ledger.hold(alice, 4_000, "r1", deadline=in_a_minute())
    if end == "capture":
        await ledger.capture("r1", alice, 1_000, also=[make_receipt("r1", alice, 1_000)])
    elif end == "release":
        await ledger.release("r1", alice)
    else:
        assert await ledger.sweep(timezone.now() + timedelta(minutes=2)) == 1
    state = "captured" if end == "capture" else "released"
    before = await ledger.balance(alice)

    for late in (
        ledger.capture("r1", alice, 1_000, overrun=5, also=[make_receipt("late", alice)]),
        ledger.release("r1", alice),
        ledger.extend("r1", alice, in_a_minute()),
    ):
        with pytest.raises(ledger.HoldClosed) as refusal:
            await late
        assert refusal.value.state == state

    assert await ledger.balance(alice) == before
    assert not await Receipt.objects.filter(pk="late").aexists()


async def test_no_more_is_captured_than_was_held(alice: int) -> None:
    await ledger.hold(alice, 4_000, "r1", deadline=in_a_minute())
    with pytest.raises(ledger.HoldExceeded):
        await ledger.capture("r1", alice, 4_001)
    assert await ledger.balance(alice) == ledger.Balance(posted=10_000, held=4_000)


async def test_a_hold_belongs_to_its_account(alice: int, bob: int) -> None:
    await ledger.hold(alice, 4_000, "r1", deadline=in_a_minute())
    with pytest.raises(ledger.HoldMissing):
        await ledger.capture("r1", bob, 1_000)
    with pytest.raises(ledger.HoldMissing):
        await ledger.release("unknown", alice)
    assert await ledger.balance(bob) == ledger.Balance(posted=10_000, held=0)


async def test_a_hold_takes_what_there_is_if_that_is_enough(alice: int) -> None:
    await ledger.hold(alice, 7_000, "r1", deadline=in_a_minute())
    held = await ledger.hold(alice, 8_000, "r2", at_least=3_000, deadline=in_a_minute())
    assert held.amount == 3_000
    with pytest.raises(ledger.InsufficientCredits) as refusal:
        await ledger.hold(alice, 8_000, "r3", at_least=1, deadline=in_a_minute())
    assert (refusal.value.needed, refusal.value.available) == (1, 0)
    assert await find_hold("r3") is None


async def test_a_cause_moves_credits_once(alice: int) -> None:
    await ledger.hold(alice, 1_000, "r1", deadline=in_a_minute())
    with pytest.raises(ledger.DuplicateCause):
        await ledger.hold(alice, 1_000, "r1", deadline=in_a_minute())
    await ledger.purchase(alice, 5_000, "stripe:1")
    for again in (ledger.purchase(alice, 5_000, "stripe:1"), ledger.purchase(alice, 7_000, "stripe:1")):
        with pytest.raises(ledger.DuplicateCause):
            await again
    outcomes = await asyncio.gather(*(ledger.grant(alice, 1, "once") for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, ledger.Balance) for outcome in outcomes) == 1
    assert await ledger.balance(alice) == ledger.Balance(posted=15_001, held=1_000)


async def test_refunds_and_disputes_may_go_below_zero_and_then_nothing_is_held(alice: int) -> None:
    await ledger.purchase(alice, 5_000, "stripe:1")
    await ledger.refund(alice, 2_000, "stripe:refund:1")
    await ledger.hold(alice, 13_000, "r1", deadline=in_a_minute())
    assert (await ledger.dispute(alice, 3_000, "stripe:dispute:1")).available == -3_000
    with pytest.raises(ledger.InsufficientCredits):
        await ledger.hold(alice, 1, "r2", deadline=in_a_minute())
    assert (await ledger.dispute(alice, -3_000, "stripe:dispute:1:won")).available == 0
    assert sum(amount for _, amount, _ in await read_entries(SystemAccount.SALES)) == -3_000


async def test_neither_expiry_nor_staff_takes_more_than_there_is(alice: int) -> None:
    await ledger.hold(alice, 9_000, "r1", deadline=in_a_minute())
    for too_much in (ledger.expire(alice, 1_001, "expiry:1"), ledger.adjust(alice, -1_001, "staff:1")):
        with pytest.raises(ledger.InsufficientCredits):
            await too_much
    await ledger.expire(alice, 600, "expiry:1")
    assert (await ledger.adjust(alice, -400, "staff:1")).available == 0


async def test_a_grant_says_when_it_lapses(alice: int) -> None:
    lapses = in_a_minute()
    await ledger.grant(alice, 1_000, "gift", expires_at=lapses)
    ours, theirs = [entry async for entry in LedgerEntry.objects.filter(cause="gift").order_by("account_id")]
    assert (ours.account_id, ours.expires_at) == (SystemAccount.GRANTS, None)
    assert (theirs.account_id, theirs.expires_at) == (alice, lapses)


@pytest.mark.parametrize("account_id", [987_654, SystemAccount.SALES.value])
async def test_there_must_be_an_account_of_a_user(audited: None, account_id: int) -> None:
    for verb in (
        ledger.grant(account_id, 1, "x"),
        ledger.hold(account_id, 1, "x", deadline=in_a_minute()),
        ledger.balance(account_id),
    ):
        with pytest.raises(ledger.AccountMissing):
            await verb


@pytest.mark.parametrize("amount", [0, -1, 0.5])
async def test_amounts_are_whole_and_above_zero(alice: int, amount: float) -> None:
    with pytest.raises(ValueError):
        await ledger.hold(alice, amount, "x", deadline=in_a_minute())
    with pytest.raises(ValueError):
        await ledger.grant(alice, amount, "x")
    with pytest.raises(ValueError):
        await ledger.capture("x", alice, amount - 1)


async def test_rows_are_written_with_their_verb_and_only_if_it_is_not_refused(alice: int) -> None:
    receipt = make_receipt(
        "r1",
        alice,
        usage={"words": "déjà \u2028 'quoted' \\"},
        attempts=[{"error": None, "ok": True}],
        served_by="100% 'its' \"own\" %s \\",
        outcome=Receipt.Outcome.FAILED,
        stand_in=True,
    )
    await ledger.hold(alice, 4_000, "r1", deadline=in_a_minute(), also=[receipt])
    with pytest.raises(ledger.InsufficientCredits):
        await ledger.hold(alice, 40_000, "r2", deadline=in_a_minute(), also=[make_receipt("r2", alice)])
    await ledger.record([make_receipt("r3", alice), make_receipt("r4", alice)])

    read = await Receipt.objects.aget(pk="r1")
    for field in Receipt._meta.concrete_fields:
        assert getattr(read, field.attname) == getattr(receipt, field.attname), field.attname
    assert {row.pk async for row in Receipt.objects.all()} == {"r1", "r3", "r4"}
    await receipt.asave()  # it counts as saved: this is an update


async def test_a_long_call_renews_its_hold(alice: int) -> None:
    await ledger.hold(alice, 4_000, "r1", deadline=timezone.now() - timedelta(seconds=1))
    await ledger.extend("r1", alice, in_a_minute())
    assert await ledger.sweep() == 0
    await ledger.extend("r1", alice, timezone.now() - timedelta(seconds=1))
    assert await ledger.sweep() == 1


async def test_sweeping_twice_at_once_releases_each_hold_once(alice: int, bob: int) -> None:
    past = timezone.now() - timedelta(seconds=1)
    overdue = (ledger.hold(one, 10, f"{one}:{i}", deadline=past) for one in (alice, bob) for i in range(50))
    await asyncio.gather(*overdue, ledger.hold(bob, 10, "current", deadline=in_a_minute()))

    assert sum(await asyncio.gather(*(ledger.sweep() for _ in range(5)))) == 100

    assert await ledger.balance(alice) == ledger.Balance(posted=10_000, held=0)
    assert await ledger.balance(bob) == ledger.Balance(posted=10_000, held=10)
    assert await ledger.sweep() == 0


async def test_more_holds_than_one_pass_takes_are_swept(alice: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "SWEPT_AT_ONCE", 10)
    past = timezone.now() - timedelta(seconds=1)
    await asyncio.gather(*(ledger.hold(alice, 10, str(i), deadline=past) for i in range(35)))
    assert await ledger.sweep() == 35


async def test_a_hold_renewed_after_the_sweeper_saw_it_stays(alice: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await ledger.hold(alice, 10, "r1", deadline=in_a_minute())
    monkeypatch.setattr(ledger, "_find_overdue", lambda now: [("r1", alice)])
    assert await ledger.sweep() == 0
    assert (await find_hold("r1")).is_open


async def test_whoever_leaves_while_waiting_for_a_hold_leaves_none_behind(alice: int) -> None:
    waiting = [asyncio.create_task(ledger.hold(alice, 10, str(i), deadline=in_a_minute())) for i in range(50)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await ledger.grant(alice, 1, "behind them")
    assert await ledger.balance(alice) == ledger.Balance(posted=10_001, held=0)


async def test_a_capture_is_done_although_its_caller_leaves(alice: int) -> None:
    await ledger.hold(alice, 4_000, "r1", deadline=in_a_minute())
    leaving = asyncio.create_task(ledger.capture("r1", alice, 4_000, also=[make_receipt("r1", alice, 4_000)]))
    await asyncio.sleep(0)
    leaving.cancel()
    await ledger.grant(alice, 1, "behind it")
    assert await ledger.balance(alice) == ledger.Balance(posted=6_001, held=0)


def test_verbs_in_the_callers_own_transaction_are_written_all_or_none(alice: int, bob: int) -> None:
    with pytest.raises(ledger.InsufficientCredits):
        ledger.apply_now(
            [
                Post(account_id=alice, amount=1_000, kind="adjustment", cause="move:1"),
                Post(account_id=bob, amount=-10_001, kind="adjustment", cause="move:1"),
            ]
        )
    assert (balance_of(alice), balance_of(bob)) == ((10_000, 0), (10_000, 0))

    held, balance = ledger.apply_now(
        [
            HoldVerb(account_id=alice, hold_id="r1", amount=1_000, deadline=in_a_minute()),
            Release(account_id=alice, hold_id="r1"),
        ]
    )
    assert (held.amount, balance.held) == (1_000, 0)
    assert Hold.objects.get(pk="r1").state == "released"


def test_our_own_accounts_are_open(audited: None) -> None:
    assert set(CreditAccount.objects.filter(pk__lt=0).values_list("pk", flat=True)) == set(SystemAccount.values)
