"""What is told by mail about payments. Each goes out when the transaction that says so is committed."""

from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

from billing.amounts import credits_text
from billing.models import AutoTopUp
from billing.packs import MINOR_UNITS


def top_up_stopped(top_up: AutoTopUp) -> None:
    _send("top_up_stopped", top_up)


def top_up_capped(top_up: AutoTopUp) -> None:
    _send("top_up_capped", top_up)


def authentication_needed(top_up: AutoTopUp) -> None:
    _send("authentication_needed", top_up)


def _send(name: str, top_up: AutoTopUp) -> None:
    owner = top_up.account.owner
    if owner is None or not owner.is_active:
        return
    context: dict[str, Any] = {
        "problem": top_up.problem,
        "available": credits_text(top_up.account.available),
        "dollars": top_up.price // MINOR_UNITS,
        "billing_url": f"{settings.PUBLIC_URL}/billing/",
    }
    text = render_to_string(f"billing/mail/{name}.txt", context)
    subject, _, body = text.partition("\n\n")
    transaction.on_commit(
        # A mail server that is away must not undo what was decided; the page says the same.
        partial(send_mail, subject, body, None, [owner.email], fail_silently=True)
    )
