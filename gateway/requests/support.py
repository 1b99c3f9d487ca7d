"""What of a request a model does not take: refused where it would change the answer's meaning, else left out."""

from typing import Any

from gateway.catalog.schema import ChatSpec, EmbeddingSpec, Model, TranscriptionSpec
from gateway.errors import InvalidValue
from gateway.types import ChatRequest, EmbeddingRequest, TranscriptionRequest

# Values that say what a parameter's absence says, besides null, false, [] and {}.
DEFAULTS: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "temperature": (1,),
    "tool_choice": ("auto",),
    "top_p": (1,),
}
# An empty object already asks for a search.
MEANT_WHEN_EMPTY = frozenset({"web_search_options"})


def check_support(model: Model, request: object) -> None:
    """Raises `InvalidValue` naming what of a chat or an embedding `model`, the one that is asked, does not take."""
    if isinstance(request, EmbeddingRequest) and model.embedding is not None:
        _check_embedding(model.id, model.embedding, request)
    elif isinstance(request, ChatRequest) and (param := lacks(model, request)):
        name = f"`{model.id}`"
        if request.model != model.id:
            name += f", which `{request.model}` stands for here"
        raise InvalidValue(
            f"{_refusal(model, param, name)} Choose another model from GET /v1/models, or leave it out.",
            param=param,
        )


def lacks(model: Model, request: object) -> str | None:
    """The first parameter, as a path such as `messages[2].content[0].image_url`, that `model` cannot honour and whose
    neglect would change the answer's meaning; None where it takes all.

    An embedding's `dimensions` are none of them: they bind the model that is asked, and a stand-in's are made to fit.
    """
    if isinstance(request, ChatRequest) and model.chat is not None:
        return _chat_lacks(model.chat, request)
    if isinstance(request, EmbeddingRequest) and model.embedding is not None:
        return _embedding_lacks(model.embedding, request)
    if isinstance(request, TranscriptionRequest) and model.transcription is not None:
        return _transcription_lacks(model.transcription, request)
    return None


def ignored_params(model: Model, request: ChatRequest | EmbeddingRequest) -> list[str]:
    """The parameters sent, in their order, that `model` lacks without harm. Its adapter leaves them out."""
    spec = model.chat or model.embedding
    if spec is None or request.body.keys().isdisjoint(spec.ignores):
        return []
    return [name for name in request.body if name in spec.ignores and _is_sent(name, request.body)]


def _chat_lacks(spec: ChatSpec, request: ChatRequest) -> str | None:
    if not request.body.keys().isdisjoint(spec.refuses):
        for name in request.body:
            if name in spec.refuses and _is_sent(name, request.body):
                return name
    if spec.takes_all_values:
        return None
    if request.n > spec.max_n:
        return "n"
    lacking = None if spec.tools else _lacking_tool(spec, request.body)
    return lacking or _lacking_part(spec, request.messages)


def _lacking_tool(spec: ChatSpec, body: dict[str, Any]) -> str | None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if choice == "none":
        return None
    if not tools:
        return "tool_choice" if _is_sent("tool_choice", body) else None
    if choice in (None, "auto") or not spec.forced_tools:
        return "tools"
    if choice != "required" and not (isinstance(choice, dict) and choice.get("type") == "function"):
        return "tool_choice"
    return next((f"tools[{index}]" for index, tool in enumerate(tools) if tool["type"] != "function"), None)


def _lacking_part(spec: ChatSpec, messages: list[dict[str, Any]]) -> str | None:
    for index, message in enumerate(messages):
        content = message.get("content")
        if isinstance(content, list):
            for position, part in enumerate(content):
                kind = part["type"]
                where = f"messages[{index}].content[{position}].{kind}"
                if kind in spec.refuses or (kind == "image_url" and not spec.vision):
                    return where
                if kind == "image_url" and not spec.image_urls and part["image_url"]["url"][:5].lower() != "data:":
                    return f"{where}.url"
    return None


def _embedding_lacks(spec: EmbeddingSpec, request: EmbeddingRequest) -> str | None:
    if len(request.inputs) > spec.max_inputs or not (spec.token_arrays or isinstance(request.inputs[0], str)):
        return "input"
    return next((name for name in spec.refuses if _is_sent(name, request.body)), None)


def _transcription_lacks(spec: TranscriptionSpec, request: TranscriptionRequest) -> str | None:
    if request.format not in spec.formats:
        return "response_format"
    if request.words and not spec.words:
        return "timestamp_granularities"
    return "file" if request.seconds > spec.max_seconds else None


def _check_embedding(name: str, spec: EmbeddingSpec, request: EmbeddingRequest) -> None:
    dimensions = request.dimensions
    if dimensions is not None and dimensions != spec.dimensions:
        if not spec.shortens:
            raise InvalidValue(f"`{name}` has {spec.dimensions} dimensions and no others.", param="dimensions")
        if dimensions > spec.dimensions:
            raise InvalidValue(f"`dimensions` is at most {spec.dimensions} for `{name}`.", param="dimensions")
    if len(request.inputs) > spec.max_inputs:
        raise InvalidValue(f"`{name}` takes {spec.max_inputs} inputs at once.", param="input")
    if not (spec.token_arrays or isinstance(request.inputs[0], str)):
        raise InvalidValue(
            f"`{name}` takes texts, not arrays of tokens: OpenAI's tokens are other words in its vocabulary. "
            "Send the texts (LangChain does with `check_embedding_ctx_length=False`).",
            param="input",
        )
    if param := _embedding_lacks(spec, request):
        raise InvalidValue(f"`{param}` is not supported by `{name}`. Leave it out.", param=param)


def _is_sent(name: str, body: dict[str, Any]) -> bool:
    """Whether `body` says something by the parameter."""
    value = body.get(name)
    if value is None or value is False or value == []:
        return False
    if value == {}:
        return name in MEANT_WHEN_EMPTY
    if name == "tool_choice" and value == "none" and not body.get("tools"):
        return False
    return value not in DEFAULTS.get(name, ())


def _refusal(model: Model, param: str, name: str) -> str:
    spec = model.chat
    if spec is not None and param == "n":
        return f"`n` is at most {spec.max_n} for {name}."
    reason = ""
    if spec is not None and spec.forced_tools and param in ("tools", "tool_choice"):
        reason = ": it calls a tool only where `tool_choice` is `required` or names a function of `tools`"
    if param.endswith(".url"):
        reason = ": send the picture as a data URI"
    return f"`{param}` is not supported by {name}{reason}."
