from datetime import UTC, datetime
from typing import Any

from adrf.views import APIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import Caller
from api.views.calls import begin_call
from billing import ledger
from billing.amounts import credits_number
from gateway.limits.periods import end
from gateway.limits.spending import spent_by
from gateway.usage import key_usage


class Account(APIView):
    """`GET /v1/account`: the caller's credits, and the key's limits. `allowed_models` empty: all."""

    async def get(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/account", read=True)
        try:
            balance = await ledger.balance(call.caller.user_id)
        except ledger.AccountMissing:
            balance = ledger.Balance(posted=0, held=0)  # it is opened with the first credits
        caller = call.caller
        usage = await key_usage(caller.user_id, caller.key_id)
        return Response(
            {
                "object": "account",
                "email": caller.email,
                "credits": {
                    "balance": credits_number(balance.posted),
                    "held": credits_number(balance.held),
                    "available": credits_number(balance.available),
                },
                "key": {
                    "name": caller.key_name,
                    "prefix": caller.key_prefix,
                    "limits": {
                        "requests_per_minute": caller.requests_per_minute,
                        "concurrent_requests": caller.concurrent_requests,
                        "concurrent_videos": caller.concurrent_videos,
                    },
                    "usage": {"days": 30, "requests": usage.requests, "credits": credits_number(usage.spent)},
                    "credit_limit": await _describe_credit_limit(caller),
                    "allowed_models": sorted(caller.allowed_models),
                    "expires_at": int(caller.expires_at.timestamp()) if caller.expires_at else None,
                },
            }
        )


async def _describe_credit_limit(caller: Caller) -> dict[str, Any] | None:
    """`spent` includes what is held for calls under way; `resets_at` is in Unix seconds."""
    if not caller.credit_limit:
        return None
    return {
        "credits": credits_number(caller.credit_limit),
        "period": caller.credit_period,
        "spent": credits_number(await spent_by(caller)),
        "resets_at": int(end(caller.credit_period, datetime.now(UTC)).timestamp()),
    }
