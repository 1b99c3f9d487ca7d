"""The page of a user's API keys: making, changing, rolling and revoking them.

A secret is in the answer to the POST that made it and nowhere else, so that no session, and no dump of the database,
has it. A form makes one key: when it is sent again, by a reload say, its page tells so.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.keys import AlreadyIssued, IssuedKey, change_key, issue_key, revoke_key, roll_key
from accounts.models import ApiKey
from dashboard.catalogue.offers import offer_of
from dashboard.key_forms import NewKeyForm, RevokeForm, RollForm, SettingsForm
from dashboard.key_list import list_keys
from dashboard.samples import samples
from dashboard.templatetags.code import code_tabs
from dashboard.views import SignedIn
from gateway.catalog import Model, list_models

# Of the first call that is shown, where the key may use it: cheap, and something to look at.
FIRST_MODEL = "nano-banana-2"
KEY_IN_SAMPLES = "YOUR_API_KEY"


@login_required
@require_GET
@never_cache
def keys(request: SignedIn) -> HttpResponse:
    """All keys of the user; those that open nothing any more are folded away."""
    listed = list_keys(request.user, timezone.now())
    return render(
        request,
        "keys/list.html",
        {"open": [key for key in listed if key.is_open], "closed": [key for key in listed if not key.is_open]},
    )


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def create(request: SignedIn) -> HttpResponse:
    """The form of a new key; POST makes it and shows its secret, the only time."""
    form = NewKeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            issued = issue_key(
                request.user,
                form.cleaned_data["name"],
                form_token=form.cleaned_data["form_token"],
                **form.key_settings(),
            )
        except AlreadyIssued as already:
            return _say_that_it_was_made(request, already.api_key)
        return _show_secret(request, issued)
    return _panel(request, "keys/settings.html", "Create a key", {"form": form, "action": "Create key"})


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def edit(request: SignedIn, key_id: int) -> HttpResponse:
    key = _find_open(request, key_id)
    form = SettingsForm(request.POST if request.method == "POST" else None, api_key=key)
    if request.method == "POST" and form.is_valid():
        change_key(key, form.cleaned_data["name"], **form.key_settings())
        messages.success(request, f"Saved. The limits of “{key.name}” hold from now on.")
        return redirect("keys")
    return _panel(request, "keys/settings.html", "Edit key", {"form": form, "action": "Save", "key": key})


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def roll(request: SignedIn, key_id: int) -> HttpResponse:
    """A new secret with the settings of the old key, which ends after the time that its owner chooses."""
    key = get_object_or_404(ApiKey, pk=key_id, user=request.user)
    form = RollForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        token = form.cleaned_data["form_token"]
        if made := ApiKey.objects.filter(user=request.user, form_token=token).first():
            return _say_that_it_was_made(request, made)  # and the old one may have ended by now
        key = _find_open(request, key_id)
        try:
            issued = roll_key(key, timedelta(seconds=form.cleaned_data["overlap"]), form_token=token)
        except AlreadyIssued as already:
            return _say_that_it_was_made(request, already.api_key)
        return _show_secret(request, issued, old=key)
    return _panel(request, "keys/roll.html", "Roll key", {"form": form, "key": _find_open(request, key_id)})


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def revoke(request: SignedIn, key_id: int) -> HttpResponse:
    key = _find_open(request, key_id)
    form = RevokeForm(request.POST if request.method == "POST" else None, api_key=key)
    if request.method == "POST" and form.is_valid():
        revoke_key(key)
        messages.success(request, f"“{form.expected}” is revoked: calls with it are refused from now on.")
        return redirect("keys")
    return _panel(request, "keys/revoke.html", "Revoke key", {"form": form, "key": key})


def _find_open(request: SignedIn, key_id: int) -> ApiKey:
    """The user's own key, if it still opens the door; else 404."""
    now = datetime.now(UTC)
    return get_object_or_404(
        ApiKey.objects.filter(user=request.user, revoked_at=None).exclude(expires_at__lte=now), pk=key_id
    )


def _panel(request: SignedIn, panel: str, title: str, context: dict[str, Any]) -> HttpResponse:
    """A form as a page of its own, or what a dialog shows of it (`static/app/dialogs.js`)."""
    is_dialog = request.headers.get("x-fragment") == "dialog"
    template = "keys/dialog.html" if is_dialog else "keys/page.html"
    return render(request, template, {"panel": panel, "title": title, "is_dialog": is_dialog, **context})


def _show_secret(request: SignedIn, issued: IssuedKey, old: ApiKey | None = None) -> HttpResponse:
    model = _first_model(issued.api_key)
    context = {
        "secret": issued.secret,
        "key": issued.api_key,
        "old": old,
        "first_call": _first_call(model, issued.secret) if model else "",
        "explorer_url": offer_of(model).explorer_url if model else "",
    }
    return render(request, "keys/secret.html", context)


def _first_call(model: Model, secret: str) -> SafeString:
    """Samples with the key. It is put in last: code that was marked up stays in memory."""
    html = code_tabs(samples(model, key=KEY_IN_SAMPLES), "first-call-code", "Language of the first call")
    return mark_safe(html.replace(KEY_IN_SAMPLES, secret))  # noqa: S308 - letters, digits and a hyphen


def _first_model(key: ApiKey) -> Model | None:
    """One that the key may use; None where none of its list is in the catalogue."""
    allowed = key.allowed_models
    models = [model for model in list_models() if not allowed or model.id in allowed or model.type in allowed]
    return next((model for model in models if model.id == FIRST_MODEL), models[0] if models else None)


def _say_that_it_was_made(request: SignedIn, key: ApiKey) -> HttpResponse:
    return render(request, "keys/already_made.html", {"key": key})
