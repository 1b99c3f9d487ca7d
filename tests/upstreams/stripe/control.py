"""What tests make happen: what the payer, the bank and people at Stripe do."""

import copy
from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any

from tests.upstreams.stripe import cards, checkout, intents, reversals
from tests.upstreams.stripe.account import Account, Object
from tests.upstreams.stripe.webhooks import Webhooks


@dataclass
class Trouble:
    """Of the next `times` requests whose method and path contain `path`."""

    path: str
    status: int = 0
    cut: str = ""  # the connection, `before` or `after` the request has had its effect
    hang: bool = False  # after it
    times: int = 1


class Control(ABC):
    """Payments are named by their PaymentIntent or their Checkout Session. What is given back are copies."""

    test: Account
    live: Account

    def __init__(self) -> None:
        self.webhooks = Webhooks()
        self.lock = RLock()
        self.troubles: list[Trouble] = []

    # --- The payer ----------------------------------------------------------------------------------------------------

    def pay(self, session_id: str, card: str = cards.VISA, *, save: bool = False, promotion_code: str = "") -> Object:
        """Pays on the page, and confirms it to the bank where that asks. Raises `CardDeclined`; the page stays open."""
        with self._change(session_id) as (account, session):
            checkout.pay(account, session, number=card, save=save, promotion_code=promotion_code)
            return copy.deepcopy(session)

    def pay_later(self, session_id: str) -> Object:
        """Pays by a bank's debit: the session is complete and unpaid until `settle`."""
        with self._change(session_id) as (account, session):
            checkout.pay(account, session, cards.new_bank_account(account))
            return copy.deepcopy(session)

    def settle(self, payment_id: str, *, ok: bool = True) -> None:
        """A payment that was on its way arrives, or fails."""
        with self._change(payment_id) as (account, found):
            session = found if found["object"] == "checkout.session" else checkout.session_of(account, found)
            if session is not None:
                checkout.settle(account, session, ok=ok)
            else:
                intents.settle(account, found, ok=ok)

    def expire(self, session_id: str) -> None:
        """The page's time is over."""
        with self._change(session_id) as (account, session):
            checkout.expire(account, session)

    def save_card(self, customer_id: str, card: str = cards.VISA) -> str:
        """The id of a payment method that the customer keeps from now on."""
        with self._change(customer_id) as (account, customer):
            return cards.new_card(account, card, customer, customer["email"])["id"]

    def remove_card(self, payment_method_id: str) -> None:
        with self._change(payment_method_id) as (account, method):
            cards.detach(account, method)

    # --- Banks --------------------------------------------------------------------------------------------------------

    def next_charge(self, *, declines: str = "", takes_days: bool = False, times: int = 1) -> None:
        """How the next payments end, whatever their card: `card_declined`, `insufficient_funds`, `expired_card`,
        `lost_card`, `processing_error` or `authentication_required`; or processing until `settle`."""
        outcome = intents.TAKES_DAYS if takes_days else cards.OUTCOMES[declines]
        for account in (self.test, self.live):
            account.outcomes.extend([outcome] * times)

    def refund(self, payment_id: str, amount: int | None = None, status: str = "succeeded") -> str:
        """The refund's id. Raises `Refusal` where Stripe would: too much, or a charge that is disputed."""
        with self._change(payment_id) as (account, found):
            charge = self._charge(account, found)
            made = reversals.refund(account, charge, amount, status="pending" if status == "failed" else status)
            if status == "failed":
                reversals.change_refund(account, made, "failed")
            return made["id"]

    def settle_refund(self, refund_id: str) -> None:
        """One that was pending has succeeded."""
        with self._change(refund_id) as (account, made):
            reversals.change_refund(account, made, "succeeded")

    def fail_refund(self, refund_id: str) -> None:
        """The bank sends it back: one that was pending, or one that had succeeded."""
        with self._change(refund_id) as (account, made):
            reversals.change_refund(account, made, "failed")

    def dispute(
        self, payment_id: str, amount: int | None = None, status: str = "needs_response", reason: str = "fraudulent"
    ) -> str:
        """The dispute's id; an inquiry's, which takes no money, with `warning_needs_response`."""
        with self._change(payment_id) as (account, found):
            return reversals.dispute(account, self._charge(account, found), amount, status=status, reason=reason)["id"]

    def change_dispute(self, dispute_id: str, status: str) -> None:
        with self._change(dispute_id) as (account, made):
            reversals.change_dispute(account, made, status)

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        """An inquiry that is won is closed without having become a dispute."""
        with self._change(dispute_id) as (account, made):
            inquiry = made["status"].startswith(reversals.INQUIRY)
            status = ("warning_closed" if inquiry else "won") if won else "lost"
            reversals.change_dispute(account, made, status)

    # --- Stripe -------------------------------------------------------------------------------------------------------

    def get(self, object_id: str) -> Object:
        with self.lock:
            return copy.deepcopy(self._account(object_id).objects[object_id])

    def all(self, kind: str, **fields: Any) -> list[Object]:
        """Of both modes, newest first: `all("refund", payment_intent=…)`."""
        with self.lock:
            return copy.deepcopy([one for account in (self.test, self.live) for one in account.all(kind, **fields)])

    def tamper(self, object_id: str, **fields: Any) -> None:
        """Changes an object where nobody can: `amount_subtotal`, `currency`, `livemode`, `customer`, `created`, …

        Without an event. A session is changed before it is paid to have another payment than was asked for.
        """
        with self.lock:
            found = self._account(object_id).objects[object_id]
            assert fields.keys() <= found.keys(), f"a {found['object']} has no {fields.keys() - found.keys()}"
            found |= fields

    def discount(self, code: str, percent: int) -> None:
        """A promotion code, for pages that take some."""
        for account in (self.test, self.live):
            account.promotion_codes[code] = percent

    def tax(self, percent: int) -> None:
        """Where automatic tax is on."""
        for account in (self.test, self.live):
            account.tax_percent = percent

    def pass_time(self, seconds: int) -> None:
        """Pages that are open too long expire; keys of requests are forgotten after a day."""
        for account in (self.test, self.live):
            account.seconds_ahead += seconds
            for session in list(account.all("checkout.session", status="open")):
                if session["expires_at"] <= account.now:
                    self.expire(session["id"])

    def trouble(self, path: str = "", *, status: int = 0, cut: str = "", hang: bool = False, times: int = 1) -> None:
        """`trouble("POST /v1/refunds", status=500)`: of the next requests; 429 and 5xx, or a cut before or after."""
        self.troubles.append(Trouble(path, status, cut, hang, times))

    def _account(self, object_id: str) -> Account:
        account = self.live if object_id in self.live.objects else self.test
        assert object_id in account.objects, f"there is no {object_id}"
        return account

    @contextmanager
    def _change(self, object_id: str) -> Iterator[tuple[Account, Object]]:
        """Once it is over, webhooks go out."""
        try:
            with self.lock:
                account = self._account(object_id)
                yield account, account.objects[object_id]
        finally:
            self.webhooks.after_change()

    def _charge(self, account: Account, found: Object) -> Object:
        if found["object"] == "checkout.session":
            found = account.find("payment_intent", found["payment_intent"])
        return account.find("charge", found["latest_charge"])
