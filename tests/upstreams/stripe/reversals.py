"""Refunds and disputes. https://docs.stripe.com/refunds and https://docs.stripe.com/disputes/how-disputes-work"""

from typing import Any

from tests.upstreams.stripe.account import Account, Object
from tests.upstreams.stripe.errors import bad_parameter, refused

# Statuses of an inquiry: no money has moved.
INQUIRY = "warning_"
WEEK = 7 * 24 * 3600


def create(account: Account, params: Object) -> Object:
    """What `POST /v1/refunds` does."""
    if ("charge" in params) == ("payment_intent" in params):
        raise bad_parameter(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    if "charge" in params:
        charge = account.find("charge", params["charge"], param="charge")
    else:
        intent = account.find("payment_intent", params["payment_intent"], param="payment_intent")
        if not intent["latest_charge"]:
            raise refused(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
        charge = account.find("charge", intent["latest_charge"])
    status = "pending" if charge["payment_method_details"]["type"] != "card" else "succeeded"
    extra = {"reason": params.get("reason"), "metadata": params.get("metadata") or {}}
    return refund(account, charge, params.get("amount"), status=status, **extra)


def refund(account: Account, charge: Object, amount: int | None = None, *, status: str, **fields: Any) -> Object:
    """Gives `amount` back, or what is left. `status` is `succeeded`, `pending` or `requires_action`."""
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        raise refused(f"Charge {charge['id']} has not succeeded, and cannot be refunded.", param="charge")
    if left == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if _is_charged_back(account, charge):
        raise refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    amount = left if amount is None else amount
    if amount < 1:
        raise bad_parameter("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise refused(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge (${left / 100:.2f})",
            param="amount",
        )
    made = account.new(
        "refund",
        amount=amount,
        balance_transaction=account.new_id("txn_3"),
        charge=charge["id"],
        currency=charge["currency"],
        customer=charge["customer"],
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        status=status,
        **fields,
    )
    kind = charge["payment_method_details"]["type"]
    made["destination_details"] = {kind: {"type": "refund"} if kind == "card" else {}, "type": kind}
    if status == "pending":
        made["pending_reason"] = "processing"
    _count(charge, amount)
    account.emit("refund.created", made)
    account.emit("charge.refunded", charge)
    return made


def change_refund(account: Account, made: Object, status: str) -> None:
    """A refund that was pending succeeds; or one that was pending or had succeeded fails, or is canceled."""
    previous = made["status"]
    made["status"] = status
    made.pop("pending_reason", None)
    if status in ("failed", "canceled"):
        assert previous not in ("failed", "canceled"), f"{made['id']} is {previous}"
        charge = account.find("charge", made["charge"])
        _count(charge, -made["amount"])
        made["failure_balance_transaction"] = account.new_id("txn_3")
        if status == "failed":
            made["failure_reason"] = "expired_or_canceled_card"
            account.emit("refund.failed", made)
    account.emit("refund.updated", made, status=previous)
    account.emit("charge.refund.updated", made, status=previous)


def dispute(account: Account, charge: Object, amount: int | None, *, status: str, reason: str) -> Object:
    """The payer's bank takes money back; or asks, where `status` begins with `warning_`."""
    inquiry = status.startswith(INQUIRY)
    made = account.new(
        "dispute",
        amount=charge["amount"] if amount is None else amount,
        charge=charge["id"],
        currency=charge["currency"],
        is_charge_refundable=inquiry,
        payment_intent=charge["payment_intent"],
        reason=reason,
        status=status,
    )
    made["evidence_details"]["due_by"] = account.now + WEEK
    made["payment_method_details"]["card"]["case_type"] = "inquiry" if inquiry else "chargeback"
    charge["disputed"] = True
    if not inquiry:
        _move(account, made, -made["amount"])
    account.emit("charge.dispute.created", made)
    if not inquiry:
        account.emit("charge.dispute.funds_withdrawn", made)
    return made


def change_dispute(account: Account, made: Object, status: str) -> None:
    """Goes on to another status. An inquiry that gets `needs_response` has become a chargeback."""
    previous = made["status"]
    made["status"] = status
    escalated = previous.startswith(INQUIRY) and not status.startswith(INQUIRY) and status != "won"
    closed = status in ("won", "lost", "warning_closed")
    if escalated:
        made["is_charge_refundable"] = False
        made["payment_method_details"]["card"]["case_type"] = "chargeback"
        _move(account, made, -made["amount"])
    if status == "won" and not previous.startswith(INQUIRY):
        _move(account, made, made["amount"])
    account.emit(f"charge.dispute.{'closed' if closed else 'updated'}", made, status=previous)
    if escalated:
        account.emit("charge.dispute.funds_withdrawn", made)
    if status == "won" and not previous.startswith(INQUIRY):
        account.emit("charge.dispute.funds_reinstated", made)


def _count(charge: Object, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


def _move(account: Account, made: Object, amount: int) -> None:
    entry = {"amount": amount, "currency": made["currency"], "id": account.new_id("txn_1"), "type": "adjustment"}
    made["balance_transactions"].append(entry | {"object": "balance_transaction", "created": account.now})


def _is_charged_back(account: Account, charge: Object) -> bool:
    disputes = account.all("dispute", charge=charge["id"])
    return any(not one["is_charge_refundable"] and one["status"] != "won" for one in disputes)
