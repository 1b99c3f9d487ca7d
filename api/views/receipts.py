"""What calls cost and why."""

from typing import Any

from adrf.views import APIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.views.calls import begin_call
from billing.amounts import credits_number
from gateway.flows import receipts
from gateway.models import Receipt
from gateway.requests.pages import read_receipt_page


class ReceiptList(APIView):
    """`GET /v1/receipts`: the caller's own, of all keys."""

    async def get(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/receipts", read=True)
        found = await receipts.list_receipts(call, read_receipt_page(request.query_params.dict()))
        listed = [receipt_body(receipt) for receipt in found.receipts]
        return Response(
            {
                "object": "list",
                "data": listed,
                "first_id": listed[0]["id"] if listed else None,
                "last_id": listed[-1]["id"] if listed else None,
                "has_more": found.has_more,
            }
        )


class ReceiptDetail(APIView):
    """`GET /v1/receipts/{request_id}`."""

    async def get(self, request: Request, request_id: str) -> Response:
        call = await begin_call(request, "/v1/receipts/{request_id}", read=True)
        return Response(receipt_body(await receipts.find(call, request_id)))


def receipt_body(receipt: Receipt) -> dict[str, Any]:
    """`credits` is all that was charged, `quote` what was held; `captured` and `released` add up to the latter."""
    return {
        "id": receipt.pk,
        "object": "receipt",
        "created_at": int(receipt.created_at.timestamp()),
        "endpoint": receipt.endpoint,
        "model": receipt.model,
        "served_by": receipt.served_by or None,
        "stand_in": receipt.stand_in,
        "status": receipt.outcome,
        "error_code": receipt.error_code or None,
        "credits": credits_number(receipt.captured + receipt.overrun),
        "quote": credits_number(receipt.quote),
        "captured": credits_number(receipt.captured),
        "released": credits_number(receipt.quote - receipt.captured),
        "overrun": credits_number(receipt.overrun),
        "usage": receipt.usage,
        "attempts": [{**attempt, "error": attempt["error"] or None} for attempt in receipt.attempts],
        "timings": {
            "total_ms": receipt.milliseconds,
            "overhead_ms": receipt.overhead_microseconds / 1000,
        },
    }
