"""PaymentIntents and their charges. https://docs.stripe.com/payments/paymentintents/lifecycle"""

import copy
from typing import Any

from tests.upstreams.stripe import cards
from tests.upstreams.stripe.account import FIXTURES, Account, Object
from tests.upstreams.stripe.errors import CardDeclined, bad_parameter, body, refused

SMALLEST, LARGEST = 50, 99_999_999  # cents
# Those of a payment by bank debit, which takes days: a key beside the declines.
TAKES_DAYS = "processing"
CANCELABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")
RETURN_URL_MISSING = (
    "A `return_url` must be specified because this Payment Intent is configured to automatically accept the payment "
    "methods enabled in the Dashboard, some of which may require a full page redirect to succeed. If you do not want "
    "to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)


def create(account: Account, params: Object) -> Object:
    """What `POST /v1/payment_intents` does. Raises `CardDeclined` where it is confirmed in vain."""
    amount, currency = params["amount"], params["currency"].lower()
    if amount < SMALLEST:
        raise bad_parameter("Amount must be at least $0.50 usd", code="amount_too_small", param="amount")
    if amount > LARGEST:
        raise bad_parameter("Amount must be no more than $999,999.99", code="amount_too_large", param="amount")
    if not params.get("confirm"):
        for name in ("off_session", "return_url", "error_on_requires_action"):
            if name in params:
                raise bad_parameter(f"You can only set `{name}` if `confirm` is `true`.", param=name)
    customer = account.find("customer", params["customer"], param="customer") if "customer" in params else None
    method = _find_method(account, params, customer)
    automatic = params.get("automatic_payment_methods")
    # What Stripe takes it for if nothing is said.
    automatic = {"allow_redirects": "always"} | (automatic or {"enabled": True})
    intent = new(
        account,
        amount,
        currency,
        customer=customer["id"] if customer else None,
        automatic_payment_methods=automatic,
        description=params.get("description"),
        metadata=params.get("metadata") or {},
        payment_method=method["id"] if method else None,
        payment_method_types=list(cards.TYPES),
        receipt_email=params.get("receipt_email"),
        setup_future_usage=params.get("setup_future_usage"),
        status="requires_confirmation" if method else "requires_payment_method",
    )
    return confirm(account, intent, params) if params.get("confirm") else intent


def new(account: Account, amount: int, currency: str, **fields: Any) -> Object:
    intent = account.new("payment_intent", amount=amount, currency=currency, **fields)
    intent["client_secret"] = account.new_id(f"{intent['id']}_secret_", 25)
    account.emit("payment_intent.created", intent)
    return intent


def confirm(account: Account, intent: Object, params: Object) -> Object:
    """What `POST …/confirm` does. Raises `CardDeclined`."""
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        raise unexpected_state(intent, f"has a status of {intent['status']}, and cannot be confirmed")
    customer = account.find("customer", intent["customer"]) if intent["customer"] else None
    method = _find_method(account, params, customer)
    if method is None and intent["payment_method"]:
        method = account.find("payment_method", intent["payment_method"])
    if method is None:
        raise bad_parameter(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            param="payment_method",
        )
    automatic = intent["automatic_payment_methods"]
    # Whether being off session would excuse it is not documented.
    if automatic["allow_redirects"] != "never" and "return_url" not in params:
        raise bad_parameter(RETURN_URL_MISSING, param="return_url")
    return charge(account, intent, method, payer_is_there=not params.get("off_session"))


def charge(
    account: Account, intent: Object, method: Object, *, payer_is_there: bool, authenticated: bool = False
) -> Object:
    """Tries to take the money by a payment method. Raises `CardDeclined`.

    The intent ends as `succeeded`; as `processing` where it takes days; as `requires_action` where the bank wants to
    see the payer, who is there; and else without a payment method.
    """
    asked_for = account.outcomes.popleft() if account.outcomes else None
    outcome = asked_for or cards.decline_of(method)
    intent["payment_method"] = method["id"]
    asks = cards.asks_payer(method) or asked_for == "authentication_required"
    if payer_is_there and asks:
        outcome = asked_for if asked_for != "authentication_required" else ""
        if not authenticated:
            intent["status"] = "requires_action"
            url = f"{account.origin}/authenticate/{intent['id']}"
            intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"return_url": None, "url": url}}
            account.emit("payment_intent.requires_action", intent)
            return intent
    intent["next_action"] = None
    made = _new_charge(account, intent, method)
    intent["latest_charge"] = made["id"]
    if outcome in cards.DECLINES:
        raise CardDeclined(_fail(account, intent, made, outcome))
    if outcome == TAKES_DAYS or method["type"] == cards.BANK:
        intent["status"] = "processing"
        account.emit("payment_intent.processing", intent)
        account.emit("charge.pending", made)
    else:
        _succeed(account, intent, made)
    return intent


def fail_authentication(account: Account, intent: Object) -> None:
    """The payer did not show the bank that it is them."""
    message = "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new one."
    error = body(message, code="payment_intent_authentication_failure", kind="invalid_request_error")["error"]
    intent |= {
        "last_payment_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    account.emit("payment_intent.payment_failed", intent)


def settle(account: Account, intent: Object, *, ok: bool) -> None:
    """A payment that took days arrives, or does not."""
    assert intent["status"] == "processing", f"{intent['id']} is {intent['status']}, not on its way"
    made = account.find("charge", intent["latest_charge"])
    if ok:
        _succeed(account, intent, made)
    else:
        _fail(account, intent, made, "insufficient_funds")


def cancel(account: Account, intent: Object, params: Object) -> Object:
    """What `POST …/cancel` does."""
    if intent["status"] not in CANCELABLE:
        states = ", ".join(CANCELABLE[:-1])
        raise unexpected_state(
            intent,
            f"could not be canceled because it has a status of {intent['status']}. Only a PaymentIntent with one of "
            f"the following statuses may be canceled: {states}, {CANCELABLE[-1]}",
        )
    intent |= {
        "status": "canceled",
        "canceled_at": account.now,
        "cancellation_reason": params.get("cancellation_reason"),
        "next_action": None,
    }
    account.emit("payment_intent.canceled", intent)
    return intent


def unexpected_state(intent: Object, what: str) -> Exception:
    error = refused(f"This PaymentIntent {what}.", code="payment_intent_unexpected_state", param="intent")
    error.body["error"]["payment_intent"] = copy.deepcopy(intent)
    return error


def _find_method(account: Account, params: Object, customer: Object | None) -> Object | None:
    if "payment_method" not in params:
        return None
    method = account.find("payment_method", params["payment_method"], param="payment_method")
    if method["customer"] is None and customer is None:
        return method
    if customer is None or method["customer"] != customer["id"]:
        raise refused(
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must be "
            "attached to the customer.",
            code="resource_missing",
            param="payment_method",
        )
    return method


def _new_charge(account: Account, intent: Object, method: Object) -> Object:
    made = account.new(
        "charge",
        amount=intent["amount"],
        billing_details=copy.deepcopy(method["billing_details"]),
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method=method["id"],
        receipt_email=intent["receipt_email"],
    )
    kind = method["type"]
    details = {name: method[kind][name] for name in ("last4", "fingerprint")}
    if kind == "card":
        details = FIXTURES["charge.card"] | details | {"brand": method["card"]["brand"]}
    made["payment_method_details"] = {"type": kind, kind: details}
    return made


def _succeed(account: Account, intent: Object, made: Object) -> None:
    made |= {
        "amount_captured": made["amount"],
        "captured": True,
        "outcome": _outcome("authorized", "approved_by_network", "Payment complete."),
        "paid": True,
        "receipt_url": f"{account.origin}/receipts/{made['id']}",
        "status": "succeeded",
    }
    intent |= {"amount_received": made["amount"], "last_payment_error": None, "status": "succeeded"}
    account.emit("charge.succeeded", made)
    account.emit("payment_intent.succeeded", intent)
    # https://docs.stripe.com/payments/payment-intents/asynchronous-capture
    made["balance_transaction"] = account.new_id("txn_3")
    account.emit("charge.updated", made, balance_transaction=None)


def _fail(account: Account, intent: Object, made: Object, outcome: str) -> Object:
    """The error."""
    code, message = cards.DECLINES[outcome]
    made |= {
        "failure_code": code,
        "failure_message": message,
        "outcome": _outcome("issuer_declined", "declined_by_network", message, outcome),
        "status": "failed",
    }
    error = body(message, code=code, kind="card_error")["error"] | {
        "charge": made["id"],
        "decline_code": outcome,
        "payment_method": copy.deepcopy(account.objects[intent["payment_method"]]),
    }
    intent |= {"last_payment_error": copy.deepcopy(error), "payment_method": None, "status": "requires_payment_method"}
    account.emit("charge.failed", made)
    account.emit("payment_intent.payment_failed", intent)
    return error | {"payment_intent": copy.deepcopy(intent)}


def _outcome(kind: str, network_status: str, message: str, reason: str | None = None) -> Object:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": reason,
        "risk_level": "normal",
        "seller_message": message,
        "type": kind,
    }
