"""The catalogue for programs: open to all; a key that is sent must be good, since tools test their keys here."""

from datetime import UTC, datetime
from datetime import time as midnight
from typing import Any

import msgspec
from adrf.views import APIView
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from api.views.calls import begin_call
from gateway.catalog import aliases_of, get_model, list_models
from gateway.catalog.parameters import parameters
from gateway.catalog.schema import Model
from gateway.errors import ModelNotFound
from gateway.pricing import describe_price
from gateway.routing.deployments import is_available

# Each model's object in JSON, with the model and the aliases that it was made of. The list is open to all, so it must
# cost little.
_RENDERED: dict[str, tuple[Model, list[str], msgspec.Raw]] = {}


class ModelList(APIView):
    """`GET /v1/models`: every model that can be called here."""

    async def get(self, request: Request) -> HttpResponse:
        if "authorization" in request.headers:
            await begin_call(request, "/v1/models", read=True)
        models = [_render(model) for model in list_models() if is_available(model)]
        return HttpResponse(msgspec.json.encode({"object": "list", "data": models}), content_type="application/json")


class ModelDetail(APIView):
    """`GET /v1/models/{id}`, also by alias."""

    async def get(self, request: Request, name: str) -> Response:
        if "authorization" in request.headers:
            await begin_call(request, "/v1/models/{id}", read=True)
        model = get_model(name)
        if not is_available(model):
            raise ModelNotFound(f"`{name}` is not available here. GET /v1/models lists what is.", param="model")
        return Response({**model_object(model), "id": name})


def model_object(model: Model) -> dict[str, Any]:
    """OpenAI's model object, with what a client needs to choose and to call."""
    return {
        "id": model.id,
        "object": "model",
        "created": int(datetime.combine(model.created, midnight(), UTC).timestamp()),
        "owned_by": model.provider,
        "shutdown_date": model.retires.isoformat() if model.retires else None,
        "provider": model.provider,
        "vendor": model.vendor,
        "type": model.type,
        "description": model.description,
        "pricing": describe_price(model),
        "aliases": aliases_of(model),
        "parameters": parameters(model),
    }


def _render(model: Model) -> msgspec.Raw:
    aliases = aliases_of(model)
    kept = _RENDERED.get(model.id)
    if kept is None or kept[0] is not model or kept[1] != aliases:
        kept = _RENDERED[model.id] = (model, aliases, msgspec.Raw(msgspec.json.encode(model_object(model))))
    return kept[2]
