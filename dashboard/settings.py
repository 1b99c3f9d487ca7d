"""A user's settings: who they are, how the account is protected, what is kept of them, and leaving."""

from allauth.account.decorators import reauthentication_required
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.security import security_of
from billing.amounts import credits_text
from billing.ledger import open_account
from dashboard.deletion import delete_account
from dashboard.export import export_of
from dashboard.views import SignedIn


@login_required
@require_GET
@never_cache
def overview(request: SignedIn) -> HttpResponse:
    context = {
        "security": security_of(request.user),
        "file_days": settings.MEDIA_FILE_DAYS,
        "link_hours": settings.MEDIA_LINK_SECONDS // 3600,
        "conversation_minutes": int(settings.SESSION_IDLE_SECONDS // 60),
        "sessions_enabled": settings.SESSIONS_ENABLED,
    }
    return render(request, "dashboard/settings.html", context)


@login_required
@require_GET
@never_cache
def export(request: SignedIn) -> StreamingHttpResponse:
    """The user's own data, to be saved as a file."""
    name = f"arkroute-{timezone.now():%Y-%m-%d}.json"
    return StreamingHttpResponse(
        export_of(request.user),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class DeletionForm(forms.Form):
    """Takes what nobody types by mistake."""

    email = forms.EmailField(
        label="Your e-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )

    def __init__(self, user: User, data: dict[str, str] | None = None) -> None:
        super().__init__(data)
        self.user = user

    def clean_email(self) -> str:
        email = User.objects.normalize_email(self.cleaned_data["email"])
        if email != self.user.email:
            raise forms.ValidationError(f"This is not the address of this account. Type {self.user.email}.")
        return email


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
    context = {"form": form, "credits": credits_text(open_account(request.user).available)}
    return render(request, "dashboard/delete_account.html", context)
