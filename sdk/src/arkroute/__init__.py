"""ArkRoute: pictures, videos, chat, embeddings and transcripts by one API.

from arkroute import ArkRoute

client = ArkRoute(api_key="ark-...")
result = client.images.generate(model="seedream-5.0-lite", prompt="A linen dress on a Moroccan rooftop")
print(result["data"][0]["url"])
"""

from arkroute import types
from arkroute.client import ArkRoute, AsyncArkRoute
from arkroute.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    ArkRouteError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    InsufficientCreditsError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    StreamError,
    UnprocessableEntityError,
    UnreadableAnswerError,
    VideoFailedError,
    VideoTimeoutError,
)
from arkroute.http.raw import RawResponse
from arkroute.http.streams import AsyncStream, Stream
from arkroute.resources.sessions import ArkSession, AsyncArkSession
from arkroute.version import __version__

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "ArkRoute",
    "ArkRouteError",
    "ArkSession",
    "AsyncArkRoute",
    "AsyncArkSession",
    "AsyncStream",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "InsufficientCreditsError",
    "InternalServerError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "RawResponse",
    "Stream",
    "StreamError",
    "UnprocessableEntityError",
    "UnreadableAnswerError",
    "VideoFailedError",
    "VideoTimeoutError",
    "__version__",
    "types",
]
