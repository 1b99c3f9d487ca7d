"""The JSON Schemas (draft 2020-12) of what tools take and answer. The former are made of the catalogue.

They stay with what clients are known to understand: no references, and no alternatives where they can be avoided.
"""

from typing import Any

from api.mcp.offers import image_spec, usual, values_of, video_spec
from gateway.catalog import Model
from gateway.catalog.parameters import MAX_PROMPT
from gateway.catalog.schema import MODEL_TYPES

Schema = dict[str, Any]

# Seconds that a tool waits for a video at most, and where the client does not ask to be told how it goes: MCP's SDKs
# give up after 60 seconds of silence.
LONGEST_WAIT = 600
SILENT_WAIT = 50
SIZES = ["auto", "1024x1024", "1536x1024", "1024x1536", "2K", "4K"]
PICTURE = "an https address, such as the `url` of an earlier result, or a data URI (`data:image/png;base64,…`)"


def generate_image(models: list[Model]) -> Schema:
    return _object({"prompt": _prompt("What the picture shows, in as much detail as you like."), **_image(models)})


def edit_image(models: list[Model]) -> Schema:
    most = max(image_spec(model).max_inputs for model in models)
    fields = {
        "prompt": _prompt("What is to be different, or how the pictures are to be combined."),
        "images": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": most,
            "description": f"The pictures to start from, each {PICTURE}. Models differ in how many they take.",
        },
        **_image(models),
    }
    if any(image_spec(model).mask for model in models):
        fields["mask"] = {
            "type": "string",
            "description": (
                "Only for models that take a mask: a PNG of the first picture's size, transparent where that is to "
                f"change; {PICTURE}."
            ),
        }
    return _object(fields, "prompt", "images")


def generate_video(models: list[Model]) -> Schema:
    durations = sorted(values_of(models, lambda model: video_spec(model).durations))
    fields: Schema = {
        "prompt": _prompt("What happens in the clip: subject, movement, camera, light."),
        "model": _model(models),
        "duration": {
            "type": "integer",
            "enum": durations,
            "description": "Seconds. The price grows with them. Each model has its own.",
        },
        "aspect_ratio": {
            "type": "string",
            "enum": values_of(models, lambda model: video_spec(model).ratios),
            "description": "Width to height. With `image`, its own is kept unless you say otherwise.",
        },
        "resolution": {
            "type": "string",
            "enum": values_of(models, lambda model: video_spec(model).resolutions),
            "description": "The price grows with it. Each model has its own.",
        },
    }
    if any(video_spec(model).image_input for model in models):
        fields["image"] = {"type": "string", "description": f"The picture that the clip begins with: {PICTURE}."}
    if any(video_spec(model).last_frame for model in models):
        fields["last_frame"] = {
            "type": "string",
            "description": (
                f"Only for models that take it, and with `image`: the picture that the clip ends with, {PICTURE}."
            ),
        }
    if any(video_spec(model).audio for model in models):
        fields["audio"] = {"type": "boolean", "description": "Whether the clip has sound, where the model can make it."}
    fields["wait_seconds"] = {
        "type": "integer",
        "minimum": 0,
        "maximum": LONGEST_WAIT,
        "description": (
            "How long to wait for the clip before the task is returned as it is; 0 returns at once. Leave it out to "
            "wait as long as your client is known to."
        ),
    }
    return _object(fields)


GET_VIDEO: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The `id` that `generate_video` returned: `video_…`."},
        "wait_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": LONGEST_WAIT,
            "default": SILENT_WAIT,
            "description": "How long to wait for the video's end before it is returned as it is; 0 returns at once.",
        },
    },
    "required": ["id"],
    "additionalProperties": False,
}
LIST_MODELS: Schema = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": list(MODEL_TYPES), "description": "Only models of this type. Without: all."},
    },
    "additionalProperties": False,
}
ESTIMATE: Schema = {
    "type": "object",
    "properties": {
        "tool": {
            "type": "string",
            "enum": ["generate_image", "edit_image", "generate_video"],
            "description": "The tool that you would call.",
        },
        "arguments": {"type": "object", "description": "The arguments that you would call it with."},
    },
    "required": ["tool", "arguments"],
    "additionalProperties": False,
}


def _or_null(schema: Schema, description: str) -> Schema:
    """Some clients know no list of types."""
    return {"anyOf": [schema, {"type": "null"}], "description": description}


_CREDITS = {"type": "number", "description": "Credits charged."}
_REQUEST_ID = {"type": "string", "description": "Names the call in receipts and to support."}
IMAGES: Schema = {
    "type": "object",
    "properties": {
        "images": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "url": {"type": "string", "description": "The whole file; the link expires."},
                    "revised_prompt": {"type": "string", "description": "The prompt that the model worked by."},
                },
                "required": ["url", "revised_prompt"],
            },
        },
        "model": {"type": "string"},
        "size": {"type": "string", "description": "`<width>x<height>` in pixels."},
        "output_format": {"type": "string"},
        "credits": _CREDITS,
        "request_id": _REQUEST_ID,
    },
    "required": ["images", "model", "size", "output_format", "credits", "request_id"],
}
VIDEO: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "For `get_video`."},
        "status": {"type": "string", "enum": ["processing", "completed", "failed", "cancelled"]},
        "progress": {"type": "integer", "description": "Percent."},
        "video_url": _or_null({"type": "string"}, "The clip, once completed; the link expires."),
        "duration": {"type": "number", "description": "Seconds."},
        "model": {"type": "string"},
        "credits": _or_null({"type": "number"}, "Credits charged, once it has ended."),
        "error": _or_null(
            {"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}}},
            "Why it failed.",
        ),
        "next": {"type": "string", "description": "What to do now."},
        "request_id": _REQUEST_ID,
    },
    "required": [
        *("id", "status", "progress", "video_url", "duration", "model", "credits", "error", "next", "request_id"),
    ],
}
MODELS: Schema = {
    "type": "object",
    "properties": {
        "models": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "type": {"type": "string", "enum": list(MODEL_TYPES)},
                    "vendor": {"type": "string"},
                    "description": {"type": "string"},
                    "credits": {"type": "number", "description": "For one `unit`, in the default settings."},
                    "unit": {"type": "string"},
                    "details": {"type": "string", "description": "What changes the price, and what the model can do."},
                },
                "required": ["id", "type", "vendor", "description", "credits", "unit", "details"],
            },
        },
    },
    "required": ["models"],
}
ESTIMATED: Schema = {
    "type": "object",
    "properties": {
        "credits": {"type": "number", "description": "What the call would cost."},
        "model": {"type": "string"},
        "breakdown": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "item": {"type": "string"},
                    "quantity": {"type": "integer"},
                    "credits": {"type": "number"},
                },
                "required": ["item", "quantity", "credits"],
            },
        },
        "available": {"type": "number", "description": "Credits that the account has left."},
        "affordable": {"type": "boolean", "description": "Whether they cover the call."},
    },
    "required": ["credits", "model", "breakdown", "available", "affordable"],
}


def _image(models: list[Model]) -> Schema:
    fields: Schema = {
        "model": _model(models),
        "size": {
            "type": "string",
            "default": "auto",
            "examples": SIZES,
            "description": (
                "`<width>x<height>` in pixels, a class such as `2K`, or `auto`. A size that the model lacks becomes "
                "its closest one of the same shape. Larger ones may cost more."
            ),
        },
        "n": {
            "type": "integer",
            "minimum": 1,
            "maximum": max(image_spec(model).max_n for model in models),
            "default": 1,
            "description": "How many pictures. Each costs the price of one.",
        },
    }
    if qualities := values_of(models, lambda model: image_spec(model).qualities):
        fields["quality"] = {
            "type": "string",
            "enum": list(dict.fromkeys(["auto", *qualities])),
            "description": "Only for models that have qualities. A lower one costs less.",
        }
    fields["output_format"] = {
        "type": "string",
        "enum": values_of(models, lambda model: image_spec(model).formats),
        "description": "Of the file, where the model has several.",
    }
    return fields


def _model(models: list[Model]) -> Schema:
    return {
        "type": "string",
        "enum": [model.id for model in models],
        "default": usual(models),
        "description": "The tool's description tells what each costs and is good at.",
    }


def _prompt(description: str) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": MAX_PROMPT, "description": description}


def _object(properties: Schema, *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required or ("prompt",)),
        "additionalProperties": False,
    }
