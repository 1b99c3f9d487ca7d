"""Whatever is asked of the ledger in whatever order, it agrees with plain arithmetic and its books add up."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing import ledger
from billing.audit import find_errors
from billing.models import Hold, LedgerEntry
from billing.verbs import Capture, Expire, Extend, Post, Release
from billing.verbs import Hold as HoldVerb
from tests.billing.conftest import balance_of, open_account

pytestmark = [pytest.mark.database, pytest.mark.django_db]

AMOUNTS = st.integers(1, 5_000)
START = timezone.now()


class Books(RuleBasedStateMachine):
    """The model: what is posted, and the open holds. Time is a number of minutes."""

    holds = Bundle("holds")

    @initialize()
    def open(self) -> None:
        self.account = open_account()
        self.posted = 0
        self.open: dict[str, tuple[int, int]] = {}
        self.causes = 0
        self.overdrawn = False
        self.minute = 0

    @property
    def available(self) -> int:
        return self.posted - sum(amount for amount, _ in self.open.values())

    def time(self, minute: int) -> Any:
        return START + timedelta(minutes=minute)

    def name(self) -> str:
        self.causes += 1
        return f"{self.account}:{self.causes}"

    def post(self, kind: str, amount: int) -> None:
        verb = Post(account_id=self.account, amount=amount, kind=kind, cause=self.name())
        ledger.apply_now([verb])
        self.posted += amount
        with pytest.raises(ledger.DuplicateCause):
            ledger.apply_now([verb])

    @rule(amount=AMOUNTS, kind=st.sampled_from(["grant", "purchase"]))
    def credit(self, amount: int, kind: str) -> None:
        self.post(kind, amount)

    @rule(amount=AMOUNTS, kind=st.sampled_from(["refund", "dispute"]))
    def take_back(self, amount: int, kind: str) -> None:
        self.overdrawn = True
        self.post(kind, -amount)

    @rule(amount=AMOUNTS)
    def lapse(self, amount: int) -> None:
        if amount <= self.available:
            self.post("expiry", -amount)
        else:
            with pytest.raises(ledger.InsufficientCredits):
                self.post("expiry", -amount)

    @rule(target=holds, amount=AMOUNTS, share=st.integers(1, 100), minutes=st.integers(1, 20))
    def hold(self, amount: int, share: int, minutes: int) -> str:
        cause = self.name()
        at_least = max(1, amount * share // 100)
        deadline = self.minute + minutes
        verb = HoldVerb(
            account_id=self.account, hold_id=cause, amount=amount, at_least=at_least, deadline=self.time(deadline)
        )
        if self.available >= at_least:
            expected = min(amount, self.available)
            (held,) = ledger.apply_now([verb])
            assert held.amount == expected
            self.open[cause] = (expected, deadline)
        else:
            with pytest.raises(ledger.InsufficientCredits) as refusal:
                ledger.apply_now([verb])
            assert (refusal.value.needed, refusal.value.available) == (at_least, self.available)
        return cause

    @rule(cause=holds, percent=st.integers(0, 110), overrun=st.integers(-2_000, 2_000))
    def capture(self, cause: str, percent: int, overrun: int) -> None:
        amount, _ = self.open.get(cause, (1_000, 0))
        captured, overrun = amount * percent // 100, max(0, overrun)
        verb = Capture(account_id=self.account, hold_id=cause, amount=captured, overrun=overrun)
        if cause not in self.open:
            with pytest.raises((ledger.HoldClosed, ledger.HoldMissing)):
                ledger.apply_now([verb])
        elif captured > amount:
            with pytest.raises(ledger.HoldExceeded):
                ledger.apply_now([verb])
        else:
            ledger.apply_now([verb])
            del self.open[cause]
            self.posted -= captured + overrun
            self.overdrawn |= overrun > 0

    @rule(cause=holds)
    def release(self, cause: str) -> None:
        verb = Release(account_id=self.account, hold_id=cause)
        if cause in self.open:
            ledger.apply_now([verb])
            del self.open[cause]
        else:
            with pytest.raises((ledger.HoldClosed, ledger.HoldMissing)):
                ledger.apply_now([verb])

    @rule(cause=holds, minutes=st.integers(1, 20))
    def extend(self, cause: str, minutes: int) -> None:
        if amount_and_deadline := self.open.get(cause):
            deadline = self.minute + minutes
            ledger.apply_now([Extend(account_id=self.account, hold_id=cause, deadline=self.time(deadline))])
            self.open[cause] = (amount_and_deadline[0], deadline)

    @rule(minutes=st.integers(1, 15))
    def pass_time_and_sweep(self, minutes: int) -> None:
        self.minute += minutes
        still_open = list(self.open)
        now = self.time(self.minute)
        swept = ledger.apply_now([Expire(account_id=self.account, hold_id=cause, now=now) for cause in still_open])
        assert swept == [self.open[cause][1] <= self.minute for cause in still_open]
        self.open = {cause: hold for cause, hold in self.open.items() if hold[1] > self.minute}

    @invariant()
    def the_balance_is_what_arithmetic_says(self) -> None:
        if hasattr(self, "account"):
            assert balance_of(self.account) == (self.posted, self.posted - self.available)
            assert self.overdrawn or self.available >= 0

    def teardown(self) -> None:
        if hasattr(self, "account"):
            assert list(find_errors()) == []
            entries = LedgerEntry.objects.filter(account=self.account)
            assert sum(entries.values_list("amount", flat=True)) == self.posted
            assert Hold.objects.filter(account=self.account, state="open").count() == len(self.open)


def test_the_ledger_agrees_with_arithmetic() -> None:
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
