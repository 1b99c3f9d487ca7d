"""The two kinds of keys: one that is sent as it is, and the older pair, by which tokens are signed.

https://app.klingai.com/global/dev/document-api/apiReference/commonInfo
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache
from time import time
from typing import Any

import msgspec

# Seconds that a token is good for, and that the vendor's clock may be behind ours.
LIFETIME = 1800
LEEWAY = 5


def bearer(api_key: str) -> str:
    """The token to send for a key. Of a pair, `access|secret`, it is signed, and made anew in half its lifetime."""
    access, pair, secret = api_key.partition("|")
    return _sign(access, secret, int(time()) // (LIFETIME // 2)) if pair else api_key


@lru_cache(maxsize=64)
def _sign(access: str, secret: str, _half: int) -> str:
    """A JSON Web Token (RFC 7519) by HMAC-SHA256."""
    now = int(time())
    claims = {"iss": access, "exp": now + LIFETIME, "nbf": now - LEEWAY}
    signed = b".".join((_encode({"alg": "HS256", "typ": "JWT"}), _encode(claims)))
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return b".".join((signed, _base64(signature))).decode()


def _encode(part: dict[str, Any]) -> bytes:
    return _base64(msgspec.json.encode(part))


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
