"""Webhooks as their owner sees them. All of it counts as reading: it costs no more, and no credits."""

from adrf.views import APIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.views.calls import begin_call
from gateway.flows import webhooks
from gateway.requests.pages import read_page


class WebhookSecret(APIView):
    """`POST /v1/webhooks/secret`: a new secret, shown this once."""

    async def post(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/webhooks/secret", read=True)
        return Response(await webhooks.roll(call))


class DeliveryList(APIView):
    """`GET /v1/webhooks/deliveries`: the caller's own, the newest first."""

    async def get(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/webhooks/deliveries", read=True)
        page = read_page(request.query_params.dict())
        return Response(await webhooks.list_deliveries(call, page.after, page.limit))


class DeliveryResend(APIView):
    """`POST /v1/webhooks/deliveries/{id}/resend`."""

    async def post(self, request: Request, delivery_id: str) -> Response:
        call = await begin_call(request, "/v1/webhooks/deliveries/{id}/resend", read=True)
        return Response(await webhooks.resend(call, delivery_id))
