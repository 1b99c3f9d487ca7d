"""`python -m tests.browser.seed FILE`: fills a fresh database, and writes to FILE what a browser is told of it.

`full@example.com` has a month of use behind her, `empty@example.com` has only just signed up, and
`guarded@example.com` has second factors.
"""

import io
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arkroute.settings")
django.setup()

from allauth.account.forms import default_token_generator  # noqa: E402
from allauth.account.models import EmailAddress, EmailConfirmationHMAC  # noqa: E402
from allauth.account.utils import user_pk_to_url_str  # noqa: E402
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes  # noqa: E402
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

from accounts.keys import issue_key, revoke_key  # noqa: E402
from accounts.models import ApiKey, User  # noqa: E402
from billing import group_commit  # noqa: E402
from billing.ledger import grant_signup_credits  # noqa: E402
from billing.models import Purchase  # noqa: E402
from billing.packs import find_pack  # noqa: E402
from billing.payments.booking import pay_in_test  # noqa: E402
from billing.payments.checkout import begin_in_test  # noqa: E402
from gateway.media import store_now  # noqa: E402
from gateway.models import Receipt, StoredPicture, VideoTask  # noqa: E402
from gateway.notices.preferences import off_link  # noqa: E402
from gateway.providers.painter import paint  # noqa: E402
from gateway.providers.painter.film import Film  # noqa: E402
from gateway.providers.sandbox.clips import FRAMES_PER_SECOND  # noqa: E402
from gateway.providers.sandbox.clips import encode as encode_film  # noqa: E402
from gateway.providers.sandbox.images import encode as encode_picture  # noqa: E402

PASSWORD = "correct-horse-battery"
PROMPTS = ("a serene japanese garden at sunset", "a sailboat on the sea at dawn", "a fox in a misty forest")
# Endpoint, model, vendor, millicredits, milliseconds.
CALLS = (
    ("/v1/chat/completions", "gpt-5.5", "openai", 1200, 900),
    ("/v1/chat/completions", "gemini-3.1-pro", "google", 800, 1400),
    ("/v1/images/generations", "nano-banana-2", "google", 4000, 6100),
    ("/v1/images/generations", "seedream-4.5", "bytedance", 3000, 7300),
    ("/v1/embeddings", "text-embedding-3-small", "openai", 50, 120),
    ("/v1/audio/transcriptions", "openai-whisper-1", "openai", 300, 2100),
)
DAYS = 30


def seed() -> dict[str, Any]:
    call_command("migrate", verbosity=0)
    full = make_user("full@example.com", credits=284)
    empty, guarded = make_user("empty@example.com"), make_user("guarded@example.com")
    keys = make_keys(full)
    make_use(full, keys)
    pictures = [make_picture(full, keys[0], prompt) for prompt in PROMPTS]
    make_clip(full, keys[0], "a sailboat at dawn")
    TOTP.activate(guarded, generate_totp_secret())
    codes = RecoveryCodes.activate(guarded).get_unused_codes()
    bought, begun = make_purchases(full)
    group_commit.close()
    address = EmailAddress.objects.get(user=empty)
    return {
        "codes": codes,
        "paths": {
            "receipt": f"/usage/requests/{pictures[0].request_id}/",
            "failure": f"/usage/requests/{Receipt.objects.filter(outcome='failed')[0].pk}/",
            "key": f"/keys/{keys[0].pk}/",
            "purchase": f"/billing/purchases/{bought.pk}/",
            "checkout": f"/billing/test-checkout/{begun.pk}/",
            "notices_off": off_link(full.pk, "low_balance").removeprefix(settings.PUBLIC_URL),
            "confirm": f"/accounts/confirm-email/{EmailConfirmationHMAC(address).key}/",
            "reset": "/accounts/password/reset/key/"
            f"{user_pk_to_url_str(empty)}-{default_token_generator.make_token(empty)}/",
        },
    }


def make_user(email: str, credits: int | None = None) -> User:
    user = User.objects.create_user(email, PASSWORD)
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=not email.startswith("empty"))
    grant_signup_credits(user, credits)
    return user


def make_keys(user: User) -> list[ApiKey]:
    """One without limits, one with all of them, one that was revoked."""
    plain = issue_key(user, "Production").api_key
    limited = issue_key(
        user,
        "Nightly batch",
        requests_per_minute=60,
        credit_limit=20_000,
        credit_period="day",
        allowed_models=["chat", "embedding"],
        expires_at=datetime.now(UTC) + timedelta(days=30),
    ).api_key
    revoke_key(issue_key(user, "Old laptop").api_key)
    ApiKey.objects.filter(pk=plain.pk).update(last_used_at=datetime.now(UTC))
    return [plain, limited]


def make_purchases(user: User) -> tuple[Purchase, Purchase]:
    """One that was paid, and one that was begun."""
    paid, begun = (begin_in_test(user, find_pack(pack)) for pack in ("1000", "250"))
    pay_in_test(paid.pk, user.pk)
    return paid, begun


def make_use(user: User, keys: list[ApiKey]) -> None:
    """A month of calls, the same each time; some failed."""
    rng = Random(7)
    now = datetime.now(UTC)
    Receipt.objects.bulk_create(
        receipt(user, rng.choice(keys), now - timedelta(days=day, minutes=rng.randrange(600)), rng)
        for day in range(DAYS)
        for _ in range(rng.randrange(2, 9))
    )


def receipt(user: User, key: ApiKey, ended: datetime, rng: Random, **fields: Any) -> Receipt:
    endpoint, model, vendor, cost, milliseconds = rng.choice(CALLS)
    failed = rng.random() < 0.07
    took = round(milliseconds * rng.uniform(0.6, 1.8))
    attempt = {
        "served_by": f"{vendor}/{model}",
        "milliseconds": took - 9,
        "error": "provider_error" if failed else "",
        "is_external": True,
    }
    values: dict[str, Any] = {
        "id": f"req_{int(ended.timestamp() * 1000):012x}{token_hex(16)}",
        "account_id": user.pk,
        "api_key_id": key.pk,
        "endpoint": endpoint,
        "model": model,
        "served_by": f"{vendor}/{model}",
        "outcome": Receipt.Outcome.FAILED if failed else Receipt.Outcome.SUCCEEDED,
        "error_code": "provider_error" if failed else "",
        "quote": cost * 2,
        "captured": 0 if failed else round(cost * rng.uniform(0.4, 1.6)),
        "usage": {} if failed else {"input_tokens": rng.randrange(20, 900), "output_tokens": rng.randrange(20, 900)},
        "attempts": [attempt],
        "milliseconds": took,
        "overhead_microseconds": 400,
        "created_at": ended,
    }
    return Receipt(**values | fields)


def make_picture(user: User, key: ApiKey, prompt: str) -> StoredPicture:
    file = io.BytesIO(encode_picture(paint(prompt, 512, 512), "webp", prompt))
    made = datetime.now(UTC)
    of = receipt(user, key, made, Random(3), endpoint="/v1/images/generations", model="sandbox-image", captured=1000)
    of.save()
    name = store_now(file, "image/webp")
    return StoredPicture.objects.create(
        id=new_id("image", made), account_id=user.pk, request_id=of.pk, name=name, mime="image/webp", created_at=made
    )


def make_clip(user: User, key: ApiKey, prompt: str) -> VideoTask:
    file = io.BytesIO(
        encode_film(Film(prompt, (320, 180), FRAMES_PER_SECOND), prompt, sound=False, on_frame=lambda: None)
    )
    made = datetime.now(UTC)
    of = receipt(user, key, made, Random(3), endpoint="/v1/video/generations", model="sandbox-video", captured=5000)
    of.save()
    return VideoTask.objects.create(
        id=new_id("video", made),
        request_id=of.pk,
        account_id=user.pk,
        api_key_id=key.pk,
        endpoint=of.endpoint,
        model=of.model,
        model_id=of.model,
        seconds=1,
        resolution="720p",
        cost=5000,
        state=VideoTask.State.COMPLETED,
        progress=100,
        media=store_now(file, "video/mp4"),
        next_at=made,
        deadline=made,
        created_at=made,
        ended_at=made,
    )


def new_id(kind: str, made: datetime) -> str:
    return f"{kind}_{int(made.timestamp() * 1000):012x}{token_hex(16)}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(seed()))
