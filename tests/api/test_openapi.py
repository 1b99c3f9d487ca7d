"""The OpenAPI description: that it is valid, that it has every route and no other, and that it is true."""

import json
import re
import tomllib
from typing import Any

import httpx
import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.generators import EndpointEnumerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from api import live, urls
from api.errors import STATUSES
from api.express import ROUTES
from api.openapi.document import read_document
from api.openapi.errors import CODES, ERRORS
from api.openapi.fields import DESCRIBED
from api.openapi.generator import OPERATIONS, UndescribedOperation, documented_path, find_operation
from api.openapi.headers import HEADERS
from api.openapi.operation import Operation, Schema
from api.openapi.parameters import PARAMETERS
from arkroute.asgi import PROBES
from arkroute.urls import urlpatterns
from gateway.models import WebhookDelivery
from tests.pictures import picture
from tests.recordings import recording
from tests.settings import BASE_DIR

DOCUMENT = read_document()
# What can be called here without a provider, by the type of model that an example names.
SANDBOX = {
    "createChatCompletion": "sandbox-chat",
    "createResponse": "sandbox-chat",
    "createEmbedding": "sandbox-embedding",
    "createTranscription": "sandbox-transcription",
}
FILES = {
    "createImageEdit": {"image": ("street.png", picture())},
    "createTranscription": {"file": ("speech.wav", recording("wav", 1.0))},
}
BY_ID = {operation.id: operation for operation in OPERATIONS}


def described(operation_id: str) -> dict[str, Any]:
    operation = BY_ID[operation_id]
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def validator(schema: Schema, *, closed: bool = False) -> Draft202012Validator:
    """Of a schema of the document; `closed`: fields that it does not name are faults."""
    found = DOCUMENT["components"]["schemas"]
    schemas = {name: {**one, "unevaluatedProperties": False} for name, one in found.items()} if closed else found
    return Draft202012Validator({**schema, "components": {"schemas": schemas}})


def content_of(response: dict[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    found: dict[str, Any] = response["content"][media_type]
    return found


def assert_described(response: httpx.Response, operation_id: str, *, closed: bool = False) -> dict[str, Any]:
    """That the document has this answer: status, body and headers. The body."""
    answer = described(operation_id)["responses"][str(response.status_code)]
    media_type = response.headers["content-type"].partition(";")[0]
    body: dict[str, Any] = response.json()
    validator(content_of(answer, media_type)["schema"], closed=closed).validate(body)
    if "$ref" not in answer:
        ours = {name for name in response.headers if name.startswith(("x-arkroute", "x-ratelimit", "openai"))}
        assert ours <= answer["headers"].keys(), operation_id
    return body


def test_the_document_is_valid() -> None:
    validate_schema(DOCUMENT)
    for component in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(component)
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["servers"] == [{"url": "http://testserver"}]


def test_every_reference_leads_somewhere_and_nothing_lies_about() -> None:
    text = json.dumps(DOCUMENT)
    used = set(re.findall(r'"#/components/(\w+)/([\w.-]+)"', text))
    there = {
        (kind, name) for kind, found in DOCUMENT["components"].items() for name in found if kind != "securitySchemes"
    }
    assert used == there
    assert {name for operation in OPERATIONS for name in operation.errors} == ERRORS.keys()


def test_every_route_is_in_the_document_and_the_document_has_no_other() -> None:
    endpoints = EndpointEnumerator(urls.urlpatterns).get_api_endpoints()
    views = {(method, documented_path(regex)) for _, regex, method, _ in endpoints}
    # Every path answers without `/v1`, too; the list and the models themselves are written down twice.
    aliases = {("GET", "/models/{name}")}
    express = {("POST", route.endpoint) for route in ROUTES.values()}
    files = {("GET", f"/{pattern.pattern}") for pattern in urlpatterns if getattr(pattern, "name", "") == "media"}
    files = {(method, path.replace("<path:token>", "{token}")) for method, path in files}
    events = "/v1/video/status/{task_id}/events"
    assert live.PATH.fullmatch(events)
    served = (views - aliases) | express | files | {("GET", path) for path in PROBES} | {("GET", events)}
    paths = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    assert paths == served == {(operation.method, operation.path) for operation in OPERATIONS}


def test_a_route_without_an_entry_is_an_error() -> None:
    with pytest.raises(UndescribedOperation, match=r"GET /v1/nothing is served"):
        find_operation("GET", "/v1/nothing")


def test_every_error_of_the_api_is_told_with_its_status() -> None:
    assert CODES.keys() == STATUSES.keys()
    codes = DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]
    assert set(codes) == STATUSES.keys()
    for name, response in DOCUMENT["components"]["responses"].items():
        content = content_of(response)
        for code, example in content["examples"].items():
            validator(content["schema"]).validate(example["value"])
            assert STATUSES[code][0] == ERRORS[name].status


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_examples_are_as_the_schemas_say(operation: Operation) -> None:
    found = described(operation.id)
    contents = [answer["content"] for answer in found["responses"].values() if "content" in answer]
    contents += [found["requestBody"]["content"]] if "requestBody" in found else []
    for media_type, content in [pair for one in contents for pair in one.items()]:
        for example in content.get("examples", {}).values():
            value = example["value"]
            if media_type == "multipart/form-data":
                value = {**value, "file": "…", "image": "…"}
            validator(content["schema"]).validate(value)


def test_every_field_is_told_in_words() -> None:
    for struct, told in DESCRIBED.items():
        assert told.fields.keys() == set(struct.__struct_fields__), struct.__name__
    for name in ("ImageEditForm", "TranscriptionForm", "VideoForm", "ChatCompletionRequest"):
        fields = DOCUMENT["components"]["schemas"][name]["properties"]
        assert all(field.get("description") for field in fields.values()), name


def test_operations_have_names_that_are_theirs_alone() -> None:
    assert len(BY_ID) == len(OPERATIONS)
    tags = [tag["name"] for tag in DOCUMENT["tags"]]
    assert {operation.tag for operation in OPERATIONS} == set(tags)
    used = {name for operation in OPERATIONS for name in operation.parameters}
    assert used == PARAMETERS.keys()
    assert {name for operation in OPERATIONS for answer in operation.answers.values() for name in answer.headers} | {
        name for group in ERRORS.values() for name in group.headers
    } == HEADERS.keys()


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]
    assert DOCUMENT["info"]["version"] == project["version"]


def test_it_is_served_to_everybody_and_not_twice(http) -> None:
    response = http.get("/openapi.json")
    assert response.json() == json.loads(json.dumps(DOCUMENT))
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["cache-control"] == "public, max-age=300"
    again = http.get("/openapi.json", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = http.get("/openapi.json", headers={"accept-encoding": "identity"})
    assert plain.json() == response.json()
    assert int(plain.headers["content-length"]) == len(plain.content)
    assert http.post("/openapi.json").json()["error"]["code"] == "method_not_allowed"


def test_it_is_there_as_yaml(http) -> None:
    response = http.get("/openapi.yaml")
    assert response.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(response.content) == json.loads(json.dumps(DOCUMENT))


def test_its_own_command_writes_the_same(tmp_path) -> None:
    call_command("spectacular", "--validate", "--format", "openapi-json", "--file", str(tmp_path / "openapi.json"))
    assert json.loads((tmp_path / "openapi.json").read_text()) == json.loads(json.dumps(DOCUMENT))


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.body], ids=lambda operation: operation.id)
def test_the_examples_can_be_sent_and_are_answered_as_described(http, alice, job_loop, operation: Operation) -> None:
    sent = 0
    for media_type, content in operation.body.items():
        for example in content.examples.values():
            body = {**example, **({"model": SANDBOX[operation.id]} if operation.id in SANDBOX else {})}
            is_json = media_type == "application/json"
            sent_as = {"json": body} if is_json else {"data": body, "files": FILES[operation.id]}
            response = http.post(operation.path, **sent_as, headers=alice.headers)
            assert response.status_code == 200, response.text
            # Fields of the provider's own are passed on, so those answers are open.
            ours = operation.id not in ("createChatCompletion", "createResponse")
            assert_described(response, operation.id, closed=ours)
            sent += 1
    assert sent


def test_what_can_be_read_is_answered_as_described(http, alice, job_loop) -> None:
    get = {"headers": alice.headers}
    assert_described(http.post("/v1/webhooks/secret", **get), "rollWebhookSecret", closed=True)
    asked = {"model": "sandbox-video", "prompt": "a fox", "webhook_url": "https://example.com/hook"}
    task_id = http.post("/v1/videos", json=asked, **get).json()["id"]
    stream = http.get(f"/v1/video/status/{task_id}/events", **get)
    events = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    check = validator({"$ref": "#/components/schemas/VideoEvent"}, closed=True)
    for event in events:
        check.validate(event)
    assert events[-1]["type"] == "video.completed"
    for path, operation_id in (
        (f"/v1/video/status/{task_id}", "getVideoStatus"),
        (f"/v1/videos/{task_id}", "getVideo"),
        ("/v1/videos", "listVideos"),
        ("/v1/account", "getAccount"),
        ("/v1/sessions", "listSessions"),
        ("/v1/webhooks/deliveries", "listWebhookDeliveries"),
        ("/healthz", "getHealth"),
        ("/readyz", "getReadiness"),
    ):
        assert_described(http.get(path, **get), operation_id, closed=operation_id != "getReadiness")
    [delivery] = http.get("/v1/webhooks/deliveries", **get).json()["data"]
    sent_again = http.post(f"/v1/webhooks/deliveries/{delivery['id']}/resend", **get)
    assert_described(sent_again, "resendWebhookDelivery", closed=True)
    message = json.loads(WebhookDelivery.objects.get().body)
    validator({"$ref": "#/components/schemas/WebhookMessage"}, closed=True).validate(message)
    assert_described(http.get("/v1/models"), "listModels")
    assert_described(http.get("/v1/models/nano-banana-2"), "getModel")
    ended = http.post(f"/v1/video/cancel/{task_id}", **get)
    assert_described(ended, "cancelVideo", closed=True)
    part = http.get(f"/v1/videos/{task_id}/content", headers={**alice.headers, "range": "bytes=0-9"})
    assert part.status_code == 206
    assert part.headers["content-type"] in described("getVideoContent")["responses"]["206"]["content"]
    assert_described(http.delete(f"/v1/videos/{task_id}", **get), "deleteVideo", closed=True)


def test_streams_are_made_of_the_events_that_are_described(http, alice) -> None:
    chunks = _data(http, alice, "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello!"}]}, "chat")
    assert chunks.pop() == "[DONE]"
    check = validator({"$ref": "#/components/schemas/ChatCompletionChunk"})
    for chunk in chunks:
        check.validate(json.loads(chunk))
    check = validator({"$ref": "#/components/schemas/ResponseEvent"})
    for event in _data(http, alice, "/v1/responses", {"input": "Hello!"}, "chat"):
        check.validate(json.loads(event))
    [event] = _data(http, alice, "/v1/images/generations", {"prompt": "a fox"}, "image")
    validator({"$ref": "#/components/schemas/ImageEvent"}, closed=True).validate(json.loads(event))


def _data(http, alice, path: str, body: dict[str, Any], kind: str) -> list[str]:
    response = http.post(path, json={**body, "model": f"sandbox-{kind}", "stream": True}, headers=alice.headers)
    assert response.status_code == 200, response.text
    return [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]


PICTURES, VIDEO = "/v1/images/generations", "/v1/video/status/none"
CAT = {"model": "sandbox-image", "prompt": "a cat"}
ERRORS_TO_MEET: list[tuple[str, str, dict[str, Any], int]] = [
    ("createChatCompletion", "/v1/chat/completions", {"content": b"{"}, 400),
    ("createResponse", "/v1/responses", {"json": {"model": "no-such-model", "input": "Hello!"}}, 404),
    ("createImage", PICTURES, {"json": {}}, 422),
    ("createImage", PICTURES, {"content": b"a cat", "headers": {"content-type": "text/plain"}}, 415),
    ("createImage", PICTURES, {"json": CAT, "headers": {"x-arkroute-max-credits": "0"}}, 402),
    ("createImage", PICTURES, {"json": {**CAT, "prompt": "sandbox:fail=provider_error"}}, 500),
    ("createImage", PICTURES, {"json": {**CAT, "prompt": "sandbox:fail=overloaded"}}, 503),
    ("createEmbedding", "/v1/embeddings", {"json": {"model": "sandbox-embedding", "input": ""}}, 422),
    ("listVideos", "/v1/videos?limit=0", {}, 422),
    ("listVideos", "/v1/videos?after=none", {}, 404),
    ("getVideoStatus", VIDEO, {}, 404),
    ("streamVideoEvents", f"{VIDEO}/events", {}, 404),
    ("deleteSession", "/v1/sessions/none", {}, 404),
    ("resendWebhookDelivery", "/v1/webhooks/deliveries/none/resend", {}, 404),
    ("listWebhookDeliveries", "/v1/webhooks/deliveries?limit=many", {}, 422),
    ("getModel", "/v1/models/none", {}, 404),
    ("getMedia", "/media/none", {}, 404),
]


def test_errors_are_as_described(http, alice) -> None:
    for operation_id, path, asked, status in ERRORS_TO_MEET:
        headers = {**alice.headers, **asked.get("headers", {})}
        response = http.request(BY_ID[operation_id].method, path, **{**asked, "headers": headers})
        assert response.status_code == status, response.text
        assert_described(response, operation_id)


def test_messages_of_the_examples_are_the_gateways_own(http, alice) -> None:
    for headers, path, code in (
        ({}, "/v1/account", "missing_api_key"),
        ({"authorization": "Bearer ark-mistyped"}, "/v1/account", "invalid_api_key"),
        (alice.headers, "/v1/models/no-such-model", "model_not_found"),
        (alice.headers, "/v1/video/status/none", "task_not_found"),
        (alice.headers, "/v1/sessions/none", "session_not_found"),
    ):
        name = next(name for name, group in ERRORS.items() if code in group.codes)
        example = content_of(DOCUMENT["components"]["responses"][name])["examples"][code]["value"]
        told = http.get(path, headers=headers) if "sessions" not in path else http.delete(path, headers=headers)
        assert told.json() == example
