import json

import httpx
from django.conf import settings
from django.http import StreamingHttpResponse
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.plain import credits
from bench.plain.serializers import ChatSerializer

# One client for all threads: a client per request would load the certificates each time, which is no fair yardstick.
client = httpx.Client(base_url=settings.UPSTREAM_URL, timeout=60, headers={"authorization": "Bearer x"})
HOLD = 1000


class ChatCompletions(APIView):
    def post(self, request):
        serializer = ChatSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        hold = credits.hold(request.user, HOLD)
        if body["stream"]:
            return StreamingHttpResponse(stream(body, hold), content_type="text/event-stream")
        try:
            answer = client.post("/chat/completions", json=body).raise_for_status().json()
        except httpx.HTTPError:
            credits.release(hold)
            raise
        credits.capture(hold, body["model"], answer["usage"])
        return Response(answer)


def stream(body, hold):
    usage = None
    try:
        with client.stream("POST", "/chat/completions", json=body) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if not line:
                    continue
                if line.startswith("data: {"):
                    usage = json.loads(line[6:]).get("usage") or usage
                elif line == "data: [DONE]" and usage:
                    credits.capture(hold, body["model"], usage)
                yield f"{line}\n\n"
    finally:
        if not usage:
            credits.release(hold)
