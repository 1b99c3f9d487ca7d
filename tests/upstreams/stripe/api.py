"""The endpoints: which parameters each takes, and what it does."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from stripe import params as known
from stripe.params import billing_portal as known_portal
from stripe.params import checkout as known_checkout

from tests.upstreams.stripe import cards, checkout, forms, intents, reversals
from tests.upstreams.stripe.account import Account, Object
from tests.upstreams.stripe.errors import RequestRefused, bad_parameter, body, refused

Work = Callable[[Account, str, Object], Object]

# https://docs.stripe.com/changelog/endive/2026-09-30/remove-payment-method-types-checkout-sessions
NO_LONGER, GONE = "payment_method_types", "no_longer_supported"
PAGING = frozenset({"created", "ending_before", "limit", "starting_after"})


class Route(NamedTuple):
    """`params` is the library's class of those that there are; of these the fake obeys `obeyed`, and refuses others.

    `work` is given the account, the id in the address (or nothing) and the parameters.
    """

    method: str
    path: str
    params: Any
    obeyed: frozenset[str]
    work: Work

    @property
    def pattern(self) -> str:
        return self.path.replace("{id}", "(?P<id>[^/]+)")


class Call(NamedTuple):
    route: Route
    object_id: str
    params: Object
    expand: list[str]

    def run(self, account: Account) -> Object:
        return account.show(self.route.work(account, self.object_id, self.params), self.expand)


def read_call(method: str, path: str, fields: dict[str, str]) -> Call:
    """What a request asks for. Raises `RequestRefused`."""
    for route in ROUTES:
        found = re.fullmatch(route.pattern, path)
        if found is None or method != route.method:
            continue
        tree = forms.decode(fields)
        if method == "POST" and NO_LONGER in tree:
            raise bad_parameter(f"{NO_LONGER} is no longer supported.", code=f"{NO_LONGER}_{GONE}", param=NO_LONGER)
        params = forms.read(route.params, tree)
        expand = params.pop("expand", [])
        for name in params.keys() - route.obeyed:
            raise bad_parameter(f"This fake of Stripe does not obey {name} yet.", param=name)
        return Call(route, found.groupdict().get("id", ""), params, expand)
    raise RequestRefused(404, body(f"Unrecognized request URL ({method}: {path})."))


def _get(path: str, params: Any, kind: str) -> Route:
    return Route("GET", path, params, frozenset(), lambda account, key, _: account.find(kind, key, status=404))


def _list(path: str, params: Any, kind: str, *filters: str) -> Route:
    """`filters` are fields that have the parameter's value, ids among them being ones that exist."""

    def work(account: Account, _: str, asked: Object) -> Object:
        wanted = {name: asked[name] for name in filters if name in asked}
        for name in wanted.keys() & {"charge", "customer", "payment_intent"}:
            account.find(name, wanted[name], param=name)
        return account.page(account.all(kind, **wanted), path, asked)

    return Route("GET", path, params, PAGING | frozenset(filters), work)


def _create_customer(account: Account, _: str, params: Object) -> Object:
    customer = account.new("customer", **params)
    customer["metadata"] = params.get("metadata") or {}
    account.emit("customer.created", customer)
    return customer


def _update_customer(account: Account, key: str, params: Object) -> Object:
    customer = account.find("customer", key, status=404)
    settings = params.pop("invoice_settings", {})
    if method := settings.get("default_payment_method"):
        account.find("payment_method", method, param="invoice_settings[default_payment_method]")
        customer["invoice_settings"]["default_payment_method"] = method
    customer["metadata"] |= params.pop("metadata", None) or {}
    customer |= params
    account.emit("customer.updated", customer)
    return customer


def _list_methods(account: Account, key: str, params: Object) -> Object:
    account.find("customer", key, param="customer", status=404)
    wanted = {"type": params["type"]} if "type" in params else {}
    found = account.all("payment_method", customer=key, **wanted)
    return account.page(found, f"/v1/customers/{key}/payment_methods", params)


def _attach(account: Account, key: str, params: Object) -> Object:
    method = account.find("payment_method", key, status=404)
    cards.attach(account, method, account.find("customer", params.get("customer", ""), param="customer"))
    return method


def _detach(account: Account, key: str, _: Object) -> Object:
    method = account.find("payment_method", key, status=404)
    if method["customer"] is None:
        raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    cards.detach(account, method)
    return method


def _expire_checkout(account: Account, key: str, _: Object) -> Object:
    return checkout.expire(account, account.find("checkout.session", key, status=404))


def _list_line_items(account: Account, key: str, params: Object) -> Object:
    account.find("checkout.session", key, status=404)
    url = f"/v1/checkout/sessions/{key}/line_items"
    return {"object": "list", "data": account.line_items[key], "has_more": False, "url": url}


def _confirm_intent(account: Account, key: str, params: Object) -> Object:
    return intents.confirm(account, account.find("payment_intent", key, status=404), params)


def _cancel_intent(account: Account, key: str, params: Object) -> Object:
    intent = account.find("payment_intent", key, status=404)
    session = checkout.session_of(account, intent)
    if session is not None and session["status"] == "open":
        raise intents.unexpected_state(intent, "belongs to a Checkout Session. Expire the Checkout Session instead")
    return intents.cancel(account, intent, params)


def _open_portal(account: Account, _: str, params: Object) -> Object:
    if "customer" not in params:
        raise bad_parameter("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = account.find("customer", params["customer"], param="customer")
    session = account.new("billing_portal.session", customer=customer["id"], return_url=params.get("return_url"))
    session["url"] = f"{account.origin}/p/session/{session['id']}"
    return session


def _list_events(account: Account, _: str, params: Object) -> Object:
    types = params.get("types") or ([params["type"]] if "type" in params else None)
    found: Iterator[Object] = (one for one in account.all("event") if types is None or one["type"] in types)
    return account.page(found, "/v1/events", params)


CUSTOMER = frozenset({"address", "description", "email", "metadata", "name", "phone", "preferred_locales"})
CHECKOUT = frozenset(
    {
        *("allow_promotion_codes", "allowed_payment_method_types", "automatic_tax", "cancel_url"),
        *("client_reference_id", "customer", "customer_creation", "customer_email", "customer_update"),
        *("excluded_payment_method_types", "expires_at", "invoice_creation", "line_items", "locale", "metadata"),
        *("mode", "payment_intent_data", "saved_payment_method_options", "submit_type", "success_url"),
        "tax_id_collection",
    }
)
INTENT = frozenset(
    {
        *("amount", "automatic_payment_methods", "confirm", "currency", "customer", "description", "metadata"),
        *("off_session", "payment_method", "receipt_email", "return_url", "setup_future_usage"),
    }
)
CONFIRM = frozenset({"off_session", "payment_method", "return_url"})
REFUND = frozenset({"amount", "charge", "metadata", "payment_intent", "reason"})

ROUTES = (
    Route("POST", "/v1/customers", known.CustomerCreateParams, CUSTOMER, _create_customer),
    _get("/v1/customers/{id}", known.CustomerRetrieveParams, "customer"),
    Route("POST", "/v1/customers/{id}", known.CustomerUpdateParams, CUSTOMER | {"invoice_settings"}, _update_customer),
    Route(
        *("GET", "/v1/customers/{id}/payment_methods", known.CustomerPaymentMethodListParams),
        *(PAGING | {"type"}, _list_methods),
    ),
    _get("/v1/payment_methods/{id}", known.PaymentMethodRetrieveParams, "payment_method"),
    Route(
        *("POST", "/v1/payment_methods/{id}/attach", known.PaymentMethodAttachParams),
        *(frozenset({"customer"}), _attach),
    ),
    Route("POST", "/v1/payment_methods/{id}/detach", known.PaymentMethodDetachParams, frozenset(), _detach),
    Route(
        *("POST", "/v1/checkout/sessions", known_checkout.SessionCreateParams, CHECKOUT),
        lambda account, _, params: checkout.create(account, params),
    ),
    _list(
        *("/v1/checkout/sessions", known_checkout.SessionListParams, "checkout.session"),
        *("customer", "payment_intent", "status"),
    ),
    _get("/v1/checkout/sessions/{id}", known_checkout.SessionRetrieveParams, "checkout.session"),
    Route(
        *("POST", "/v1/checkout/sessions/{id}/expire", known_checkout.SessionExpireParams),
        *(frozenset(), _expire_checkout),
    ),
    Route(
        *("GET", "/v1/checkout/sessions/{id}/line_items", known_checkout.SessionListLineItemsParams),
        *(PAGING, _list_line_items),
    ),
    Route(
        *("POST", "/v1/payment_intents", known.PaymentIntentCreateParams, INTENT),
        lambda account, _, params: intents.create(account, params),
    ),
    _list("/v1/payment_intents", known.PaymentIntentListParams, "payment_intent", "customer"),
    _get("/v1/payment_intents/{id}", known.PaymentIntentRetrieveParams, "payment_intent"),
    Route("POST", "/v1/payment_intents/{id}/confirm", known.PaymentIntentConfirmParams, CONFIRM, _confirm_intent),
    Route(
        *("POST", "/v1/payment_intents/{id}/cancel", known.PaymentIntentCancelParams),
        *(frozenset({"cancellation_reason"}), _cancel_intent),
    ),
    _list("/v1/charges", known.ChargeListParams, "charge", "customer", "payment_intent"),
    _get("/v1/charges/{id}", known.ChargeRetrieveParams, "charge"),
    Route(
        *("POST", "/v1/refunds", known.RefundCreateParams, REFUND),
        lambda account, _, params: reversals.create(account, params),
    ),
    _list("/v1/refunds", known.RefundListParams, "refund", "charge", "payment_intent"),
    _get("/v1/refunds/{id}", known.RefundRetrieveParams, "refund"),
    _list("/v1/disputes", known.DisputeListParams, "dispute", "charge", "payment_intent"),
    _get("/v1/disputes/{id}", known.DisputeRetrieveParams, "dispute"),
    Route(
        *("POST", "/v1/billing_portal/sessions", known_portal.SessionCreateParams),
        *(frozenset({"customer", "return_url"}), _open_portal),
    ),
    _list("/v1/invoices", known.InvoiceListParams, "invoice", "customer", "status"),
    _get("/v1/invoices/{id}", known.InvoiceRetrieveParams, "invoice"),
    Route("GET", "/v1/events", known.EventListParams, PAGING | {"type", "types"}, _list_events),
    _get("/v1/events/{id}", known.EventRetrieveParams, "event"),
)
