"""Signatures of webhooks by the Standard Webhooks scheme, which OpenAI's are signed by, too.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets as randomness
from collections.abc import Sequence

MARK = "whsec_"
# The scheme asks for 24 to 64.
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret that nobody has yet: `whsec_` and 32 random bytes in base64."""
    return MARK + base64.b64encode(randomness.token_bytes(SECRET_BYTES)).decode()


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that say `body` comes from us: one signature for each of `secrets`, of which a receiver knows one.

    `timestamp` is of this try, in POSIX seconds: receivers refuse one of more than five minutes ago. `message_id` is
    the same in every try, by which they know what they have had. Raises `ValueError` where there is no secret.
    """
    if not secrets:
        raise ValueError("there is no secret to sign with")
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(MARK))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
