"""A vendor's 4xx: whether it is of our key and the model, or of what one client's request says."""

import json
from typing import Any

import pytest

from gateway.errors import ProviderError, ProviderFault
from gateway.providers.alibaba.errors import ERRORS as ALIBABA
from gateway.providers.bytedance.errors import ERRORS as BYTEDANCE
from gateway.providers.google.errors import ERRORS as GOOGLE
from gateway.providers.openai_errors import ErrorReader, classify, classify_of_vendor

OPENAI = ErrorReader(classify=classify_of_vendor)
READERS = {"openai": OPENAI, "google": GOOGLE, "bytedance": BYTEDANCE.reader, "alibaba": ALIBABA.reader}
AUTH, BAD_REQUEST = ProviderFault.AUTH, ProviderFault.BAD_REQUEST


def read(vendor: str, status: int, body: Any) -> ProviderError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return READERS[vendor].classify(status, content, {}, secrets=["sk-secret"])


def openai(message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def google(word: str, message: str, **detail: str) -> dict[str, Any]:
    return {"error": {"code": 0, "status": word, "message": message, "details": [detail] if detail else []}}


@pytest.mark.parametrize(
    ("vendor", "status", "body"),
    [
        ("openai", 404, openai("The model `x` does not exist or you do not have access to it.", "model_not_found")),
        ("openai", 403, openai("Project `p` does not have access to model `x`", "model_not_found")),
        ("openai", 403, openai("Your organization must be verified to use the model `x`.")),
        ("openai", 403, openai("You have insufficient permissions for this operation. Missing scopes: model.request")),
        ("openai", 404, openai("This is not a chat model", param="model")),
        ("openai", 404, openai("Invalid URL (POST /v1/v1/chat/completions)", "unknown_url")),
        ("google", 403, google("PERMISSION_DENIED", "Your API key was reported as leaked.")),
        ("google", 403, google("PERMISSION_DENIED", "It is off.", reason="SERVICE_DISABLED")),
        ("google", 404, google("NOT_FOUND", "models/x is not found for API version v1beta, or is not supported")),
        ("google", 404, google("NOT_FOUND", "This model is no longer available.")),
        ("google", 400, google("FAILED_PRECONDITION", "User location is not supported for the API use.")),
        ("bytedance", 404, {"error": {"code": "ModelNotOpen", "message": "Activate the model"}}),
        ("alibaba", 403, {"code": "Model.AccessDenied", "message": "Model access denied."}),
        ("alibaba", 404, {"error": {"code": "model_not_found", "message": "The model `x` does not exist"}}),
    ],
)
def test_what_speaks_of_the_key_or_the_model_is_our_accounts_trouble(vendor: str, status: int, body: Any) -> None:
    error = read(vendor, status, body)
    assert (error.kind, error.of_this_request) == (AUTH, False)


@pytest.mark.parametrize(
    ("vendor", "status", "body"),
    [
        ("openai", 404, openai("Item with id 'rs_1' not found. Items are not persisted.", param="input")),
        ("openai", 404, openai("No such File object: file-x", param="id")),
        ("openai", 404, openai("No such File object: the model `x` does not exist")),
        ("openai", 404, openai("The model 'x' does not exist.", "model_not_found", "tools[0].model")),
        ("openai", 403, openai("You may not use this connector.")),
        ("google", 403, google("PERMISSION_DENIED", "CachedContent not found (or permission denied)")),
        ("google", 404, google("NOT_FOUND", "Requested entity was not found.")),
        ("google", 400, google("FAILED_PRECONDITION", "The File f is not in an ACTIVE state.")),
        ("bytedance", 404, {"error": {"code": "NotFound", "message": "the file is not there"}}),
        ("alibaba", 404, {"code": "NotFound", "message": "Not found!"}),
    ],
)
def test_what_speaks_of_something_else_is_the_clients(vendor: str, status: int, body: Any) -> None:
    assert read(vendor, status, body).kind is BAD_REQUEST


@pytest.mark.parametrize("status", [402, 405, 409, 410, 418, 424, 451])
@pytest.mark.parametrize("vendor", READERS)
def test_a_4xx_of_no_known_meaning_is_the_clients(vendor: str, status: int) -> None:
    body = {"error": {"message": "Error retrieving tool list from MCP server", "code": "http_error"}}
    expected = ProviderFault.BALANCE if status == 402 else BAD_REQUEST
    assert read(vendor, status, body).kind is expected


@pytest.mark.parametrize("vendor", READERS)
@pytest.mark.parametrize(
    ("status", "kind", "of_this_request"),
    [
        (401, AUTH, False),
        (403, AUTH, True),
        (404, AUTH, True),
        (413, ProviderFault.BROKEN, True),
        (429, ProviderFault.RATE_LIMITED, False),
        (502, ProviderFault.BROKEN, False),
    ],
)
def test_a_page_of_a_firewall_is_of_the_request_alone(
    vendor: str, status: int, kind: ProviderFault, of_this_request: bool
) -> None:
    error = read(vendor, status, b"<html>Request blocked</html>")
    assert (error.kind, error.of_this_request) == (kind, of_this_request)


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_server_of_ones_own_that_knows_no_such_path_or_key_is_at_fault_itself(status: int) -> None:
    error = classify(status, b'{"detail": "Not Found"}', {})
    assert (error.kind, error.of_this_request) == (AUTH, False)
