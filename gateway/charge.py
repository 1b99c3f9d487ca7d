"""The one place where money meets a call.

    async with charging(call, quote) as charge:
        answer = await …a provider…
        await charge.capture(usage)

The hold is durable before the block is entered, so before any provider is called. Leaving the block without a capture
releases it, whatever the way out. A hold that was entered ends in exactly one receipt, written in the same transaction,
if its process lives to resolve it; else it lapses, and the sweeper releases it.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from django.conf import settings

from billing import ledger
from billing.amounts import credits_text
from billing.models import Hold
from gateway.call import Call
from gateway.errors import DatabaseUnavailable, GatewayError, InsufficientCredits, MaxCreditsExceeded, ProviderError
from gateway.limits import spending
from gateway.models import Receipt
from gateway.pricing import Quote, price
from gateway.types import Usage

logger = logging.getLogger(__name__)

# A hold's deadline moves on while its call lives (`renew_leases`). When a process dies, its holds lapse this soon.
LEASE = timedelta(seconds=120)
_open_charges: "set[Charge]" = set()


def charging(call: Call, quote: Quote) -> "Charge":
    """A block that is paid by `call`'s caller, at most `quote.ceiling`.

    Entering it raises `InsufficientCredits` where the balance does not cover `quote.base`, `KeyCreditsSpent` where the
    key's own limit does not, `MaxCreditsExceeded` where the client set a lower one, `DatabaseUnavailable` where nothing
    can be held now.
    """
    return Charge(call, quote)


async def check_balance(call: Call, least: int) -> None:
    """Raises `InsufficientCredits` where the caller's balance, or the key's own limit, does not cover `least`.

    For work that comes before the hold and is not free: nothing is held. `least` is in millicredits.
    """
    if call.caller.credit_limit:
        await spending.check_left(call, least)
    try:
        available = (await ledger.balance(call.caller.user_id)).available
    except ledger.AccountMissing:
        available = 0
    if available < least:
        raise insufficient(least, available)


def check_limit(call: Call, quote: Quote) -> None:
    """Raises `MaxCreditsExceeded` where the call may cost more than its client allows."""
    if call.max_credits is not None and quote.ceiling > call.max_credits:
        raise MaxCreditsExceeded(
            f"This call may cost up to {credits_text(quote.ceiling)} credits, more than the "
            f"{credits_text(call.max_credits)} that `X-ArkRoute-Max-Credits` allows. Raise it, or ask for less."
        )


def insufficient(needed: int, available: int) -> InsufficientCredits:
    """The refusal of a call that costs more than the balance has available. Millicredits."""
    return InsufficientCredits(
        f"This call costs {credits_text(needed)} credits and your balance has {credits_text(available)} available. "
        f"Buy credits at {settings.PUBLIC_URL}/billing/."
    )


class Charge:
    """A hold on its way to a receipt. `held` is what quote, balance and key allow, in millicredits."""

    def __init__(self, call: Call, quote: Quote) -> None:
        self.call = call
        self.quote = quote
        self.held = 0
        self.is_left_over = False  # its capture did not reach the ledger, or nobody knows whether it did
        self._settlement: tuple[int, int, ledger.NewRow] | None = None
        self._also: Sequence[ledger.Unsaved] = ()
        self._reservation: spending.Reservation | None = None

    async def __aenter__(self) -> Self:
        check_limit(self.call, self.quote)
        if self.call.claim is not None:
            self.call.claim.check_lease()
        if self.call.caller.credit_limit:
            self._reservation = await spending.reserve(self.call, self.quote.base, self.quote.ceiling)
        try:
            self.held = await self._hold(self._reservation.amount if self._reservation else self.quote.ceiling)
        except BaseException:
            self._settle_reservation(0)
            raise
        _open_charges.add(self)
        return self

    async def _hold(self, most: int) -> int:
        call, quote = self.call, self.quote
        try:
            hold = await ledger.hold(
                call.caller.user_id, most, call.request_id, at_least=quote.base, deadline=_lease_end()
            )
        except ledger.InsufficientCredits as error:
            raise insufficient(error.needed, error.available) from None
        except ledger.AccountMissing:
            # Opened with the first credits: there have been none yet.
            raise insufficient(quote.base, 0) from None
        except ledger.LedgerUnavailable as error:
            raise DatabaseUnavailable("The ledger cannot be reached. Nothing was charged; try again.") from error
        return hold.amount

    def _settle_reservation(self, spent: int) -> None:
        if self._reservation is not None:
            self._reservation.settle(spent)

    async def capture(
        self, usage: Usage, *, cut_by: BaseException | None = None, also: Sequence[ledger.Unsaved] = ()
    ) -> int:
        """Charges what `usage` costs, and writes the receipt, and `also` other rows. Returns the millicredits charged.

        What a call cost beyond its hold (token prices only) is charged as an overrun. A hold that lapsed in the
        meantime stays released: nothing is charged, and the receipt says so. Where the ledger cannot be reached now,
        the answer need not wait: the lease is kept and the capture tried again until it is done. `cut_by` is what
        ended a stream before its end; a client that has left meanwhile (`call.client_left`) shows in the receipt, too.
        """
        cost = price(self.quote, usage)
        if cost == 0:
            logger.error("%s: a call to %s was answered for 0 credits", self.call.request_id, self.quote.model.id)
        captured = min(cost, self.held)
        is_partial = cut_by is not None or self.call.client_left
        receipt = self._receipt(
            Receipt.Outcome.PARTIAL if is_partial else Receipt.Outcome.SUCCEEDED,
            usage,
            captured=captured,
            overrun=cost - captured,
            error_code=_code_of(cut_by) if is_partial else "",
        )
        self._settlement = (captured, cost - captured, receipt)
        self._also = also
        self.call.charged = cost
        try:
            await self.settle()
        except asyncio.CancelledError:
            # It is on its way to the ledger all the same; whether it arrived shows when it is tried again.
            self.is_left_over = True
            raise
        return self.call.charged

    async def settle(self) -> None:
        """Writes the capture. Where the ledger cannot be reached the charge is left over, to be settled again."""
        assert self._settlement is not None, "capture comes first"
        captured, overrun, receipt = self._settlement
        call = self.call
        try:
            try:
                await ledger.capture(
                    call.request_id,
                    call.caller.user_id,
                    captured,
                    overrun=overrun,
                    also=(receipt, *call.kept, *self._also),
                )
            except ledger.HoldClosed as closed:
                if closed.state == Hold.State.RELEASED:
                    call.charged = 0
                    late = {"outcome": Receipt.Outcome.LATE.value, "captured": 0, "overrun": 0}
                    await ledger.record((ledger.NewRow(Receipt, receipt.values | late), *call.kept, *self._also))
        except ledger.LedgerUnavailable:
            if not self.is_left_over:
                logger.error("%s: the ledger is away, its capture is tried again", call.request_id)
            self.is_left_over = True
        else:
            _open_charges.discard(self)
            self._settle_reservation(call.charged or 0)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._settlement is not None:
            return
        _open_charges.discard(self)
        receipt = self._receipt(Receipt.Outcome.FAILED, Usage(reported=False), error_code=_code_of(error))
        self.call.charged = 0
        self._settle_reservation(0)
        rows = (receipt, *self.call.kept)
        try:
            await ledger.release(self.call.request_id, self.call.caller.user_id, also=rows)
        except ledger.HoldClosed:
            await ledger.record(rows)
        except ledger.LedgerUnavailable:
            # The caller's own error is the one to report; the hold lapses at its deadline.
            return

    def _receipt(
        self, outcome: Receipt.Outcome, usage: Usage, *, captured: int = 0, overrun: int = 0, error_code: str = ""
    ) -> ledger.NewRow:
        call = self.call
        elapsed = call.elapsed
        values = {
            "id": call.request_id,
            "account_id": call.caller.user_id,
            "api_key_id": call.caller.key_id,
            "endpoint": call.endpoint,
            "model": self.quote.model.id,
            "served_by": call.served_by,
            "stand_in": call.stand_in,
            "from_page": call.from_page,
            "outcome": outcome.value,
            "error_code": error_code,
            "quote": self.held,
            "captured": captured,
            "overrun": overrun,
            "usage": usage.as_dict(),
            "attempts": [attempt.as_dict() for attempt in call.attempts],
            "milliseconds": int(elapsed * 1000),
            "overhead_microseconds": int(max(0.0, elapsed - call.waited) * 1_000_000),
            "created_at": datetime.now(UTC),
        }
        return ledger.NewRow(Receipt, values)


def _code_of(error: BaseException | None) -> str:
    """The contract's word for what ended a call; `cancelled` where its client left."""
    if isinstance(error, GatewayError | ProviderError):
        return error.code
    return "internal_error" if isinstance(error, Exception) else "cancelled"


def _lease_end() -> datetime:
    return datetime.now(UTC) + LEASE


async def renew_leases() -> None:
    """Moves on the deadlines of the calls that this process is still working on. Called by the runtime, every 30 s.

    Then settles what was left over; the runtime does so once more at its end.
    """
    deadline = _lease_end()
    renewals = [
        ledger.extend(charge.call.request_id, charge.call.caller.user_id, deadline)
        for charge in _open_charges
        if charge.call.elapsed > LEASE.total_seconds() / 4
    ]
    outcomes = await asyncio.gather(*renewals, return_exceptions=True)
    left_over = [charge.settle() for charge in _open_charges if charge.is_left_over]
    outcomes += await asyncio.gather(*left_over, return_exceptions=True)
    for outcome in outcomes:
        # A call that ends just now has nothing left to renew.
        if isinstance(outcome, BaseException) and not isinstance(outcome, ledger.HoldClosed):
            raise outcome
