"""Quotes, and receipts."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from api.openapi import headers
from api.openapi.chat import Count
from api.openapi.errors import OF_KEY
from api.openapi.operation import FORM, JSON, Answer, Content, Operation
from api.openapi.parameters import RECEIPT

Amount = Annotated[float, Meta(ge=0, description="Credits, with up to three decimals.")]
Endpoint = Literal[
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/audio/transcriptions",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/video/generations",
    "/v1/videos",
]


class QuoteRequest(Struct, kw_only=True):
    """The body of the call, with all the fields that it has, and its `endpoint` besides."""

    endpoint: Annotated[Endpoint, Meta(description="Of the call.")]
    model: Annotated[str | UnsetType, Meta(description="The model's id, or an alias.")] = UNSET
    seconds: Annotated[
        float | str | UnsetType,
        Meta(description="Of a transcription: how long the recording is, in the place of its file."),
    ] = UNSET


class QuoteForm(QuoteRequest, kw_only=True):
    """The same for calls that are forms. A recording's length is measured."""

    file: Annotated[
        str | UnsetType,
        Meta(
            description="The recording to be transcribed.",
            extra_json_schema={"format": "binary", "contentMediaType": "audio/*"},
        ),
    ] = UNSET


class QuoteLine(Struct):
    item: Annotated[str, Meta(description="What is paid for, in words.")]
    quantity: Count
    credits: Amount


class Quote(Struct):
    """What a call costs."""

    object: Literal["quote"]
    endpoint: str
    model: Annotated[str, Meta(description="The name that was asked for.")]
    credits: Annotated[
        float, Meta(ge=0, description="What the call costs; of a chat, if nothing exceeds what the base price covers.")
    ]
    breakdown: Annotated[list[QuoteLine], Meta(description="How the ceiling adds up.")]
    ceiling: Annotated[float, Meta(ge=0, description="The most that the call can cost, which it holds.")]
    expires_at: Annotated[int, Meta(description="Until when these prices are honoured. Unix time in seconds.")]


class ReceiptAttempt(Struct):
    served_by: str
    milliseconds: Count
    error: Annotated[str | None, Meta(description="Why it failed; null where it answered.")]


class ReceiptTimings(Struct):
    total_ms: Annotated[int, Meta(ge=0, description="From the request to its end.")]
    overhead_ms: Annotated[float, Meta(ge=0, description="What of it the gateway itself took.")]


class Receipt(Struct):
    """What a call cost and why. It never changes."""

    id: Annotated[str, Meta(description="The `x-request-id` of the call.")]
    object: Literal["receipt"]
    created_at: Annotated[int, Meta(description="When the call ended. Unix time in seconds.")]
    endpoint: str
    model: Annotated[str, Meta(description="The model's id.")]
    served_by: Annotated[str | None, Meta(description="The provider, and its model, that answered.")]
    stand_in: bool
    status: Annotated[
        Literal["succeeded", "partial", "failed", "late"],
        Meta(
            description=(
                "`partial`: cut in the middle, what was delivered is charged. `failed` and `late`: nothing is charged."
            )
        ),
    ]
    error_code: Annotated[str | None, Meta(description="As in errors; `cancelled` where the client left.")]
    credits: Annotated[float, Meta(ge=0, description="What the call cost: `captured` and `overrun` together.")]
    quote: Annotated[float, Meta(ge=0, description="What was held for it: `captured` and `released` together.")]
    captured: Amount
    released: Amount
    overrun: Annotated[
        float, Meta(ge=0, description="What was charged beyond the hold, for tokens that the provider counted.")
    ]
    usage: Annotated[
        dict[str, Any],
        Meta(description="Tokens, images and seconds. `reported` is false where we counted ourselves."),
    ]
    attempts: Annotated[list[ReceiptAttempt], Meta(description="Who was asked, one after the other.")]
    timings: ReceiptTimings


class ReceiptList(Struct):
    object: Literal["list"]
    data: list[Receipt]
    first_id: str | None
    last_id: Annotated[str | None, Meta(description="Send it as `after` for the next ones.")]
    has_more: bool


_QUOTE = {
    "object": "quote",
    "endpoint": "/v1/images/generations",
    "model": "nano-banana-2",
    "credits": 6,
    "breakdown": [{"item": "picture of 2048x2048", "quantity": 2, "credits": 6}],
    "ceiling": 6,
    "expires_at": 1767226200,
}
_RECEIPT: dict[str, Any] = {
    "id": RECEIPT,
    "object": "receipt",
    "created_at": 1767225600,
    "endpoint": "/v1/chat/completions",
    "model": "gpt-5.4-mini",
    "served_by": "openai/gpt-5.4-mini",
    "stand_in": False,
    "status": "succeeded",
    "error_code": None,
    "credits": 1,
    "quote": 1.439,
    "captured": 1,
    "released": 0.439,
    "overrun": 0,
    "usage": {"input_tokens": 11, "output_tokens": 10, "reported": True},
    "attempts": [{"served_by": "openai/gpt-5.4-mini", "milliseconds": 812, "error": None}],
    "timings": {"total_ms": 815, "overhead_ms": 1.42},
}

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/quote",
        id="createQuote",
        tag="Receipts",
        summary="See what a call would cost",
        description=(
            "Takes the call's body with its `endpoint` besides, reads it as the call would be read, and does nothing "
            "else. Its prices are honoured for ten minutes, whatever becomes of them. Counts as a read."
        ),
        parameters=("ClientRequestId",),
        body={
            JSON: Content(
                QuoteRequest,
                {
                    "two pictures": {
                        "endpoint": "/v1/images/generations",
                        "model": "nano-banana-2",
                        "prompt": "a lighthouse in the fog",
                        "size": "2K",
                        "n": 2,
                    },
                    "a recording": {"endpoint": "/v1/audio/transcriptions", "model": "whisper-1", "seconds": 95},
                },
            ),
            FORM: Content(QuoteForm),
        },
        answers={200: Answer("The quote.", {JSON: Content(Quote, {"two pictures": _QUOTE})}, headers.OF_KEY)},
        errors=(
            *("UnreadableBody", "InvalidQuotedCall", "KeyNotAllowed", "ModelNotFound", "RequestTooLarge"),
            *("UnsupportedMediaType", *OF_KEY),
        ),
    ),
    Operation(
        method="GET",
        path="/v1/receipts",
        id="listReceipts",
        tag="Receipts",
        summary="List your receipts",
        description="Of all your keys and of calls that have ended. The newest first, unless `order` says otherwise.",
        parameters=(
            *("Limit", "AfterReceipt", "ReceiptOrder", "ReceiptModel", "ReceiptStatus"),
            *("CreatedAfter", "CreatedBefore", "ClientRequestId"),
        ),
        answers={
            200: Answer(
                "Some of the receipts.",
                {
                    JSON: Content(
                        ReceiptList,
                        {
                            "one": {
                                "object": "list",
                                "data": [_RECEIPT],
                                "first_id": RECEIPT,
                                "last_id": RECEIPT,
                                "has_more": False,
                            }
                        },
                    )
                },
                headers.OF_KEY,
            )
        },
        errors=("InvalidQuery", "ReceiptNotFound", *OF_KEY),
    ),
    Operation(
        method="GET",
        path="/v1/receipts/{request_id}",
        id="getReceipt",
        tag="Receipts",
        summary="See what a call cost and why",
        description="By the `x-request-id` of its answer. It is written when the call ends, or the video.",
        parameters=("RequestId", "ClientRequestId"),
        answers={200: Answer("The receipt.", {JSON: Content(Receipt, {"of a chat": _RECEIPT})}, headers.OF_KEY)},
        errors=("ReceiptNotFound", *OF_KEY),
    ),
)
