"""What drf-spectacular makes the document with: it finds the views and builds the whole, our tables say what is in it.

`manage.py spectacular` runs the same.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from api.express import ROUTES
from api.openapi import account, audio, chat, images, money, service, videos
from api.openapi.errors import ERRORS, error_response
from api.openapi.headers import HEADERS
from api.openapi.operation import JSON, Answer, Content, Key, Operation
from api.openapi.parameters import PARAMETERS
from api.openapi.schemas import component_schemas, reference

OPERATIONS: tuple[Operation, ...] = (
    *chat.OPERATIONS,
    *images.OPERATIONS,
    *videos.OPERATIONS,
    *audio.OPERATIONS,
    *money.OPERATIONS,
    *account.OPERATIONS,
    *service.OPERATIONS,
)
_BY_PLACE = {(operation.method, operation.path): operation for operation in OPERATIONS}
# What is served neither by the express lane nor by a view of DRF.
BESIDE = (
    ("GET", "/v1/video/status/{task_id}/events"),
    ("GET", "/media/{token}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/openapi.yaml"),
)
TAGS = {
    "Chat": "Conversations with language models.",
    "Responses": "The same in OpenAI's newer API.",
    "Embeddings": "Texts as vectors.",
    "Images": "Pictures from text and from pictures.",
    "Video": "Clips from text and from pictures, as tasks.",
    "Videos": "The same tasks in the shape of OpenAI's Videos API.",
    "Audio": "Speech as text.",
    "Receipts": "What a call costs, before it is made and when it has ended.",
    "Models": "What can be called, and what it costs.",
    "Account": "Credits, and the limits of a key.",
    "Sessions": "Where the operator's own servers keep a conversation's state.",
    "Webhooks": "Your own server is told when a video has come to its end.",
    "Files": "Results, by their links.",
    "Service": "Probes, and this description.",
}
DESCRIPTION = """\
One OpenAI-compatible API for image, video, chat, embedding and transcription models of many providers, with prices in
credits.

Every path under `/v1` also answers without it, and with a slash at its end. A POST without a `Content-Type` is read as
JSON. Fields that stand here are checked; those that do not are passed on to the provider. Every error has the shape of
`Error`; an error costs nothing, except of a stream that breaks after its first byte, which costs what had come.
`/mcp` speaks the Model Context Protocol, which describes itself: {base_url}/docs/mcp/.
Addresses that stand here with no such method answer 405 `method_not_allowed`, all others 404 `unknown_url`.
"""
SECURITY = "ApiKey"


class UndescribedOperation(LookupError):
    """A route has no entry in the tables."""


def find_operation(method: str, path: str) -> Operation:
    """Raises `UndescribedOperation`."""
    try:
        return _BY_PLACE[method, path]
    except KeyError:
        raise UndescribedOperation(f"{method} {path} is served, and not described in api.openapi") from None


class OperationSchema(AutoSchema):
    """Tells of a view's operation what our table says of it."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> dict[str, Any]:
        return describe(find_operation(method, path))


class Endpoints(EndpointEnumerator):
    """The views of DRF, each once: by its path with `/v1`, and without a slash at the end."""

    def get_path_from_regex(self, path_regex: str) -> str:
        return documented_path(path_regex)

    def should_include_endpoint(self, path: str, callback: Any) -> bool:
        return path.startswith("/v1/") and bool(super().should_include_endpoint(path, callback))


class Generator(SchemaGenerator):
    endpoint_inspector_cls = Endpoints

    def parse(self, input_request: Any, public: bool) -> dict[str, Any]:
        """The path items, in the tables' order: of both lanes, and of what is served beside them."""
        views = super().parse(input_request, public)
        for method, path in beside_views():
            views.setdefault(path, {})[method.lower()] = describe(find_operation(method, path))
        ordered: dict[str, Any] = {}
        for operation in OPERATIONS:
            if told := views.get(operation.path, {}).get(operation.method.lower()):
                ordered.setdefault(operation.path, {})[operation.method.lower()] = told
        return ordered

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        """The document. Raises `UndescribedOperation` for a route that the tables lack."""
        document: dict[str, Any] = super().get_schema(request, public)
        document["info"]["description"] = DESCRIPTION
        document["servers"] = [{"url": settings.PUBLIC_URL or "/"}]
        document["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
        document["security"] = [{SECURITY: []}]
        document["webhooks"] = {"video": {"post": _webhook()}}
        document["components"] = {
            "schemas": component_schemas(OPERATIONS, also=(videos.WebhookMessage,)),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": {name: error_response(group) for name, group in ERRORS.items()},
            "securitySchemes": {
                SECURITY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"`Authorization: Bearer ark-…`. Keys are made at {settings.PUBLIC_URL}/keys/.",
                }
            },
        }
        filled: dict[str, Any] = _fill_in(document, settings.PUBLIC_URL)
        return filled


def documented_path(path_regex: str) -> str:
    """`/v1/videos/{task_id}` of `^(?:v1/)?videos/(?P<task_id>[^/]+)/?$`; of alternatives the first."""
    path = path_regex.replace("(?:v1/)?", "v1/").replace("/?", "")
    path = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", path)
    path = re.sub(r"\(\?:([^|)]+)[^)]*\)", r"\1", path)
    return "/" + re.sub(r"[$^]", "", path)


def beside_views() -> Iterator[tuple[str, str]]:
    """Methods and paths of all that no view of DRF answers."""
    for endpoint in dict.fromkeys(route.endpoint for route in ROUTES.values()):
        yield "POST", endpoint
    yield from BESIDE


def describe(operation: Operation) -> dict[str, Any]:
    """An operation object."""
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
    }
    if operation.parameters:
        described["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in operation.parameters]
    if operation.body:
        described["requestBody"] = {"required": True, "content": _contents(operation.body)}
    if operation.key is not Key.REQUIRED:
        described["security"] = [] if operation.key is Key.NONE else [{}, {SECURITY: []}]
    described["responses"] = {
        **{str(status): _answer(answer) for status, answer in operation.answers.items()},
        **_errors(operation),
    }
    return described


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        described["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers}
    if answer.content:
        described["content"] = _contents(answer.content)
    return described


def _contents(contents: dict[str, Content]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for media_type, content in contents.items():
        described[media_type] = {"schema": reference(content.shape)}
        if content.examples:
            described[media_type]["examples"] = {name: {"value": value} for name, value in content.examples.items()}
    return described


def _errors(operation: Operation) -> dict[str, Any]:
    by_status = {
        str(ERRORS[name].status): name for name in sorted(operation.errors, key=lambda one: ERRORS[one].status)
    }
    if len(by_status) != len(operation.errors):
        raise ValueError(f"{operation.id}: two errors have the same status")
    return {status: {"$ref": f"#/components/responses/{name}"} for status, name in by_status.items()}


def _webhook() -> dict[str, Any]:
    return {
        "operationId": "receiveVideoEvent",
        "tags": ["Webhooks"],
        "summary": "A video has come to its end",
        "description": (
            "Sent to the request's `webhook_url`, else to the key's, signed by https://www.standardwebhooks.com: "
            "`webhook-id`, `webhook-timestamp`, `webhook-signature`. It is tried eight times."
        ),
        "security": [],
        "requestBody": {
            "required": True,
            "content": _contents({JSON: Content(videos.WebhookMessage, {"completed": videos.WEBHOOK})}),
        },
        "responses": {"2XX": {"description": "Taken. Anything else is tried again; `410 Gone` ends it."}},
    }


def _fill_in(value: Any, base_url: str) -> Any:
    """`value` with the gateway's address in its texts."""
    if isinstance(value, str):
        return value.replace("{base_url}", base_url)
    if isinstance(value, dict):
        return {name: _fill_in(one, base_url) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_fill_in(one, base_url) for one in value]
    return value
