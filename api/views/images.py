from adrf.views import APIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.views.calls import begin_call, json_body
from gateway.flows import images


class ImageGenerations(APIView):
    """`POST /v1/images/generations`."""

    async def post(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/images/generations")
        return Response(await images.generate(call, json_body(request)))
