"""What a call would cost, before it is made."""

import asyncio

from adrf.views import APIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.body import FORM, JSON, check_size, find_kind
from api.views.calls import begin_call
from billing.amounts import credits_number
from gateway.flows.quotes import give_quote
from gateway.requests.decoding import decode_object
from gateway.requests.forms import parse_form


class Quotes(APIView):
    """`POST /v1/quote`: in the bucket of reads, since it costs nothing."""

    async def post(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/quote", read=True)
        content_type = request.headers.get("content-type")
        kind = find_kind(content_type, (JSON, FORM))
        body: bytes = request._request.body
        check_size(len(body), kind)
        if kind is JSON:
            given = await give_quote(call, decode_object(body))
        else:
            # Megabytes are searched for a boundary.
            given = await give_quote(call, await asyncio.to_thread(parse_form, body, content_type or ""))
        return Response(
            {
                "object": "quote",
                "endpoint": given.endpoint,
                "model": given.model,
                "credits": credits_number(given.quote.base),
                "breakdown": [
                    {"item": line.item, "quantity": line.quantity, "credits": credits_number(line.amount)}
                    for line in given.quote.breakdown
                ],
                "ceiling": credits_number(given.quote.ceiling),
                "expires_at": int(given.expires_at.timestamp()),
            }
        )
