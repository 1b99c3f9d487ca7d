"""Who a request comes from, and the refusals when that cannot be told.

    KeyRejected
    ├── MissingApiKey       no key came with the request
    └── InvalidApiKey       a key that opens nothing: mistyped, unknown, revoked, expired, or of a closed account

A database that cannot be asked is neither: its `django.db.Error` travels up, so that nobody throws a good key away.
"""

from datetime import datetime
from typing import ClassVar

from msgspec import Struct


class Caller(Struct, frozen=True):
    """The owner of a recognised key, and what the key may do. `user_id` is the id of the user's credit account, too."""

    key_id: int
    user_id: int
    email: str
    key_name: str
    key_prefix: str
    requests_per_minute: int
    concurrent_requests: int
    concurrent_videos: int
    webhook_url: str = ""  # where its videos' webhooks go, if the request names no other address
    expires_at: datetime | None = None
    allowed_models: frozenset[str] = frozenset()  # ids and types; empty: all
    credit_limit: int = 0  # millicredits in a `credit_period`; 0: whatever the balance has
    credit_period: str = ""
    keeps_inputs: bool = False  # what requests say is kept with their receipts
    line_id: int = 0  # the first key of those that were made of each other by rolling: they share what is spent


class KeyRejected(Exception):
    """Base of both. The message is shown to the caller and never contains the key."""

    code: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MissingApiKey(KeyRejected):
    code = "missing_api_key"


class InvalidApiKey(KeyRejected):
    code = "invalid_api_key"
