"""Chat completions, responses and embeddings."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from api.openapi import headers
from api.openapi.errors import OF_CALL
from api.openapi.operation import EVENTS, JSON, Answer, Content, Operation, stream_of
from gateway.requests.chat import ChatBody
from gateway.requests.embeddings import EmbeddingBody
from gateway.requests.responses import ResponseBody

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[int, Meta(description="Unix time in seconds.")]
Credits = Annotated[float, Meta(ge=0, description="Credits that were charged, with up to three decimals.")]


class ChatUsage(Struct):
    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: Annotated[dict[str, Any] | UnsetType | None, Meta(description="As the provider tells.")] = (
        UNSET
    )
    completion_tokens_details: Annotated[
        dict[str, Any] | UnsetType | None, Meta(description="As the provider tells.")
    ] = UNSET
    credits: Annotated[
        float | UnsetType, Meta(description="Of a stream: what was charged. Elsewhere it is `x-arkroute-credits`.")
    ] = UNSET


class ChatAnswerMessage(Struct):
    role: Literal["assistant"]
    content: Annotated[str | UnsetType | None, Meta(description="The text; null where tools are called.")] = UNSET
    refusal: str | UnsetType | None = UNSET
    reasoning_content: Annotated[
        str | UnsetType | None, Meta(description="The model's thoughts, where it tells them.")
    ] = UNSET
    tool_calls: Annotated[
        list[dict[str, Any]] | UnsetType | None, Meta(description="Tools to call: `id`, `type`, `function`.")
    ] = UNSET


class ChatChoice(Struct):
    index: Count
    message: ChatAnswerMessage
    finish_reason: Annotated[
        str | None, Meta(description="`stop`, `length`, `tool_calls` or `content_filter`: why it ends here.")
    ]
    logprobs: Annotated[dict[str, Any] | UnsetType | None, Meta(description="With `logprobs`.")] = UNSET


class ChatCompletion(Struct):
    """What the model said. Fields that a provider has besides are passed on."""

    id: str
    object: Literal["chat.completion"]
    created: Seconds
    model: Annotated[str, Meta(description="The name that was asked for.")]
    choices: list[ChatChoice]
    usage: ChatUsage | UnsetType = UNSET


class ChatDelta(Struct):
    """What a chunk adds to the message."""

    role: Literal["assistant"] | UnsetType | None = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    tool_calls: list[dict[str, Any]] | UnsetType | None = UNSET


class ChatChunkChoice(Struct):
    index: Count
    delta: ChatDelta
    finish_reason: str | UnsetType | None = UNSET
    logprobs: dict[str, Any] | UnsetType | None = UNSET


class ChatCompletionChunk(Struct):
    """A piece of a streamed completion. With `stream_options.include_usage` the last one has no choices but `usage`."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: Seconds
    model: str
    choices: list[ChatChunkChoice]
    usage: ChatUsage | UnsetType | None = UNSET


class ResponseUsage(Struct):
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count
    input_tokens_details: dict[str, Any] | UnsetType = UNSET
    output_tokens_details: dict[str, Any] | UnsetType = UNSET
    credits: Annotated[float | UnsetType, Meta(description="Of a stream: what was charged.")] = UNSET


class Response(Struct):
    """What the model said, in items. It repeats the request's fields; those that stand here are always there."""

    id: str
    object: Literal["response"]
    created_at: Seconds
    status: Literal["completed", "incomplete", "in_progress", "failed"]
    error: dict[str, Any] | None
    incomplete_details: dict[str, Any] | None
    model: Annotated[str, Meta(description="The name that was asked for.")]
    output: Annotated[
        list[dict[str, Any]], Meta(description="Items: `message`, `reasoning`, `function_call`, `custom_tool_call`.")
    ]
    usage: ResponseUsage | None
    store: Annotated[bool, Meta(description="False: nothing is kept here.")]


class ResponseEvent(Struct):
    """A piece of a streamed response. Those of `type` `response.completed` and its kin hold the whole `response`."""

    type: Annotated[str, Meta(description="`response.created`, `response.output_text.delta`, …")]
    sequence_number: Count
    response: Response | UnsetType = UNSET


class EmbeddingUsage(Struct):
    prompt_tokens: Count
    total_tokens: Count


class Embedding(Struct):
    object: Literal["embedding"]
    index: Annotated[int, Meta(ge=0, description="The place of the text in `input`.")]
    embedding: Annotated[
        list[float] | str, Meta(description="Numbers; with `encoding_format: base64` little-endian float32 in base64.")
    ]


class EmbeddingList(Struct):
    object: Literal["list"]
    data: list[Embedding]
    model: Annotated[str, Meta(description="The name that was asked for.")]
    usage: EmbeddingUsage


_CHAT = {
    "model": "gpt-5.4-mini",
    "messages": [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": "Why is the sky blue?"},
    ],
    "max_tokens": 200,
}
_COMPLETION = {
    "id": "chatcmpl-8d5f1c2e",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "gpt-5.4-mini",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Air scatters blue light far more than red.",
                "refusal": None,
            },
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 23, "completion_tokens": 10, "total_tokens": 33},
}
_CHUNKS = """\
data: {"id":"chatcmpl-8d5f1c2e","object":"chat.completion.chunk","created":1767225600,"model":"gpt-5.4-mini",\
"choices":[{"index":0,"delta":{"role":"assistant","content":"Air scatters"},"finish_reason":null}]}

data: [DONE]

"""
_RESPONSE = {
    "id": "resp_0f3c",
    "object": "response",
    "created_at": 1767225600,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "gpt-5.4",
    "output": [
        {
            "id": "msg_0f3c",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "The Tagus, the Douro and the Mondego.", "annotations": []},
            ],
        }
    ],
    "usage": {"input_tokens": 14, "output_tokens": 12, "total_tokens": 26},
    "store": False,
}
_RESPONSE_EVENTS = """\
event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_0f3c","output_index":0,\
"content_index":0,"delta":"The Tagus","logprobs":[]}

"""

_PARAMETERS = ("IdempotencyKey", "MaxCredits", "SessionCookie", "ClientRequestId")

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/chat/completions",
        id="createChatCompletion",
        tag="Chat",
        summary="Answer a conversation",
        description=(
            "OpenAI's chat completions, for every chat model. Fields of OpenAI's that are not listed here, such as "
            "`reasoning_effort`, are passed on as they come; what a model does not take is a 422, or is left out and "
            "named in `x-arkroute-ignored-params`. An error after the first byte of a stream is its last event, "
            '`data: {"error": …}`, and no `[DONE]` follows.'
        ),
        parameters=_PARAMETERS,
        body={JSON: Content(ChatBody, {"one question": _CHAT})},
        answers={
            200: Answer(
                "The answer; with `stream` its pieces.",
                {
                    JSON: Content(ChatCompletion, {"answer": _COMPLETION}),
                    EVENTS: stream_of(
                        ChatCompletionChunk, example=_CHUNKS, ends_with=" The last one reads `data: [DONE]`."
                    ),
                },
                (*headers.OF_MODEL, "x-arkroute-capped-tokens"),
            )
        },
        errors=("BadRequest", "InvalidParametersOrPicture", "SessionOrKeyInUse", *OF_CALL),
    ),
    Operation(
        method="POST",
        path="/v1/responses",
        id="createResponse",
        tag="Responses",
        summary="Create a response",
        description=(
            "OpenAI's Responses API for every chat model, without memory: a request says all that there is to know. "
            "`previous_response_id`, `conversation`, `prompt` and `background` are a 422. Other fields of OpenAI's are "
            "passed on."
        ),
        parameters=_PARAMETERS,
        body={
            JSON: Content(
                ResponseBody,
                {
                    "one question": {
                        "model": "gpt-5.4",
                        "input": "Name three rivers of Portugal.",
                        "max_output_tokens": 200,
                    }
                },
            )
        },
        answers={
            200: Answer(
                "The response; with `stream` its events.",
                {
                    JSON: Content(Response, {"response": _RESPONSE}),
                    EVENTS: stream_of(ResponseEvent, example=_RESPONSE_EVENTS),
                },
                (*headers.OF_MODEL, "x-arkroute-capped-tokens"),
            )
        },
        errors=("BadRequest", "InvalidParametersOrPicture", "KeyInUse", *OF_CALL),
    ),
    Operation(
        method="POST",
        path="/v1/embeddings",
        id="createEmbedding",
        tag="Embeddings",
        summary="Turn texts into vectors",
        description="Of one text or up to 2,048, together at most 300,000 tokens.",
        parameters=_PARAMETERS,
        body={
            JSON: Content(
                EmbeddingBody,
                {"two texts": {"model": "text-embedding-3-small", "input": ["a red fox", "a grey heron"]}},
            )
        },
        answers={
            200: Answer(
                "The vectors, in the order of the texts.",
                {
                    JSON: Content(
                        EmbeddingList,
                        {
                            "vectors, cut short": {
                                "object": "list",
                                "data": [
                                    {"object": "embedding", "index": 0, "embedding": [0.0123, -0.0456]},
                                    {"object": "embedding", "index": 1, "embedding": [0.0078, 0.0912]},
                                ],
                                "model": "text-embedding-3-small",
                                "usage": {"prompt_tokens": 8, "total_tokens": 8},
                            }
                        },
                    )
                },
                headers.OF_MODEL,
            )
        },
        errors=("BadRequest", "InvalidParameters", "KeyInUse", *OF_CALL),
    ),
)
