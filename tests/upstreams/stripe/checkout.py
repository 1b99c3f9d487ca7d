"""Checkout Sessions, in payment mode. https://docs.stripe.com/api/checkout/sessions/object"""

from typing import Any

from tests.upstreams.stripe import cards, intents
from tests.upstreams.stripe.account import Account, Object
from tests.upstreams.stripe.errors import bad_parameter, refused

LONGEST_REFERENCE = 200
DAY = 24 * 3600
SHORTEST = 30 * 60
# A page that is for a signed-in customer alone.
FOR_CUSTOMERS = ("customer_update", "saved_payment_method_options")
INTENT_DATA = {"description", "metadata", "setup_future_usage"}


def create(account: Account, params: Object) -> Object:
    """What `POST /v1/checkout/sessions` does."""
    _check(account, params)
    customer = account.find("customer", params["customer"], param="customer") if "customer" in params else None
    items = [_item(account, one, number) for number, one in enumerate(params["line_items"])]
    currency = items[0]["currency"]
    if any(item["currency"] != currency for item in items):
        raise bad_parameter("All line items must have the same currency.", param="line_items")
    subtotal = sum(item["amount_subtotal"] for item in items)
    email = customer["email"] if customer else params.get("customer_email")
    session = account.new(
        "checkout.session",
        allow_promotion_codes=params.get("allow_promotion_codes"),
        amount_subtotal=subtotal,
        amount_total=subtotal,
        cancel_url=params.get("cancel_url"),
        client_reference_id=params.get("client_reference_id"),
        currency=currency,
        customer=customer["id"] if customer else None,
        customer_creation=None if customer else params.get("customer_creation", "if_required"),
        customer_details=_details(email) if email else None,
        customer_email=params.get("customer_email"),
        expires_at=params.get("expires_at", account.now + DAY),
        locale=params.get("locale"),
        metadata=params.get("metadata") or {},
        allowed_payment_method_types=params.get("allowed_payment_method_types"),
        excluded_payment_method_types=params.get("excluded_payment_method_types"),
        payment_method_types=_types(params),
        submit_type=params.get("submit_type"),
        success_url=params["success_url"],
    )
    tax = params.get("automatic_tax", {}).get("enabled", False)
    session["automatic_tax"] |= {"enabled": tax, "status": "requires_location_inputs" if tax else None}
    session["invoice_creation"]["enabled"] = params.get("invoice_creation", {}).get("enabled", False)
    if customer:
        kept = params.get("saved_payment_method_options", {})
        session["saved_payment_method_options"] = {
            "allow_redisplay_filters": ["always"],
            "payment_method_remove": "disabled",
            "payment_method_save": kept.get("payment_method_save", "disabled"),
        }
    session["url"] = f"{account.origin}/c/pay/{session['id']}"
    account.intent_data[session["id"]] = params.get("payment_intent_data", {})
    account.line_items[session["id"]] = items
    return session


def pay(
    account: Account,
    session: Object,
    method: Object | None = None,
    *,
    number: str = cards.VISA,
    save: bool = False,
    promotion_code: str = "",
    authenticated: bool = True,
) -> Object:
    """What the payer does on the page, with a payment method or else the number of a card.

    Raises `CardDeclined`, and `Refusal` where the page cannot be paid on any more. With `authenticated` off, a card
    whose bank wants to see its owner leaves the session open.
    """
    if session["status"] != "open":
        raise refused(f"This Checkout Session is {session['status']}.")
    _total(account, session, promotion_code)
    data = account.intent_data[session["id"]]
    customer = account.find("customer", session["customer"]) if session["customer"] else None
    if customer is None and session["customer_creation"] == "always":
        email = (session["customer_details"] or {}).get("email")
        customer = account.new("customer", email=email)
        account.emit("customer.created", customer)
        session["customer"] = customer["id"]
    session["customer_details"] = session["customer_details"] or _details("payer@example.com")
    if session["amount_total"] == 0:
        return _complete(account, session, "no_payment_required")
    keeps = data.get("setup_future_usage") or (save and _offers_to_save(session))
    email = session["customer_details"]["email"]
    if method is None:
        method = cards.new_card(account, number, email=email)
    if method["type"] not in session["payment_method_types"]:
        raise refused(f"Nobody can pay by {method['type']} here.")
    intent = _intent_of(account, session, data)
    intents.charge(account, intent, method, payer_is_there=True, authenticated=authenticated)
    if intent["status"] == "requires_action":
        return session
    if keeps and customer and method["customer"] is None:
        cards.attach(account, method, customer)
    return _complete(account, session, "paid" if intent["status"] == "succeeded" else "unpaid")


def settle(account: Account, session: Object, *, ok: bool) -> None:
    """A payment that took days arrives, or does not."""
    intents.settle(account, account.find("payment_intent", session["payment_intent"]), ok=ok)
    if ok:
        session["payment_status"] = "paid"
        _invoice(account, session)
    account.emit(f"checkout.session.async_payment_{'succeeded' if ok else 'failed'}", session)


def expire(account: Account, session: Object) -> Object:
    """What `POST …/expire` does, and time by itself."""
    if session["status"] != "open":
        raise refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"`{session['status']}`."
        )
    session |= {"status": "expired", "url": None}
    if session["payment_intent"]:
        intent = account.find("payment_intent", session["payment_intent"])
        intents.cancel(account, intent, {"cancellation_reason": "automatic"})
    account.emit("checkout.session.expired", session)
    return session


def session_of(account: Account, intent: Object) -> Object | None:
    return next(account.all("checkout.session", payment_intent=intent["id"]), None)


def _check(account: Account, params: Object) -> None:
    if params.get("mode") != "payment":
        raise bad_parameter("This fake of Stripe has Checkout Sessions in payment mode alone.", param="mode")
    for name in ("success_url", "line_items"):
        if name not in params:
            raise bad_parameter(f"Missing required param: {name}.", code="parameter_missing", param=name)
    for name in params.get("payment_intent_data", {}).keys() - INTENT_DATA:
        raise bad_parameter(f"This fake of Stripe has no payment_intent_data[{name}].", param="payment_intent_data")
    for name in FOR_CUSTOMERS:
        if name in params and "customer" not in params:
            raise bad_parameter(f"`{name}` can only be used with `customer`.", param=name)
    if "customer" in params and params.keys() & {"customer_email", "customer_creation"}:
        raise bad_parameter("You may only specify one of these parameters: customer, customer_email.", param="customer")
    if len(params.get("client_reference_id", "")) > LONGEST_REFERENCE:
        raise bad_parameter("Invalid string: must be at most 200 characters", param="client_reference_id")
    expires_at = params.get("expires_at")
    if expires_at is not None and not SHORTEST <= expires_at - account.now <= DAY:
        raise bad_parameter("The `expires_at` timestamp must be 30 minutes to 24 hours from now.", param="expires_at")
    update = params.get("customer_update", {})
    if "customer" in params and params.get("automatic_tax", {}).get("enabled") and update.get("address") != "auto":
        raise bad_parameter(
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to "
            "the Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' "
            "to save the address entered in Checkout to the Customer.",
            code="customer_tax_location_invalid",
        )
    if "customer" in params and params.get("tax_id_collection", {}).get("enabled") and update.get("name") != "auto":
        raise bad_parameter(
            "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an "
            "existing customer, please set `customer_update[name]` to `auto`."
        )


def _types(params: Object) -> list[str]:
    """https://docs.stripe.com/payments/payment-methods/dynamic-payment-methods"""
    allowed, excluded = params.get("allowed_payment_method_types"), params.get("excluded_payment_method_types")
    if allowed and excluded:
        raise bad_parameter(
            "You may only specify one of these parameters: allowed_payment_method_types, "
            "excluded_payment_method_types.",
            param="allowed_payment_method_types",
        )
    return [one for one in cards.TYPES if one in (allowed or cards.TYPES) and one not in (excluded or ())]


def _item(account: Account, given: Object, number: int) -> Object:
    price = given.get("price_data")
    param = f"line_items[{number}]"
    if price is None:
        raise bad_parameter("This fake of Stripe has prices in `price_data` alone.", param=f"{param}[price_data]")
    if "product_data" not in price or "unit_amount" not in price:
        raise bad_parameter("Prices need `product_data` and `unit_amount` here.", param=f"{param}[price_data]")
    if "quantity" not in given:
        raise bad_parameter("Quantity is required. Add `quantity` to the line item.", param=f"{param}[quantity]")
    amount = price["unit_amount"] * given["quantity"]
    if price["unit_amount"] < 0 or given["quantity"] < 1:
        raise bad_parameter("Invalid line item", code="parameter_invalid_integer", param=param)
    item = account.new(
        "item",
        amount_subtotal=amount,
        amount_total=amount,
        currency=price["currency"].lower(),
        description=price["product_data"]["name"],
        quantity=given["quantity"],
    )
    return account.objects.pop(item["id"])


def _total(account: Account, session: Object, promotion_code: str) -> None:
    """Discount, then tax, as they come out once the payer has told code and address."""
    discount = 0
    if promotion_code:
        if not session["allow_promotion_codes"] or promotion_code not in account.promotion_codes:
            raise refused("This code is invalid.", param="promotion_code")
        discount = session["amount_subtotal"] * account.promotion_codes[promotion_code] // 100
    tax = 0
    if session["automatic_tax"]["enabled"]:
        session["automatic_tax"]["status"] = "complete"
        tax = (session["amount_subtotal"] - discount) * account.tax_percent // 100
    session["total_details"] |= {"amount_discount": discount, "amount_tax": tax}
    session["amount_total"] = session["amount_subtotal"] - discount + tax


def _intent_of(account: Account, session: Object, data: Object) -> Object:
    """It comes to be when somebody first tries to pay."""
    if session["payment_intent"]:
        intent = account.find("payment_intent", session["payment_intent"])
        intent["amount"] = session["amount_total"]
        return intent
    intent = intents.new(
        account,
        session["amount_total"],
        session["currency"],
        customer=session["customer"],
        description=data.get("description"),
        metadata=data.get("metadata") or {},
        payment_method_types=list(session["payment_method_types"]),
        setup_future_usage=data.get("setup_future_usage"),
    )
    session["payment_intent"] = intent["id"]
    return intent


def _complete(account: Account, session: Object, payment_status: str) -> Object:
    session |= {"payment_status": payment_status, "status": "complete", "url": None}
    if payment_status != "unpaid":
        _invoice(account, session)
    account.emit("checkout.session.completed", session)
    return session


def _invoice(account: Account, session: Object) -> None:
    if not session["invoice_creation"]["enabled"]:
        return
    total = session["amount_total"]
    invoice = account.new(
        "invoice",
        amount_due=total,
        amount_paid=total,
        currency=session["currency"],
        customer=session["customer"],
        customer_email=session["customer_details"]["email"],
        number=account.new_id("INV-", 8).upper(),
        status="paid",
        subtotal=session["amount_subtotal"],
        total=total,
    )
    invoice["hosted_invoice_url"] = f"{account.origin}/i/{invoice['id']}"
    invoice["invoice_pdf"] = f"{account.origin}/i/{invoice['id']}/pdf"
    session["invoice"] = invoice["id"]
    for event_type in ("invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"):
        account.emit(event_type, invoice)


def _offers_to_save(session: Object) -> bool:
    options = session["saved_payment_method_options"]
    return bool(options) and options["payment_method_save"] == "enabled"


def _details(email: str) -> dict[str, Any]:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    names = dict.fromkeys(("business_name", "individual_name", "name", "phone"))
    return {"address": address, "email": email, "tax_exempt": "none", "tax_ids": [], **names}
