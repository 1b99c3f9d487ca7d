from adrf.views import APIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.views.calls import begin_call
from billing import ledger
from billing.amounts import credits_number
from gateway.usage import key_usage


class Account(APIView):
    """`GET /v1/account`: the caller's credits, and the key's limits."""

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
                },
            }
        )
