"""The pages that people see at Stripe: where they pay, where they keep their cards, receipts and invoices.

Plain forms, which browsers and test clients alike can send. To pay: `card` (a test card's number) or `method` (a
payment method's id, or `bank`); `save=on`, `promotion_code`. A bank that wants to see the payer has them sent again
with `authenticated=yes` or `no`.
"""

from html import escape
from typing import NamedTuple

from tests.upstreams.server import Refusal
from tests.upstreams.stripe import cards, checkout, intents
from tests.upstreams.stripe.account import Account, Object

BANK = "bank"


class Page(NamedTuple):
    status: int
    html: str = ""
    location: str = ""


def show(account: Account, method: str, path: str, fields: dict[str, str]) -> Page:
    """What is at `path`, after a form was sent there if `method` is POST."""
    for start, answer in PAGES.items():
        key = path.removeprefix(start).partition("/")[0]
        if path.startswith(start) and key in account.objects:
            return answer(account, account.objects[key], fields if method == "POST" else {})
    return NOTHING


def _pay(account: Account, session: Object, fields: dict[str, str]) -> Page:
    problem = ""
    if fields and session["status"] == "open":
        try:
            _try_to_pay(account, session, fields)
        except Refusal as refusal:
            problem = refusal.body["error"]["message"]
    if session["status"] == "complete":
        return Page(303, location=session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))
    if session["status"] == "expired":
        back = _link(session["cancel_url"], "Return to the shop")
        return Page(200, _html("This page has expired", f"<p>Nothing was charged.</p>{back}"))
    intent = account.objects.get(session["payment_intent"])
    if fields and intent and intent["status"] == "requires_action":
        return Page(200, _html("Your bank wants to know that it is you", _authentication_form(fields)))
    return Page(200, _html("Pay", _payment_form(account, session, problem)))


def _try_to_pay(account: Account, session: Object, fields: dict[str, str]) -> None:
    if fields.get("authenticated") == "no":
        intents.fail_authentication(account, account.objects[session["payment_intent"]])
        raise Refusal(402, {"error": {"message": "We are unable to authenticate your payment method."}})
    method = None
    if fields.get("method") == BANK:
        method = cards.new_bank_account(account)
    elif fields.get("method"):
        method = account.find("payment_method", fields["method"])
    checkout.pay(
        account,
        session,
        method,
        number=fields.get("card", ""),
        save=fields.get("save") == "on",
        promotion_code=fields.get("promotion_code", "").strip(),
        authenticated=fields.get("authenticated") == "yes",
    )


def _payment_form(account: Account, session: Object, problem: str) -> str:
    amount = _money(session["amount_total"], session["currency"])
    items = "".join(f"<li>{escape(item['description'])}</li>" for item in account.line_items[session["id"]])
    kept = account.all("payment_method", customer=session["customer"]) if session["customer"] else ()
    choices = [(one["id"], f"{one['card']['brand']} ending in {one['card']['last4']}") for one in kept if "card" in one]
    choices = [("", "The card above"), *choices]
    if cards.BANK in session["payment_method_types"]:
        choices.append((BANK, "A bank account (takes days)"))
    options = session["saved_payment_method_options"] or {}
    save = promotion = ""
    if options.get("payment_method_save") == "enabled":
        save = '<p><label><input type="checkbox" name="save"> Keep this card for later payments</label></p>'
    if session["allow_promotion_codes"]:
        promotion = '<p><label>Promotion code <input name="promotion_code"></label></p>'
    return f"""
{f'<p role="alert">{escape(problem)}</p>' if problem else ""}
<ul>{items}</ul>
<p>{amount}, plus tax where it is due</p>
<form method="post">
<p><label>Card number <input name="card" value="{cards.VISA}" inputmode="numeric" autocomplete="cc-number"></label></p>
<p><label>Pay with <select name="method">{"".join(_option(*choice) for choice in choices)}</select></label></p>
{save}{promotion}
<p><button>Pay {amount}</button></p>
</form>
{_link(session["cancel_url"], "Back")}"""


def _authentication_form(fields: dict[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
        if name != "authenticated"
    )
    return f"""<form method="post">{hidden}
<button name="authenticated" value="yes">Complete authentication</button>
<button name="authenticated" value="no">Fail authentication</button>
</form>"""


def _keep_cards(account: Account, session: Object, fields: dict[str, str]) -> Page:
    customer = account.find("customer", session["customer"])
    problem = ""
    try:
        if fields.get("remove"):
            cards.detach(account, account.find("payment_method", fields["remove"]))
        elif fields.get("card"):
            cards.new_card(account, fields["card"], customer, customer["email"])
    except Refusal as refusal:
        problem = f'<p role="alert">{escape(refusal.body["error"]["message"])}</p>'
    kept = "".join(
        f"<li>{one['card']['brand']} ending in {one['card']['last4']}"
        f'<form method="post"><button name="remove" value="{one["id"]}">Remove</button></form></li>'
        for one in account.all("payment_method", customer=customer["id"], type="card")
    )
    invoices = "".join(
        f"<li>{_link(one['hosted_invoice_url'], one['number'])}</li>"
        for one in account.all("invoice", customer=customer["id"])
    )
    add = '<form method="post"><label>Card number <input name="card"></label> <button>Add</button></form>'
    back = _link(session["return_url"], "Return to the shop")
    body = f"{problem}<h2>Cards</h2><ul>{kept}</ul>{add}<h2>Invoices</h2><ul>{invoices}</ul>{back}"
    return Page(200, _html("Your billing", body))


def _invoice(account: Account, invoice: Object, _: dict[str, str]) -> Page:
    amount = _money(invoice["amount_paid"], invoice["currency"])
    return Page(200, _html(f"Invoice {invoice['number']}", f"<p>Paid: {amount}</p>"))


def _receipt(account: Account, charge: Object, _: dict[str, str]) -> Page:
    return Page(200, _html("Receipt", f"<p>Paid: {_money(charge['amount'], charge['currency'])}</p>"))


def _option(value: str, text: str) -> str:
    return f'<option value="{value}">{escape(text)}</option>'


def _link(address: str | None, text: str) -> str:
    return f'<p><a href="{escape(address)}">{escape(text)}</a></p>' if address else ""


def _money(amount: int, currency: str) -> str:
    return f"{amount / 100:.2f} {currency.upper()}"


def _html(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>"""


NOTHING = Page(404, _html("Not found", "<p>There is nothing here.</p>"))
PAGES = {"/c/pay/": _pay, "/p/session/": _keep_cards, "/i/": _invoice, "/receipts/": _receipt}
