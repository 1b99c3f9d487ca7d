from adrf.views import APIView
from rest_framework.request import Request
from rest_framework.response import Response

from api.views.calls import begin_call
from gateway.flows import sessions


class SessionList(APIView):
    """`GET /v1/sessions`: the caller's own."""

    async def get(self, request: Request) -> Response:
        call = await begin_call(request, "/v1/sessions", read=True)
        return Response(await sessions.list_sessions(call))


class SessionDetail(APIView):
    """`DELETE /v1/sessions/{id}`."""

    async def delete(self, request: Request, session_id: str) -> Response:
        # In the bucket of reads: it costs us no more than one, and who has no calls left must still be able to delete
        # what was said.
        call = await begin_call(request, "/v1/sessions/{id}", read=True)
        return Response(await sessions.delete_session(call, session_id))
