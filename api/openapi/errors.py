"""The errors that operations answer, as shared responses: one for each set of codes that occurs."""

from http import HTTPStatus
from typing import Any

from msgspec import Struct

from api.errors import STATUSES
from api.openapi.operation import JSON, Schema


class Code(Struct, frozen=True):
    """When a code is answered, and a message of it."""

    when: str
    message: str
    param: str | None = None


CODES: dict[str, Code] = {
    "invalid_json": Code(
        "The body is no JSON, is not UTF-8, is nested too deeply, or did not arrive in time.",
        "The body is not valid JSON: trailing characters (byte 40). Send one JSON object, encoded as UTF-8.",
    ),
    "unsupported_media_type": Code(
        "The operation does not take this `Content-Type`.",
        "This endpoint takes `application/json`, not `text/plain`.",
    ),
    "context_length_exceeded": Code(
        "Prompt and answer are longer than the model can hold.",
        "The request is longer than the model takes: prompt and answer have 140000 tokens, the model holds 131072.",
    ),
    "content_policy_violation": Code(
        "The provider refuses this content.", "The provider refused this content: it shows a person of public life."
    ),
    "missing_api_key": Code(
        "There is no `Authorization` header.",
        "No API key came with this request. Send it as `Authorization: Bearer ark-…`; create one at {base_url}/keys/.",
    ),
    "invalid_api_key": Code(
        "The key is mistyped, unknown, expired or revoked.",
        "This is not an API key of this site: it is mistyped or cut off. Copy it again whole, or create another at "
        "{base_url}/keys/.",
    ),
    "insufficient_credits": Code(
        "The balance does not cover the call, or the key's own limit of credits is spent.",
        "This call costs 50 credits and your balance has 12.5 available. Buy credits at {base_url}/billing/.",
    ),
    "max_credits_exceeded": Code(
        "The call could cost more than `X-ArkRoute-Max-Credits`.",
        "This call may cost up to 2 credits, more than the 1 that `X-ArkRoute-Max-Credits` allows. Raise it, or ask "
        "for less.",
    ),
    "key_not_allowed": Code(
        "The key is limited to other models.",
        "The key `ark-12345678…` may not use `gpt-image-2`, but `chat`. Use another key, or allow the model at "
        "{base_url}/keys/.",
        "model",
    ),
    "model_not_found": Code(
        "There is no such model. The message suggests names that are close.",
        "There is no model `no-such-model`. GET /v1/models lists all models.",
        "model",
    ),
    "task_not_found": Code(
        "You have no such video.",
        "You have no such video task. Check the id; one that was deleted is not shown any more.",
    ),
    "receipt_not_found": Code(
        "You have no such receipt, or its call has not ended.",
        "You have no such receipt. Check the request's id; a receipt is written when its call has ended.",
    ),
    "session_not_found": Code(
        "You have no such session.",
        "You have no such session. GET /v1/sessions lists those that have not ended.",
    ),
    "delivery_not_found": Code(
        "You have no such webhook delivery.",
        "You have no such delivery. GET /v1/webhooks/deliveries lists yours.",
    ),
    "unknown_url": Code(
        "There is nothing at this address.", "There is nothing at /v1/chat/completion. Check the address."
    ),
    "method_not_allowed": Code(
        "The address takes other methods; `Allow` lists them.", "/v1/chat/completions takes POST, not GET."
    ),
    "idempotency_in_progress": Code(
        "A request with the same `Idempotency-Key` is under way.",
        "A request with this `Idempotency-Key` is under way. Ask again when it has ended.",
        "Idempotency-Key",
    ),
    "idempotency_answer_lost": Code(
        "The call with this `Idempotency-Key` was charged, and its whole answer is not there any more.",
        "The request with this `Idempotency-Key` was charged, but its whole answer could not be kept. GET "
        "/v1/receipts/req_0192f3a45b6c0123456789abcdef0123456789abcdef tells what it cost; to make it anew, send "
        "another key.",
        "Idempotency-Key",
    ),
    "task_not_ready": Code(
        "The video is not completed.", "The video is not completed, but running. Poll it until it is completed."
    ),
    "not_cancellable": Code(
        "Its provider has begun the video and cannot stop it.",
        "The provider of `kling-v2-master` is at work on this video and does not stop. Wait for its end.",
    ),
    "session_busy": Code(
        "Another turn of this conversation is under way.",
        "Another turn of session `3f2b8a52-0c1e-4d6b-9a77-5d0f6f1c2e34` is under way. Send this one when it has ended.",
    ),
    "request_too_large": Code(
        "The body or a file in it is too large.", "The body is larger than 25 MB. Send less, or smaller pictures."
    ),
    "missing_required_parameter": Code("A field is missing.", "`model` is required. Add it to the body.", "model"),
    "invalid_type": Code("A field has the wrong type.", "`model` must be a string, not an integer.", "model"),
    "invalid_value": Code(
        "A field has a value that this model does not take. The message lists those it does.",
        "`temperature` must be at most 2.",
        "temperature",
    ),
    "invalid_image": Code(
        "A picture cannot be read, or is too large.",
        "`mask` must be a PNG of the size of the first image, 1024x1024 pixels.",
        "mask",
    ),
    "invalid_image_url": Code(
        "The picture's address cannot be fetched.",
        "`image` must be an https URL or a data URI with base64.",
        "image",
    ),
    "idempotency_key_reused": Code(
        "The `Idempotency-Key` came with another request before.",
        "This `Idempotency-Key` came with another request before. Send a new one.",
        "Idempotency-Key",
    ),
    "rate_limit_exceeded": Code(
        "The key sends more requests a minute than it may.",
        "The key `ark-12345678…` is limited to 600 requests a minute, 60 of them at once. Wait 1 s before the next, "
        "and spread them out; ask the operator if the key needs more.",
    ),
    "concurrency_exceeded": Code(
        "The key has more requests or videos under way than it may.",
        "This key is limited to 4 videos at the same time. Wait for one of them to end; ask the operator if the key "
        "needs more.",
    ),
    "provider_error": Code(
        "The provider failed, and so did those that might replace it. Nothing is charged.",
        "The provider failed. Nothing was charged; try again, or use another model.",
    ),
    "provider_timeout": Code(
        "The provider did not answer in time. Nothing is charged.",
        "The provider did not answer in time. Nothing was charged; try again, or use another model.",
    ),
    "internal_error": Code(
        "A mistake of ours, logged under the request's id.",
        "Something went wrong on our side. Tell us the id req_0123456789abcdef.",
    ),
    "provider_not_configured": Code(
        "This gateway has no access to the model's provider.",
        "`kling-v2-master` is not available here: nothing is set up to answer it. Choose another from GET /v1/models.",
    ),
    "overloaded": Code(
        "The provider, or its limit, is exhausted. It is not your limit.",
        "The provider is busy. Nothing was charged; try again, or use another model.",
    ),
    "database_unavailable": Code(
        "The call cannot be recorded, so it is not made.",
        "The database cannot be reached. Nothing was charged; try again.",
    ),
}


class Group(Struct, frozen=True):
    """Codes that share a status, as operations answer them."""

    description: str
    codes: tuple[str, ...]
    headers: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        [status] = {STATUSES[code][0] for code in self.codes}
        return status


_INVALID = ("missing_required_parameter", "invalid_type", "invalid_value", "invalid_image", "invalid_image_url")
_RETRY, _FINAL = ("Retry-After",), ("x-should-retry",)
ERRORS: dict[str, Group] = {
    "UnreadableBody": Group("The body cannot be read.", ("invalid_json",)),
    "BadRequest": Group(
        "The body cannot be read, or the provider refuses it.",
        ("invalid_json", "context_length_exceeded", "content_policy_violation"),
    ),
    "Unauthorized": Group("No good API key.", ("missing_api_key", "invalid_api_key"), ("WWW-Authenticate",)),
    "InvalidKey": Group("The API key that was sent is not good.", ("invalid_api_key",), ("WWW-Authenticate",)),
    "PaymentRequired": Group(
        "Not enough credits; nothing was done.", ("insufficient_credits", "max_credits_exceeded"), _FINAL
    ),
    "KeyNotAllowed": Group("The key is limited to other models.", ("key_not_allowed",)),
    "ModelNotFound": Group("There is no such model.", ("model_not_found",)),
    "TaskNotFound": Group("You have no such video.", ("task_not_found",)),
    "SessionNotFound": Group("You have no such session.", ("session_not_found",)),
    "ReceiptNotFound": Group("You have no such receipt.", ("receipt_not_found",)),
    "DeliveryNotFound": Group("You have no such webhook delivery.", ("delivery_not_found",)),
    "NothingHere": Group("There is nothing at this address, or not any more.", ("unknown_url",)),
    "KeyInUse": Group(
        "The `Idempotency-Key` has a call that is under way, or whose answer is lost.",
        ("idempotency_in_progress", "idempotency_answer_lost"),
        (*_RETRY, *_FINAL),
    ),
    "SessionOrKeyInUse": Group(
        "Another turn of the conversation is under way, or the `Idempotency-Key` has another call.",
        ("session_busy", "idempotency_in_progress", "idempotency_answer_lost"),
        (*_RETRY, *_FINAL),
    ),
    "TaskNotReady": Group("The video is not completed.", ("task_not_ready",), _FINAL),
    "NotCancellable": Group("The video goes on.", ("not_cancellable",), _FINAL),
    "RequestTooLarge": Group("The body is too large.", ("request_too_large",)),
    "UnsupportedMediaType": Group("Not a body that is taken here.", ("unsupported_media_type",)),
    "InvalidQuery": Group("A parameter is not as it should be.", ("invalid_type", "invalid_value")),
    "InvalidParameters": Group(
        "A field is not as it should be; `param` names it.",
        ("missing_required_parameter", "invalid_type", "invalid_value", "idempotency_key_reused"),
    ),
    "InvalidParametersOrPicture": Group(
        "A field or a picture is not as it should be; `param` names it.",
        (*_INVALID, "idempotency_key_reused"),
    ),
    "InvalidQuotedCall": Group("A field or a picture is not as it should be; `param` names it.", _INVALID),
    "TooManyRequests": Group(
        "More than the key's limits allow.",
        ("rate_limit_exceeded", "concurrency_exceeded"),
        (*_RETRY, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ),
    "ProviderError": Group(
        "The provider or the gateway failed; nothing was charged.",
        ("provider_error", "provider_timeout", "internal_error"),
    ),
    "InternalError": Group("A mistake of ours.", ("internal_error",)),
    "Unavailable": Group(
        "It cannot be done at the moment; nothing was charged.",
        ("provider_not_configured", "overloaded", "database_unavailable"),
        _RETRY,
    ),
    "StoreUnavailable": Group("It cannot be looked up at the moment.", ("overloaded", "database_unavailable"), _RETRY),
    "DatabaseUnavailable": Group("It cannot be looked up at the moment.", ("database_unavailable",), _RETRY),
}

# What may happen to any operation with a key that looks something up.
OF_KEY = ("Unauthorized", "TooManyRequests", "InternalError", "DatabaseUnavailable")
# What may happen to any call that costs credits, besides what is wrong with its fields.
OF_CALL = (
    *("Unauthorized", "PaymentRequired", "KeyNotAllowed", "ModelNotFound", "RequestTooLarge", "UnsupportedMediaType"),
    *("TooManyRequests", "ProviderError", "Unavailable"),
)


def error_schema() -> Schema:
    """The body of every error."""
    return {
        "title": "Error",
        "description": "What went wrong, in OpenAI's shape.",
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string", "description": "For people: what is wrong, and what to do next."},
                    "type": {
                        "type": "string",
                        "enum": sorted({kind for _, kind in STATUSES.values()}),
                        "description": "The family of the error.",
                    },
                    "param": {"type": ["string", "null"], "description": "The field at fault, as a path."},
                    "code": {
                        "type": "string",
                        "enum": list(STATUSES),
                        "description": "For programs: it does not change.",
                    },
                },
            }
        },
    }


def error_response(group: Group) -> dict[str, Any]:
    """A response object for `components`."""
    kinds = sorted({STATUSES[code][1] for code in group.codes})
    codes = {"code": {"enum": list(group.codes)}, "type": {"enum": kinds}}
    narrowed = {"properties": {"error": {"properties": codes}}}
    whens = "\n".join(f"- `{code}`: {CODES[code].when}" for code in group.codes)
    names = ("x-request-id", *group.headers)
    return {
        "description": f"{HTTPStatus(group.status).phrase}. {group.description}\n\n{whens}",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {
            JSON: {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Error"}, narrowed]},
                "examples": {code: _example(code) for code in group.codes},
            }
        },
    }


def _example(code: str) -> dict[str, Any]:
    told = CODES[code]
    error = {
        "message": told.message,
        "type": STATUSES[code][1],
        "param": told.param,
        "code": code,
    }
    return {"summary": told.when, "value": {"error": error}}
