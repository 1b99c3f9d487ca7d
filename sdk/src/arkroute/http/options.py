"""What every method takes besides the parameters of its endpoint."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from arkroute.http.configuration import Timeout

MAX_CREDITS = "x-arkroute-max-credits"
IDEMPOTENCY_KEY = "idempotency-key"


class ExtraOptions(TypedDict, total=False):
    # More headers, fields of the query and fields of the body, beside or in place of the SDK's own.
    extra_headers: Mapping[str, str]
    extra_query: Mapping[str, Any]
    extra_body: Mapping[str, Any]


class RequestOptions(ExtraOptions, total=False):
    """Of one call."""

    # Seconds, or an `httpx.Timeout` that tells the phases apart.
    timeout: Timeout


class SpendingOptions(ExtraOptions, total=False):
    # The same key and the same body make one call, however often they are sent. Without one, each call has its own.
    idempotency_key: str
    # Refuses the call (402) if it could cost more.
    max_credits: float


class PaidOptions(SpendingOptions, total=False):
    """Of one call that costs credits."""

    timeout: Timeout


@dataclass(frozen=True)
class Options:
    """The options of a call, apart from its parameters."""

    headers: dict[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    timeout: Timeout | None = None


def split(parameters: Mapping[str, Any], *, paid: bool) -> tuple[dict[str, Any], Options]:
    """The fields of the body, and the options. What is None counts as left out, in both.

    Fields that the SDK does not know are fields of the body: the API passes on what a vendor takes.
    """
    fields = {name: value for name, value in parameters.items() if value is not None}
    headers: dict[str, str] = {}
    key, most = fields.pop("idempotency_key", None), fields.pop("max_credits", None)
    if paid:
        headers[IDEMPOTENCY_KEY] = key or f"arkroute-{uuid.uuid4()}"
        if most is not None:
            headers[MAX_CREDITS] = f"{most:.3f}"
    headers.update({name.lower(): value for name, value in fields.pop("extra_headers", {}).items()})
    query, timeout = fields.pop("extra_query", {}), fields.pop("timeout", None)
    fields.update(fields.pop("extra_body", {}))
    return fields, Options(headers, query, timeout)
