"""The headers of answers, by their names in `components`."""

from typing import Any

from api.openapi.operation import Schema


def _header(description: str, schema: Schema, example: Any) -> dict[str, Any]:
    return {"description": description, "schema": schema, "example": example}


_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}

HEADERS: dict[str, dict[str, Any]] = {
    "x-request-id": _header(
        "Ours for this request: quote it when you ask about it.", _TEXT, "req_0192f3a45b6c7d8e9f0a1b2c3d4e5f60"
    ),
    "x-client-request-id": _header("The `X-Request-Id` that you sent.", _TEXT, "my-request-1"),
    "x-ratelimit-limit-requests": _header("Requests a minute that the key may send.", _WHOLE, 600),
    "x-ratelimit-remaining-requests": _header("How many it could send this moment.", _WHOLE, 59),
    "x-ratelimit-reset-requests": _header("How long until that is as many as can be.", _TEXT, "100ms"),
    "x-arkroute-credits": _header(
        "Credits that were charged; of a video, that are held for it. A stream tells them at its end instead.",
        {"type": "number", "minimum": 0},
        2,
    ),
    "x-arkroute-model": _header("The provider, and its model, that answered.", _TEXT, "openai/gpt-5.4-mini"),
    "x-arkroute-overhead-ms": _header(
        "Milliseconds that the gateway itself took until the headers left.", {"type": "number", "minimum": 0}, 1.42
    ),
    "x-arkroute-stand-in": _header(
        "There where a stand-in answered for a model without credentials. Never in production.",
        {"type": "string", "const": "true"},
        "true",
    ),
    "idempotent-replayed": _header(
        "There where the call was made before with this `Idempotency-Key`: nothing is charged, and `x-request-id` and "
        "`x-arkroute-credits` are those of the first.",
        {"type": "string", "const": "true"},
        "true",
    ),
    "x-arkroute-ignored-params": _header(
        "Fields that the model lacks, and that were left out since its answer means the same.", _TEXT, "seed, user"
    ),
    "x-arkroute-capped-tokens": _header(
        "The output's limit in tokens, where the balance covers the base price but not the most the call may cost.",
        _WHOLE,
        1250,
    ),
    "x-arkroute-session-state": _header(
        "What became of the session; from models on the operator's own servers.",
        {"type": "string", "enum": ["new", "hit", "moved", "expired"]},
        "hit",
    ),
    "Set-Cookie": _header(
        "A session that is new; from models on the operator's own servers.",
        _TEXT,
        "ark_session_id=3f2b8a52-0c1e-4d6b-9a77-5d0f6f1c2e34; Max-Age=86400; Path=/; SameSite=lax; HttpOnly",
    ),
    "openai-poll-after-ms": _header("Milliseconds after which to ask again, while the video goes on.", _WHOLE, 1000),
    "Retry-After": _header("Whole seconds to wait before the same request is worth sending again.", _WHOLE, 1),
    "x-should-retry": _header(
        "`false`: the same request fails again. OpenAI's SDKs heed it.", {"type": "string", "const": "false"}, "false"
    ),
    "WWW-Authenticate": _header("The scheme of our keys.", {"type": "string", "const": "Bearer"}, "Bearer"),
    "ETag": _header(
        "The version; send it as `If-None-Match` to be told whether there is another.", _TEXT, '"5d0f6f1c"'
    ),
    "Accept-Ranges": _header("Parts can be asked for.", {"type": "string", "const": "bytes"}, "bytes"),
    "Content-Range": _header("Which part of how many bytes this is.", _TEXT, "bytes 0-1023/734003"),
}

OF_KEY = (
    *("x-request-id", "x-client-request-id"),
    *("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
)
OF_CALL = (
    *OF_KEY,
    *("x-arkroute-credits", "x-arkroute-model", "x-arkroute-overhead-ms", "x-arkroute-stand-in"),
    "idempotent-replayed",
)
# Of models that may lack parameters, and may run on servers of one's own.
OF_MODEL = (*OF_CALL, "x-arkroute-ignored-params", "x-arkroute-session-state", "Set-Cookie")
