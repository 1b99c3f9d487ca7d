"""A user's settings: who they are, how the account is protected, what is told by mail and kept of them, and leaving."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.keys import touch_keys
from accounts.security import security_of
from billing.amounts import credits_text
from billing.ledger import open_account
from dashboard.deletion import delete_account
from dashboard.export.archive import archive_of
from dashboard.settings_forms import DeletionForm, NotificationsForm, ProfileForm
from dashboard.views import SignedIn
from gateway.inputs import count_inputs, forget_inputs


@login_required
@require_GET
@never_cache
def overview(request: SignedIn) -> HttpResponse:
    return _render(request)


@login_required
@require_POST
def change_profile(request: SignedIn) -> HttpResponse:
    form = ProfileForm(request.user, request.POST)
    if not form.is_valid():
        return _render(request, profile=form)
    form.save()
    messages.success(request, "Your name is saved.")
    return redirect("settings")


@login_required
@require_POST
def change_notifications(request: SignedIn) -> HttpResponse:
    form = NotificationsForm(request.user, request.POST)
    if not form.is_valid():
        return _render(request, notifications=form)
    form.save()
    messages.success(request, "Your notifications are saved.")
    return redirect("settings")


@login_required
@require_POST
def keep_inputs(request: SignedIn) -> HttpResponse:
    """`keep=on` or nothing: turning it off erases what is kept."""
    user = request.user
    user.keeps_inputs = request.POST.get("keep") == "on"
    user.save(update_fields=["keeps_inputs"])
    touch_keys(user)
    if user.keeps_inputs:
        messages.success(request, f"Prompts of new requests are kept for {settings.INPUT_DAYS} days.")
    else:
        erased = forget_inputs(user.pk)
        messages.success(
            request,
            f"Prompts are not kept any more. Those of {erased:,} request{'' if erased == 1 else 's'} were erased.",
        )
    return redirect("settings")


def _render(request: SignedIn, **forms: Any) -> HttpResponse:
    """The page, with those forms that were sent as they came."""
    user = request.user
    context = {
        "profile": ProfileForm(user),
        "notifications": NotificationsForm(user),
        **forms,
        "security": security_of(user),
        "file_days": settings.MEDIA_FILE_DAYS,
        "link_hours": settings.MEDIA_LINK_SECONDS // 3600,
        "input_days": settings.INPUT_DAYS,
        "inputs": count_inputs(user.pk),
        "conversation_minutes": int(settings.SESSION_IDLE_SECONDS // 60),
        "sessions_enabled": settings.SESSIONS_ENABLED,
    }
    return render(request, "dashboard/settings.html", context)


@login_required
@require_GET
@never_cache
def export(request: SignedIn) -> StreamingHttpResponse:
    """The user's own data, to be saved as a file."""
    name = f"arkroute-{timezone.now():%Y-%m-%d}.zip"
    return StreamingHttpResponse(
        archive_of(request.user),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@login_required
@reauthentication_required  # type: ignore[untyped-decorator]
@require_http_methods(["GET", "POST"])
@never_cache
def deletion(request: SignedIn) -> HttpResponse:
    """Asks for the password, or a second factor, and the address; then the account is gone."""
    form = DeletionForm(request.user, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        delete_account(request, request.user)
        logout(request)
        messages.success(request, "Your account is deleted. A last mail to your address says so.")
        return redirect("account_login")
    context = {
        "form": form,
        "credits": credits_text(open_account(request.user).available),
        "signup_credits": settings.SIGNUP_CREDITS,
    }
    return render(request, "dashboard/delete_account.html", context)
