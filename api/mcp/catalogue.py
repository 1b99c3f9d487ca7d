"""The tools that cost nothing and tell what the others would: `list_models` and `estimate_cost`."""

from collections.abc import Callable
from typing import Any, Literal

from mcp_types import CallToolResult, Tool, ToolAnnotations
from msgspec import Struct

from accounts.callers import Caller
from api.mcp import images, schemas, videos
from api.mcp.arguments import read
from api.mcp.offers import details, offered
from api.mcp.results import answer
from api.mcp.visit import Visit
from billing import ledger
from billing.amounts import credits_number
from gateway.catalog.schema import ModelType
from gateway.flows.quotes import quote_call
from gateway.limits.allowed import find_model
from gateway.pricing import describe_price

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
# Each tool that costs: the endpoint that does the same, and what that is sent.
BodyOf = Callable[[Caller, dict[str, Any]], dict[str, Any]]
PRICED: dict[str, tuple[str, BodyOf]] = {
    "generate_image": ("/v1/images/generations", images.generate_body),
    "edit_image": ("/v1/images/edits", images.edit_body),
    "generate_video": ("/v1/video/generations", videos.generate_body),
}


class _Listing(Struct):
    type: ModelType | None = None


class _Estimate(Struct):
    tool: Literal["generate_image", "edit_image", "generate_video"]
    arguments: dict[str, Any]


def describe_list(caller: Caller) -> Tool:
    return Tool(
        name="list_models",
        title="List models",
        description=(
            "The models that this key may use, with prices in credits and abilities: pictures and videos, which the "
            "tools here make, and chat, embedding and transcription models, which are called by the HTTP API. Costs "
            "nothing."
        ),
        input_schema=schemas.LIST_MODELS,
        output_schema=schemas.MODELS,
        annotations=READS,
    )


def describe_estimate(caller: Caller) -> Tool:
    return Tool(
        name="estimate_cost",
        title="Estimate a cost",
        description=(
            "What a call of `generate_image`, `edit_image` or `generate_video` would cost, and whether the account can "
            "pay it. Nothing is made or charged. Call it before videos, and before many or large pictures."
        ),
        input_schema=schemas.ESTIMATE,
        output_schema=schemas.ESTIMATED,
        annotations=READS,
    )


async def list_models(visit: Visit, arguments: dict[str, Any]) -> CallToolResult:
    from_catalogue = offered(visit.call.caller, read(arguments, _Listing, schemas.LIST_MODELS).type)
    models = []
    for model in from_catalogue:
        price = describe_price(model)
        models.append(
            {
                "id": model.id,
                "type": model.type,
                "vendor": model.vendor,
                "description": model.description,
                "credits": price["credits"],
                "unit": price["unit"],
                "details": details(model),
            }
        )
    return answer({"models": models})


async def estimate(visit: Visit, arguments: dict[str, Any]) -> CallToolResult:
    call = visit.call
    asked = read(arguments, _Estimate, schemas.ESTIMATE)
    endpoint, body_of = PRICED[asked.tool]
    quote = quote_call(endpoint, body_of(call.caller, asked.arguments), lambda name: find_model(call, name))
    try:
        available = (await ledger.balance(call.caller.user_id)).available
    except ledger.AccountMissing:
        available = 0  # it is opened with the first credits
    return answer(
        {
            "credits": credits_number(quote.ceiling),
            "model": quote.model.id,
            "breakdown": [
                {"item": line.item, "quantity": line.quantity, "credits": credits_number(line.amount)}
                for line in quote.breakdown
            ],
            "available": credits_number(available),
            "affordable": available >= quote.base,
        }
    )
