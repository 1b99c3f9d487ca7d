"""Models, the account, sessions and webhooks."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from api.openapi import headers
from api.openapi.chat import Count, Seconds
from api.openapi.errors import OF_KEY
from api.openapi.operation import JSON, Answer, Content, Key, Operation
from api.openapi.parameters import DELIVERY, SESSION, VIDEO

Amount = Annotated[float, Meta(description="Credits, with up to three decimals.")]


class Price(Struct):
    """Besides there may be what the price depends on: `quality`, `resolution`, `reference_images`, …"""

    unit: Annotated[str, Meta(description="`image`, `video`, `request`, `10 seconds`, `10000 tokens`.")]
    credits: Annotated[float, Meta(description="Of a call with every field at its default.")]


class Model(Struct):
    """OpenAI's model object, with what you need to choose and to call."""

    id: str
    object: Literal["model"]
    created: Seconds
    owned_by: str
    shutdown_date: Annotated[str | None, Meta(description="The day from which it is answered no more.")]
    provider: Annotated[str, Meta(description="Whose API is asked.")]
    vendor: Annotated[str, Meta(description="Who made it.")]
    type: Literal["chat", "embedding", "transcription", "image", "video"]
    description: str
    pricing: Price
    aliases: Annotated[list[str], Meta(description="Other names that are read as this model.")]
    parameters: Annotated[
        dict[str, Any], Meta(description="The JSON Schema of what this model takes in a request's body.")
    ]


class ModelList(Struct):
    object: Literal["list"]
    data: list[Model]


class Balance(Struct):
    balance: Amount
    held: Annotated[float, Meta(description="For calls and videos under way.")]
    available: Annotated[float, Meta(description="The balance without what is held.")]


class KeyLimits(Struct):
    requests_per_minute: Count
    concurrent_requests: Count
    concurrent_videos: Count


class KeyUsage(Struct):
    days: Annotated[int, Meta(description="The last so many.")]
    requests: Count
    credits: Amount


class KeyCreditLimit(Struct):
    credits: Amount
    period: Annotated[str, Meta(description="`day`, `week` or `month`.")]
    spent: Annotated[float, Meta(description="In this period, with what is held.")]
    resets_at: Seconds


class AccountKey(Struct):
    name: str
    prefix: Annotated[str, Meta(description="How the key begins.")]
    limits: KeyLimits
    usage: KeyUsage
    credit_limit: KeyCreditLimit | None
    allowed_models: Annotated[list[str], Meta(description="Models and types; empty: all.")]
    expires_at: Annotated[int | None, Meta(description="Unix time in seconds.")]


class Account(Struct):
    object: Literal["account"]
    email: str
    credits: Balance
    key: Annotated[AccountKey, Meta(description="The key that you asked with.")]


class Session(Struct):
    id: str
    object: Literal["session"]
    created_at: Seconds
    last_used_at: Seconds
    expires_at: Seconds
    model: Annotated[str, Meta(description="The name asked for last.")]
    messages: Annotated[int, Meta(description="How many are kept for `ark_stateful`.")]


class SessionList(Struct):
    object: Literal["list"]
    data: list[Session]
    has_more: bool


class SessionDeleted(Struct):
    id: str
    object: Literal["session"]
    deleted: Literal[True]


class WebhookSecret(Struct):
    object: Literal["webhook_secret"]
    secret: Annotated[str, Meta(description="`whsec_…`, shown this once.")]
    created_at: Seconds
    previous_expires_at: Annotated[
        int | None, Meta(description="Until when the secret before it signs as well. Unix time in seconds.")
    ]


class WebhookDelivery(Struct):
    id: Annotated[str, Meta(description="The id of the message, the same in every try.")]
    object: Literal["webhook_delivery"]
    type: Literal["video.completed", "video.failed", "video.cancelled"]
    task_id: str
    url: str
    status: Literal["pending", "delivered", "failed"]
    attempts: Count
    next_attempt_at: Annotated[int | None, Meta(description="Unix time in seconds; null while it is being tried.")]
    last_status: Annotated[int | None, Meta(description="The HTTP status that your server answered last.")]
    last_error: str | None
    created_at: Seconds
    delivered_at: Annotated[int | None, Meta(description="Unix time in seconds.")]


class WebhookDeliveryList(Struct):
    object: Literal["list"]
    data: list[WebhookDelivery]
    has_more: bool
    first_id: str | None
    last_id: Annotated[str | None, Meta(description="Send it as `after` for the next ones.")]


_MODEL = {
    "id": "nano-banana-2",
    "object": "model",
    "created": 1779926400,
    "owned_by": "google",
    "shutdown_date": None,
    "provider": "google",
    "vendor": "Google",
    "type": "image",
    "description": "Google's fast all-round picture model, with editing and up to 14 reference pictures.",
    "pricing": {"unit": "image", "credits": 2, "tier": {"2K": 1.5, "4K": 2.25}},
    "aliases": ["dall-e-3"],
    "parameters": {
        "type": "object",
        "properties": {"prompt": {"type": "string", "minLength": 1, "maxLength": 32000}},
        "required": ["model", "prompt"],
    },
}
_ACCOUNT = {
    "object": "account",
    "email": "ada@example.com",
    "credits": {"balance": 487.5, "held": 50, "available": 437.5},
    "key": {
        "name": "my laptop",
        "prefix": "ark-12345678",
        "limits": {"requests_per_minute": 600, "concurrent_requests": 50, "concurrent_videos": 4},
        "usage": {"days": 30, "requests": 7, "credits": 12.5},
        "credit_limit": {"credits": 100, "period": "month", "spent": 62.5, "resets_at": 1769904000},
        "allowed_models": [],
        "expires_at": None,
    },
}
_SESSION = {
    "id": SESSION,
    "object": "session",
    "created_at": 1767225600,
    "last_used_at": 1767225660,
    "expires_at": 1767227460,
    "model": "gpt-4o",
    "messages": 4,
}
_DELIVERY: dict[str, Any] = {
    "id": DELIVERY,
    "object": "webhook_delivery",
    "type": "video.completed",
    "task_id": VIDEO,
    "url": "https://you.example/hooks/video",
    "status": "pending",
    "attempts": 2,
    "next_attempt_at": 1767225635,
    "last_status": 500,
    "last_error": "its server answered 500",
    "created_at": 1767225600,
    "delivered_at": None,
}
_DELIVERIES = {
    "object": "list",
    "data": [_DELIVERY],
    "has_more": False,
    "first_id": DELIVERY,
    "last_id": DELIVERY,
}
_OF_MODELS = ("InvalidKey", "TooManyRequests", "InternalError", "DatabaseUnavailable")
_OPEN = "Open to all. A key that is sent must be good, since tools test theirs here."

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/models",
        id="listModels",
        tag="Models",
        summary="List the models",
        description=f"Those that can be called here. {_OPEN}",
        key=Key.OPTIONAL,
        parameters=("ClientRequestId",),
        answers={
            200: Answer(
                "All models.",
                {JSON: Content(ModelList, {"one, cut short": {"object": "list", "data": [_MODEL]}})},
                headers.OF_KEY,
            )
        },
        errors=_OF_MODELS,
    ),
    Operation(
        method="GET",
        path="/v1/models/{name}",
        id="getModel",
        tag="Models",
        summary="Look at a model",
        description=f"By its id or an alias. {_OPEN}",
        key=Key.OPTIONAL,
        parameters=("Model", "ClientRequestId"),
        answers={200: Answer("The model.", {JSON: Content(Model, {"cut short": _MODEL})}, headers.OF_KEY)},
        errors=("ModelNotFound", *_OF_MODELS),
    ),
    Operation(
        method="GET",
        path="/v1/account",
        id="getAccount",
        tag="Account",
        summary="See your credits, and the key's limits",
        description="Of the user whose key it is.",
        parameters=("ClientRequestId",),
        answers={200: Answer("The account.", {JSON: Content(Account, {"account": _ACCOUNT})}, headers.OF_KEY)},
        errors=OF_KEY,
    ),
    Operation(
        method="GET",
        path="/v1/sessions",
        id="listSessions",
        tag="Sessions",
        summary="List your sessions",
        description="Those on the operator's own servers that have not ended, the one used last first.",
        parameters=("ClientRequestId",),
        answers={
            200: Answer(
                "The sessions.",
                {JSON: Content(SessionList, {"one": {"object": "list", "data": [_SESSION], "has_more": False}})},
                headers.OF_KEY,
            )
        },
        errors=("Unauthorized", "TooManyRequests", "InternalError", "StoreUnavailable"),
    ),
    Operation(
        method="DELETE",
        path="/v1/sessions/{session_id}",
        id="deleteSession",
        tag="Sessions",
        summary="Forget a session",
        description="With all that was said in it.",
        parameters=("SessionId", "ClientRequestId"),
        answers={
            200: Answer(
                "It is gone.",
                {JSON: Content(SessionDeleted, {"deleted": {"id": SESSION, "object": "session", "deleted": True}})},
                headers.OF_KEY,
            )
        },
        errors=("SessionNotFound", "Unauthorized", "TooManyRequests", "InternalError", "StoreUnavailable"),
    ),
    Operation(
        method="POST",
        path="/v1/webhooks/secret",
        id="rollWebhookSecret",
        tag="Webhooks",
        summary="Make a webhook secret",
        description="Makes a new one and shows it this once. The one before goes on signing beside it for 24 hours.",
        parameters=("ClientRequestId",),
        answers={
            200: Answer(
                "The secret.",
                {
                    JSON: Content(
                        WebhookSecret,
                        {
                            "the first": {
                                "object": "webhook_secret",
                                "secret": "whsec_…",
                                "created_at": 1767225600,
                                "previous_expires_at": None,
                            }
                        },
                    )
                },
                headers.OF_KEY,
            )
        },
        errors=OF_KEY,
    ),
    Operation(
        method="GET",
        path="/v1/webhooks/deliveries",
        id="listWebhookDeliveries",
        tag="Webhooks",
        summary="List your webhooks' deliveries",
        description="The newest first.",
        parameters=("Limit", "AfterDelivery", "ClientRequestId"),
        answers={
            200: Answer(
                "Some of the deliveries.",
                {JSON: Content(WebhookDeliveryList, {"one": _DELIVERIES})},
                headers.OF_KEY,
            )
        },
        errors=("InvalidQuery", *OF_KEY),
    ),
    Operation(
        method="POST",
        path="/v1/webhooks/deliveries/{delivery_id}/resend",
        id="resendWebhookDelivery",
        tag="Webhooks",
        summary="Send a webhook again",
        description="At once, whatever became of it, with the same id and body, and all its tries before it.",
        parameters=("DeliveryId", "ClientRequestId"),
        answers={
            200: Answer("The delivery.", {JSON: Content(WebhookDelivery, {"pending": _DELIVERY})}, headers.OF_KEY)
        },
        errors=("DeliveryNotFound", *OF_KEY),
    ),
)
