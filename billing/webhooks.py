"""Where Stripe sends its webhooks."""

import logging

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.payments import events
from billing.payments.errors import BadDelivery, PaymentsOff
from billing.payments.stripe_gateway import is_configured

logger = logging.getLogger(__name__)

# Stripe's events are of a few KB.
LARGEST = 64 * 1024


@csrf_exempt  # Stripe signs instead.
@require_POST
async def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """200 once a delivery is stored: its effect is there, or will be. 400 for what is not Stripe's, 503 where it could
    not be stored, so that Stripe sends it again."""
    if not is_configured():
        return JsonResponse({"error": str(PaymentsOff())}, status=404)
    if int(request.headers.get("content-length") or 0) > LARGEST:
        return JsonResponse({"error": "This is larger than any event."}, status=413)
    payload = request.body
    if len(payload) > LARGEST:
        return JsonResponse({"error": "This is larger than any event."}, status=413)
    try:
        await events.receive(payload, request.headers.get("stripe-signature", ""))
    except BadDelivery as error:
        logger.warning("a delivery to Stripe's webhook was refused: %s", error)
        return JsonResponse({"error": str(error)}, status=400)
    except DatabaseError:
        logger.exception("a delivery of Stripe's could not be stored")
        return JsonResponse({"error": "It could not be stored. Send it again."}, status=503)
    return JsonResponse({"received": True})
