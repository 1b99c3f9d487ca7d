"""Receipts as calls leave them, for pages to show."""

from datetime import UTC, datetime
from typing import Any

from accounts.models import User
from gateway.call import new_request_id
from gateway.models import Receipt


def make_receipt(user: User, **fields: Any) -> Receipt:
    """A chat that cost one of four credits held, and ended now."""
    values = {
        "id": new_request_id(),
        "account_id": user.pk,
        "api_key_id": 77_777,  # whose key is gone
        "endpoint": "/v1/chat/completions",
        "model": "sandbox-chat",
        "outcome": Receipt.Outcome.SUCCEEDED,
        "quote": 4000,
        "captured": 1000,
        "milliseconds": 1200,
        "created_at": datetime.now(UTC),
        **fields,
    }
    return Receipt.objects.create(**values)


def make_failure(user: User, error_code: str = "provider_error", **fields: Any) -> Receipt:
    return make_receipt(user, outcome=Receipt.Outcome.FAILED, error_code=error_code, captured=0, **fields)
