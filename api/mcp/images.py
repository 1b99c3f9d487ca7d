"""The tools `generate_image` and `edit_image`."""

from collections.abc import Callable
from typing import Any

from mcp_types import CallToolResult, Tool, ToolAnnotations

from accounts.callers import Caller
from api.mcp import schemas
from api.mcp.arguments import check_names
from api.mcp.offers import image_spec, list_of, offered, usual
from api.mcp.pictures import show, take_own
from api.mcp.results import answer
from api.mcp.visit import Visit
from billing.amounts import credits_number
from gateway.catalog import Model
from gateway.errors import MissingParameter
from gateway.flows import images
from gateway.requests.images import AskedImage, parse_edit, parse_image

RESULT = (
    "The result shows each picture scaled down, and has a link to the whole file; give your user the link, or show the "
    "picture. A call takes some seconds, one of high quality a minute or more."
)
# Each call costs credits and makes new pictures; none takes anything away.
ANNOTATIONS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)


def describe_generate(caller: Caller) -> Tool | None:
    models = offered(caller, "image")
    if not models:
        return None
    return Tool(
        name="generate_image",
        title="Generate an image",
        description=(
            "Makes new pictures from a text. It costs credits of your user's account: `estimate_cost` tells how many. "
            f"{RESULT} To change a picture that exists, use `edit_image`.\n\n"
            f"Models (`{usual(models)}` unless your user wants another):\n{list_of(models)}"
        ),
        input_schema=schemas.generate_image(models),
        output_schema=schemas.IMAGES,
        annotations=ANNOTATIONS,
    )


def describe_edit(caller: Caller) -> Tool | None:
    models = _editors(caller)
    if not models:
        return None
    return Tool(
        name="edit_image",
        title="Edit images",
        description=(
            "Makes new pictures from pictures: changes one, or combines several, as the prompt says. They are named by "
            "https address, such as the `url` of an earlier result, or come as data URIs. It costs credits of your "
            f"user's account: `estimate_cost` tells how many. {RESULT}\n\n"
            f"Models (`{usual(models)}` unless your user wants another):\n{list_of(models)}"
        ),
        input_schema=schemas.edit_image(models),
        output_schema=schemas.IMAGES,
        annotations=ANNOTATIONS,
    )


async def generate(visit: Visit, arguments: dict[str, Any]) -> CallToolResult:
    return await _make(visit, parse_image(generate_body(visit.call.caller, arguments)))


async def edit(visit: Visit, arguments: dict[str, Any]) -> CallToolResult:
    asked = parse_edit(edit_body(visit.call.caller, arguments))
    asked.inputs = [await take_own(source, param="images") for source in asked.inputs]
    if asked.mask is not None:
        asked.mask = await take_own(asked.mask, param="mask")
    return await _make(visit, asked)


def generate_body(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """What REST takes for the same."""
    models = offered(caller, "image")
    return _with_model(models, arguments, schemas.generate_image)


def edit_body(caller: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """What REST takes for the same. Raises `MissingParameter` by the tool's own name for pictures."""
    body = _with_model(_editors(caller), arguments, schemas.edit_image)
    if not body.get("images"):
        raise MissingParameter("`images` is required. Name the picture to edit, or send it.", param="images")
    return body


def _editors(caller: Caller) -> list[Model]:
    return [model for model in offered(caller, "image") if image_spec(model).max_inputs]


def _with_model(
    models: list[Model], arguments: dict[str, Any], schema_of: Callable[[list[Model]], schemas.Schema]
) -> dict[str, Any]:
    if not models:
        return arguments
    check_names(arguments, schema_of(models))
    return {"model": usual(models), **arguments}


async def _make(visit: Visit, asked: AskedImage) -> CallToolResult:
    call = visit.call
    async with visit.admitted(), visit.beating(f"`{asked.fields.model}` is at work"):
        made = await images.generate(call, asked)
        shown = await show([one["url"] for one in made["data"]])
    structured = {
        "images": [{"url": one["url"], "revised_prompt": one["revised_prompt"]} for one in made["data"]],
        "model": made["model"],
        "size": made["size"],
        "output_format": made["output_format"],
        "credits": credits_number(call.charged or 0),
        "request_id": call.request_id,
    }
    return answer(structured, *shown)
