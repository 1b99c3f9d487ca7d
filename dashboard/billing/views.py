"""What people do with money: look at it, buy, have it bought, redeem a code."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from billing.amounts import credits_text
from billing.grants import CodeRefused, invitation_of, read_invitation, redeem
from billing.ledger import open_account
from billing.models import AutoTopUp, Customer, Purchase
from billing.packs import CURRENCY, LARGEST_AMOUNT, PACKS, SMALLEST_AMOUNT, UnknownOffer, custom, find_pack
from billing.payments import booking, checkout, stripe_gateway
from billing.payments.errors import PaymentError
from billing.payments.settlement import settle
from billing.signals import INVITED_BY
from dashboard.billing.forms import TopUpForm
from dashboard.billing.money import locale_of, money
from dashboard.billing.purchases import recent_purchases, show_purchase
from dashboard.views import SignedIn, posted_from

RECENT = 10

State = Purchase.State


class SeeOther(HttpResponseRedirect):
    """After a POST: the other page is fetched by GET."""

    status_code = 303


@login_required
@require_GET
@never_cache
def home(request: SignedIn) -> HttpResponse:
    """The balance, what can be bought, and what was."""
    return _render_home(request, TopUpForm.of(AutoTopUp.objects.filter(pk=request.user.pk).first()))


@login_required
@posted_from("billing")
async def begin_checkout(request: SignedIn) -> HttpResponse:
    """`pack=<id>`, or `amount=<whole dollars>`: 303 to the page on which it is paid."""
    user: User = await request.auser()  # type: ignore[assignment]
    try:
        pack, amount = request.POST.get("pack"), request.POST.get("amount", "")
        offer = find_pack(pack) if pack else custom(amount.strip())
        if not stripe_gateway.is_configured() and settings.ARKROUTE_STAND_INS:
            purchase = await sync_to_async(checkout.begin_in_test)(user, offer)
            return SeeOther(f"/billing/test-checkout/{purchase.pk}/")
        return SeeOther(await checkout.begin(user, offer, success=_paid_url, cancel=_left_url))
    except (UnknownOffer, PaymentError) as error:
        await sync_to_async(messages.error)(request, str(error))
        return SeeOther("/billing/")


@login_required
@require_GET
@never_cache
async def purchase(request: SignedIn, purchase_id: str) -> HttpResponse:
    """How a purchase stands. Until it is settled Stripe is asked each time: its webhook may be on its way, or lost."""
    user: User = await request.auser()  # type: ignore[assignment]
    found = await Purchase.objects.filter(pk=purchase_id, account=user.pk).afirst()
    if found is None:
        raise Http404
    unknown = False
    if found.state in (State.OPEN, State.PENDING) and found.checkout_id:
        try:
            found = await settle(found)
        except PaymentError:
            unknown = True
    context = {
        "purchase": found,
        "shown": show_purchase(found, locale_of(request)),
        "credits": credits_text(found.credits),
        "was_left": "left" in request.GET,
        "is_unknown": unknown,
        # A page that waits looks again by itself.
        "waits": found.state == State.OPEN and "left" not in request.GET,
    }
    return await sync_to_async(render)(request, "billing/purchase.html", context)


@login_required
@posted_from("billing")
async def open_portal(request: SignedIn) -> HttpResponse:
    """303 to Stripe's page for cards and invoices."""
    user: User = await request.auser()  # type: ignore[assignment]
    try:
        return SeeOther(await checkout.open_portal(user, f"{settings.PUBLIC_URL}/billing/"))
    except PaymentError as error:
        await sync_to_async(messages.error)(request, str(error))
        return SeeOther("/billing/")


@login_required
@posted_from("billing")
async def save_top_up(request: SignedIn) -> HttpResponse:
    """Turns automatic top-ups on or off; what had failed before is forgotten."""
    user: User = await request.auser()  # type: ignore[assignment]
    form = TopUpForm(request.POST)
    if form.is_valid() and form.cleaned_data["enabled"]:
        try:
            customer = await checkout.refresh_cards(user)
            if not customer.payment_method:
                form.add_error(
                    "enabled", "There is no card on file. Buy credits once and keep the card, or add one with Stripe."
                )
        except PaymentError as error:
            form.add_error(None, str(error))
    if not form.is_valid():
        response = await sync_to_async(_render_home)(request, form)
        response.status_code = 422
        return response
    await AutoTopUp.objects.aupdate_or_create(
        account_id=(await sync_to_async(open_account)(user)).pk,
        defaults={**form.fields_of_row, "failures": 0, "problem": "", "next_at": None},
    )
    on = form.cleaned_data["enabled"]
    await sync_to_async(messages.success)(request, f"Automatic top-ups are {'on' if on else 'off'}.")
    return SeeOther("/billing/")


@login_required
@posted_from("billing")
def redeem_code(request: SignedIn) -> HttpResponse:
    """`code=…`: its credits are granted, or it is said why not."""
    try:
        granted = redeem(open_account(request.user), request.POST.get("code", ""))
    except CodeRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{credits_text(granted)} credits were added.")
    return SeeOther("/billing/")


@require_GET
@never_cache
def invitation(request: HttpRequest, word: str) -> HttpResponse:
    """Leads to the sign-up, which then knows who invited. Where nobody is rewarded it is a link like any other."""
    referrer_id = read_invitation(word)
    if referrer_id is not None and settings.REFERRAL_CREDITS and not request.user.is_authenticated:
        request.session[INVITED_BY] = referrer_id
    return redirect("account_signup")


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def test_checkout(request: SignedIn, purchase_id: str) -> HttpResponse:
    """In the place of Stripe's page, while stand-ins are on and no key is set: nobody pays anything."""
    if stripe_gateway.is_configured() or not settings.ARKROUTE_STAND_INS:
        raise Http404
    found = get_object_or_404(Purchase, pk=purchase_id, account=request.user.pk, origin=Purchase.Origin.TEST)
    if request.method == "POST":
        booking.pay_in_test(found.pk, request.user.pk)
        return SeeOther(f"/billing/purchases/{found.pk}/")
    if found.state != State.OPEN:
        return redirect("purchase", found.pk)
    shown = show_purchase(found, locale_of(request))
    return render(request, "billing/test_checkout.html", {"purchase": found, "shown": shown})


def _render_home(request: HttpRequest, form: TopUpForm) -> HttpResponse:
    assert isinstance(request.user, User)
    account, locale = open_account(request.user), locale_of(request)
    customer = Customer.objects.filter(pk=account.pk).first()
    context = {
        "account": account,
        "posted": credits_text(account.posted),
        "held": credits_text(account.held) if account.held else "",
        "available": credits_text(account.available),
        "owes": account.available < 0,
        "sells": stripe_gateway.is_configured() or settings.ARKROUTE_STAND_INS,
        "is_configured": stripe_gateway.is_configured(),
        "is_test": not stripe_gateway.is_live(),
        "packs": [
            {
                "id": offer.pack,
                "credits": offer.credits,
                "bonus": offer.bonus,
                "price": money(offer.price, CURRENCY, locale),
                "each": money(round(100 * offer.price / offer.credits), CURRENCY, locale),
            }
            for offer in PACKS.values()
        ],
        "smallest": SMALLEST_AMOUNT,
        "largest": LARGEST_AMOUNT,
        "credits_for_a_dollar": custom(str(SMALLEST_AMOUNT)).credits // SMALLEST_AMOUNT,
        "purchases": [show_purchase(one, locale) for one in recent_purchases(account.pk, RECENT)],
        "top_up": AutoTopUp.objects.filter(pk=account.pk).first(),
        "top_up_form": form,
        "card": customer.card if customer else "",
        "has_tax": settings.STRIPE_AUTOMATIC_TAX,
        "referral_credits": settings.REFERRAL_CREDITS,
        "invitation": f"{settings.PUBLIC_URL}/invite/{invitation_of(request.user)}/",
    }
    return render(request, "billing/home.html", context)


def _paid_url(purchase_id: str) -> str:
    return f"{settings.PUBLIC_URL}/billing/purchases/{purchase_id}/"


def _left_url(purchase_id: str) -> str:
    return f"{settings.PUBLIC_URL}/billing/purchases/{purchase_id}/?left"
