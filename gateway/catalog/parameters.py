"""The JSON Schema (draft 2020-12) of what a model's endpoint takes: for GET /v1/models, and to make a form of.

https://json-schema.org/draft/2020-12
"""

from typing import Any

from gateway.catalog.schema import ChatSpec, EmbeddingSpec, ImageSpec, Model, ModelType, TranscriptionSpec, VideoSpec

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# The longest prompt for a picture or a video, in characters.
MAX_PROMPT = 32_000
# Any `WxH`: a size that the model lacks becomes its closest one of the same ratio.
ANY_SIZE = "^[1-9][0-9]{1,4}x[1-9][0-9]{1,4}$"
REQUIRED: dict[ModelType, list[str]] = {
    "chat": ["messages"],
    "embedding": ["input"],
    "transcription": ["file"],
    "image": ["prompt"],
    "video": ["prompt"],
}


def parameters(model: Model) -> Schema:
    """The schema of a request's body: an object with titles, descriptions and defaults.

    It leaves out what the model lacks. Fields that it does not name are allowed: what OpenAI's API takes beyond them is
    passed on to the provider.
    """
    properties: Schema = {
        "model": {"title": "Model", "description": "The model's id.", "type": "string", "const": model.id},
        **_fields(model),
    }
    required = ["model", *REQUIRED[model.type]]
    if model.video is not None and not model.video.text_input:
        required.append("image")
    return {
        "$schema": DIALECT,
        "title": model.id,
        "description": model.description,
        "type": "object",
        "properties": properties,
        "required": required,
    }


def _fields(model: Model) -> Schema:
    """The fields besides `model`."""
    if model.chat is not None:
        return _chat(model.chat)
    if model.embedding is not None:
        return _embedding(model.embedding)
    if model.transcription is not None:
        return _transcription(model.transcription)
    if model.image is not None:
        return _image(model.image)
    assert model.video is not None, "the catalogue gives each model the spec of its type"
    return _video(model.video)


def _chat(spec: ChatSpec) -> Schema:
    limit = {
        "type": "integer",
        "minimum": 1,
        "description": f"The most tokens to write; the model writes {spec.max_output:,} at most.",
    }
    fields: Schema = {
        "messages": {
            "title": "Messages",
            "description": "The conversation so far, oldest first.",
            "type": "array",
            "minItems": 1,
            "items": _message(spec),
        },
        "max_completion_tokens": {"title": "Longest answer", **limit},
        "max_tokens": {"title": "Longest answer (older name)", **limit},
        "temperature": _number("Temperature", "Higher is more varied.", 0, 2),
        "top_p": _number("Top p", "Chooses among the likeliest tokens of this share only.", 0, 1),
        "n": _integer("Answers", "How many answers to write.", 1, spec.max_n, 1),
        "stop": {
            "title": "Stop",
            "description": "Texts at which the answer ends.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 4}],
        },
        "stream": _flag("Stream", "Sends the answer piece by piece, as server-sent events."),
        "stream_options": {
            "title": "Stream options",
            "description": "Only with `stream`.",
            "type": "object",
            "properties": {"include_usage": _flag("Usage", "Ends the stream with a chunk that tells the usage.")},
        },
        "response_format": {
            "title": "Format",
            "description": "Text, or JSON that may have to follow a schema.",
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["text", "json_object", "json_schema"]},
                "json_schema": {"type": "object"},
            },
            "required": ["type"],
        },
        "frequency_penalty": _number("Frequency penalty", "Above 0 makes repetition less likely.", -2, 2),
        "presence_penalty": _number("Presence penalty", "Above 0 makes new subjects likelier.", -2, 2),
        "seed": {"title": "Seed", "description": "The same seed tends to give the same answer.", "type": "integer"},
        "logprobs": _flag("Log probabilities", "Tells how likely each token was."),
        "top_logprobs": {
            "title": "Alternatives",
            "description": "How many other tokens to tell at each place; with `logprobs`.",
            "type": "integer",
            "minimum": 0,
            "maximum": 20,
        },
    }
    if spec.tools or spec.forced_tools:
        fields |= _tools(spec)
    return _without_lacking(fields, spec)


def _tools(spec: ChatSpec) -> Schema:
    if spec.tools:
        kinds, choices, choice = ["function", "custom"], ["none", "auto", "required"], "Whether a tool must be called"
    else:
        kinds, choices, choice = ["function"], ["required"], "Needed with tools: that one must be called"
    return {
        "tools": {
            "title": "Tools",
            "description": "Functions that the model may call.",
            "type": "array",
            "maxItems": 128,
            "items": {
                "type": "object",
                "properties": {"type": {"type": "string", "enum": kinds}},
                "required": ["type"],
            },
        },
        "tool_choice": {
            "title": "Tool choice",
            "description": f"{choice}, and which.",
            "anyOf": [{"type": "string", "enum": choices}, {"type": "object"}],
        },
    }


def _message(spec: ChatSpec) -> Schema:
    parts = ["text", "image_url"] if spec.vision and "image_url" not in spec.refuses else ["text"]
    part = {"type": "object", "properties": {"type": {"type": "string", "examples": parts}}, "required": ["type"]}
    return {
        "type": "object",
        "properties": {
            "role": {"type": "string", "enum": ["system", "developer", "user", "assistant", "tool"], "default": "user"},
            "content": {
                "description": f"A text, or a list of parts: {', '.join(parts)}.",
                "anyOf": [{"type": "string"}, {"type": "array", "items": part}, {"type": "null"}],
            },
        },
        "required": ["role"],
    }


def _embedding(spec: EmbeddingSpec) -> Schema:
    text = {"type": "string", "minLength": 1}
    several = {"type": "array", "minItems": 1, "maxItems": spec.max_inputs}
    kinds: list[Schema] = [text, {**several, "items": text}]
    if spec.token_arrays:
        token = {"type": "integer", "minimum": 0}
        kinds += [{**several, "items": token}, {**several, "items": {"type": "array", "minItems": 1, "items": token}}]
    fields: Schema = {
        "input": {
            "title": "Input",
            "description": f"A text or a list of texts, each of up to {spec.context:,} tokens.",
            "anyOf": kinds,
        },
        "encoding_format": {
            "title": "Encoding",
            "description": "Numbers, or base64 of little-endian float32.",
            "type": "string",
            "enum": ["float", "base64"],
            "default": "float",
        },
    }
    if spec.shortens:
        fields["dimensions"] = _integer("Dimensions", "The vectors' length.", 1, spec.dimensions, spec.dimensions)
    return _without_lacking(fields, spec)


def _transcription(spec: TranscriptionSpec) -> Schema:
    fields: Schema = {
        "file": {
            "title": "File",
            "description": (
                f"The recording, as a part of a multipart form: {spec.max_megabytes} MB and "
                f"{spec.max_seconds // 60} minutes at most."
            ),
            "type": "string",
            "contentMediaType": "audio/*",
        },
        "language": {"title": "Language", "description": "Of the speech, as ISO 639-1: `en`.", "type": "string"},
        "prompt": {"title": "Prompt", "description": "Names and words to expect.", "type": "string"},
        "response_format": {
            "title": "Format",
            "description": "Of the transcript.",
            "type": "string",
            "enum": list(spec.formats),
            "default": spec.formats[0],
        },
        "temperature": _number("Temperature", "Higher is more varied.", 0, 1),
        "stream": _flag("Stream", "Sends the transcript as it is heard; with the format `json`."),
    }
    if spec.words:
        fields["timestamp_granularities"] = {
            "title": "Times",
            "description": "Of what to tell the times; with the format `verbose_json`.",
            "type": "array",
            "items": {"type": "string", "enum": ["word", "segment"]},
        }
    return _without_lacking(fields, spec)


def _image(spec: ImageSpec) -> Schema:
    fields: Schema = {
        "prompt": _prompt("What the picture shows."),
        "n": _integer("Pictures", "How many pictures to make.", 1, spec.max_n, 1),
        "size": _image_size(spec),
    }
    if spec.max_inputs:
        fields["image"] = _pictures("Reference", "A picture to start from", spec.max_inputs)
    if spec.mask:
        fields["mask"] = _pictures("Mask", "A PNG of the picture's size, transparent where that is to change", 1)
    if spec.qualities:
        fields["quality"] = {
            "title": "Quality",
            "description": "A lower quality costs less.",
            "type": "string",
            "enum": list(dict.fromkeys(["auto", *spec.qualities])),
            "default": spec.default_quality,
        }
    fields["output_format"] = {
        "title": "File format",
        "description": "Of the picture's file.",
        "type": "string",
        "enum": list(spec.formats),
        "default": spec.formats[0],
    }
    fields["response_format"] = {
        "title": "Answer with",
        "description": "A link that expires, or the picture itself in base64.",
        "type": "string",
        "enum": ["url", "b64_json"],
        "default": "url",
    }
    fields["stream"] = _flag("Stream", "Sends the picture in base64 as a server-sent event, sketches of it before.")
    fields["partial_images"] = _integer("Sketches", "How many to send, if the model shows any; with `stream`.", 0, 3, 0)
    return fields


def _image_size(spec: ImageSpec) -> Schema:
    other = "The model makes any size." if spec.exact else "A size that the model lacks becomes its closest one."
    named = list(dict.fromkeys(["auto", *spec.tiers, *spec.tiers.values(), *spec.sizes]))
    # These work with every model, see `gateway.sizes`.
    common = [size for size in ("1024x1024", "1536x1024", "1024x1536", "2K") if size not in named]
    return {
        "title": "Size",
        "description": f"`<width>x<height>` in pixels, a size class such as `2K`, or `auto`. {other}",
        "type": "string",
        "anyOf": [{"enum": named + common}, {"pattern": ANY_SIZE}],
        "default": "auto",
        "examples": named + common,
    }


def _video(spec: VideoSpec) -> Schema:
    fields: Schema = {"prompt": _prompt("What happens in the clip.")}
    if spec.image_input:
        fields["image"] = _pictures("First frame", "The picture that the clip begins with", 1)
    if spec.last_frame:
        fields["last_frame"] = _pictures("Last frame", "The picture that the clip ends with; with a first frame", 1)
    fields["duration"] = {
        "title": "Seconds",
        "description": "The clip's length. The price grows with it.",
        "type": "integer",
        "enum": list(spec.durations),
        "default": spec.default_duration,
    }
    fields["aspect_ratio"] = {
        "title": "Ratio",
        "description": "Width to height.",
        "type": "string",
        "enum": list(spec.ratios),
        "default": spec.ratios[0],
    }
    fields["resolution"] = {
        "title": "Resolution",
        "description": f"The price grows with it.{_limits(spec)}",
        "type": "string",
        "enum": list(spec.resolutions),
        "default": spec.default_resolution,
    }
    if spec.audio:
        fields["audio"] = {**_flag("Sound", "Speech, effects and music."), "default": spec.default_audio}
    fields["webhook_url"] = {
        "title": "Webhook",
        "description": "An https address that is told of the video's end.",
        "type": "string",
        "format": "uri",
    }
    return fields


def _limits(spec: VideoSpec) -> str:
    """What a video's resolutions do not all have."""
    limited = {"Sound": spec.audio_in, "A last frame": spec.last_frame_in}
    return "".join(f" {what} needs {' or '.join(names)}." for what, names in limited.items() if names)


def _without_lacking(fields: Schema, spec: ChatSpec | EmbeddingSpec | TranscriptionSpec) -> Schema:
    return {name: field for name, field in fields.items() if name not in spec.refuses and name not in spec.ignores}


def _prompt(description: str) -> Schema:
    return {
        "title": "Prompt",
        "description": description,
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_PROMPT,
    }


def _pictures(title: str, description: str, most: int) -> Schema:
    one = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}
    how = "in base64, as a data URI, or as an https address"
    field: Schema = {"title": title, "description": f"{description}, {how}."}
    if most == 1:
        return {**field, **one}
    field["description"] = f"{description}, {how}; or a list of up to {most}."
    return {**field, "anyOf": [one, {"type": "array", "items": one, "maxItems": most}]}


def _number(title: str, description: str, low: int, high: int) -> Schema:
    return {"title": title, "description": description, "type": "number", "minimum": low, "maximum": high}


def _integer(title: str, description: str, low: int, high: int, default: int) -> Schema:
    return {
        "title": title,
        "description": description,
        "type": "integer",
        "minimum": low,
        "maximum": high,
        "default": default,
    }


def _flag(title: str, description: str) -> Schema:
    return {"title": title, "description": description, "type": "boolean", "default": False}
