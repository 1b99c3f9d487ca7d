"""What the documentation says of this gateway: addresses, limits, models and prices, as they are set here."""

from pathlib import Path
from typing import Any

from django.conf import settings

from billing.amounts import MONEY_PER_CREDIT, credits_number
from billing.packs import LARGEST_AMOUNT, MINOR_UNITS, PACKS, SMALLEST_AMOUNT
from gateway.catalog import aliases_of, get_model, list_models
from gateway.catalog.schema import MODEL_TYPES, Model
from gateway.limits.quota import READS, quota_of
from gateway.pricing import BASE_INPUT_TOKENS, BASE_OUTPUT_TOKENS, DEFAULT_OUTPUT_TOKENS, describe_price
from gateway.routing.deployments import is_available

HOUR = 3600
# Those of the quickstart's table.
POPULAR = ("nano-banana-2", "seedream-4.5", "gpt-image-2", "gpt-image-1-mini", "kling-v2-master", "seedance-1.0")
# The model of its first request.
FIRST = "nano-banana-2"


def facts() -> dict[str, Any]:
    """By the names that the pages use."""
    calls = quota_of(settings.REQUESTS_PER_MINUTE, settings.CONCURRENT_REQUESTS, False)
    reads = quota_of(settings.REQUESTS_PER_MINUTE, settings.CONCURRENT_REQUESTS, True)
    first = get_model(FIRST)
    models = [model for model in list_models() if is_available(model)]
    rows = [_row(model) for model in models]
    chat_credits = [row["credits"] for row in rows if row["type"] == "chat"]
    return {
        "base_url": settings.PUBLIC_URL,
        "websocket_url": settings.PUBLIC_URL.replace("http", "ws", 1),
        "signup_credits": settings.SIGNUP_CREDITS,
        "signup_pictures": settings.SIGNUP_CREDITS * 1000 // first.base,
        "first_credits": credits_number(first.base),
        "calls": calls,
        "reads": reads,
        "reads_factor": READS,
        "videos_at_once": settings.CONCURRENT_VIDEOS,
        "base_input_tokens": BASE_INPUT_TOKENS,
        "base_output_tokens": BASE_OUTPUT_TOKENS,
        "default_output_tokens": DEFAULT_OUTPUT_TOKENS,
        "link_hours": settings.MEDIA_LINK_SECONDS // HOUR,
        "file_days": settings.MEDIA_FILE_DAYS,
        "input_days": settings.INPUT_DAYS,
        "session_minutes": round(settings.SESSION_IDLE_SECONDS / 60),
        "has_stand_ins": settings.ARKROUTE_STAND_INS,
        "model_count": len(models),
        "popular": [row for row in rows if row["id"] in POPULAR],
        "aliases": _aliases(),
        "chat_least": min(chat_credits, default=0),
        "chat_most": max(chat_credits, default=0),
        "models": {kind: [row for row in rows if row["type"] == kind] for kind in MODEL_TYPES},
        "changelog": _changelog(),
        "packs": [
            {"credits": offer.credits, "bonus": offer.bonus, "dollars": offer.price // MINOR_UNITS}
            for offer in PACKS.values()
        ],
        "dollars_per_credit": MONEY_PER_CREDIT,
        "credits_per_dollar": round(1 / MONEY_PER_CREDIT),
        "smallest_amount": SMALLEST_AMOUNT,
        "largest_amount": LARGEST_AMOUNT,
    }


def _row(model: Model) -> dict[str, Any]:
    price = describe_price(model)
    return {
        "id": model.id,
        "type": model.type,
        "vendor": model.vendor,
        "credits": price["credits"],
        "unit": price["unit"],
        "description": model.description,
    }


def _aliases() -> list[tuple[str, str]]:
    """Aliases, and the ids that they lead to now."""
    return sorted((alias, model.id) for model in list_models() for alias in aliases_of(model))


def _changelog() -> str:
    """The versions, the newest first."""
    text = (Path(settings.BASE_DIR) / "CHANGELOG.md").read_text(encoding="utf-8")
    return text[text.index("## ") :]
