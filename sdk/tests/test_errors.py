"""What a refusal becomes."""

from __future__ import annotations

import httpx
import pytest

import arkroute
from arkroute import APIError, APIStatusError, ArkRouteError, UnreadableAnswerError
from tests.gateway import FakeGateway, Threads, refusal


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, arkroute.BadRequestError),
        (401, arkroute.AuthenticationError),
        (402, arkroute.InsufficientCreditsError),
        (403, arkroute.PermissionDeniedError),
        (404, arkroute.NotFoundError),
        (409, arkroute.ConflictError),
        (413, APIStatusError),
        (422, arkroute.UnprocessableEntityError),
        (429, arkroute.RateLimitError),
        (500, arkroute.InternalServerError),
        (503, arkroute.InternalServerError),
    ],
)
def test_each_status_has_its_class(do: Threads, status: int, kind: type[APIStatusError]) -> None:
    with pytest.raises(ArkRouteError) as caught:
        do(FakeGateway(refusal(status, "a_code", "size")), lambda client: client.account.retrieve(), max_retries=0)
    error = caught.value
    assert type(error) is kind
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.code, error.param, error.type) == (status, "a_code", "size", "some_error")
    assert error.request_id == "req_1"
    assert isinstance(error.body, dict)
    assert error.body["error"]["code"] == "a_code"
    assert error.response.headers["x-request-id"] == "req_1"
    assert error.message == "This is a_code."
    assert str(error) == "This is a_code. (a_code, req_1)"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>\n  <b>Bad gateway</b></html>", "502 Bad Gateway: <html> <b>Bad gateway</b></html>"),
        (b"", "502 Bad Gateway"),
        (b'{"error": "no quota"}', "no quota"),
        (b'{"detail": 1}', '502 Bad Gateway: {"detail": 1}'),
        (b"[]", "502 Bad Gateway: []"),
        (b"\xff\xfe", "502 Bad Gateway: \ufffd\ufffd"),
    ],
)
def test_an_error_that_is_not_the_gateways_is_told_as_it_came(do: Threads, body: bytes, message: str) -> None:
    with pytest.raises(arkroute.InternalServerError) as caught:
        do(FakeGateway(httpx.Response(502, content=body)), lambda client: client.account.retrieve(), max_retries=0)
    error = caught.value
    assert (error.message, error.code, error.request_id) == (message, None, None)


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[1]", b""])
def test_a_good_status_without_an_object_is_an_error_that_names_the_address(do: Threads, body: bytes) -> None:
    with pytest.raises(UnreadableAnswerError, match=r"end in /v1\? It was asked at https://gateway\.test/v1/account"):
        do(FakeGateway(httpx.Response(200, content=body)), lambda client: client.account.retrieve())


def test_a_code_that_is_a_number_becomes_a_text(do: Threads) -> None:
    response = httpx.Response(418, json={"error": {"message": "m", "code": 7}})
    with pytest.raises(APIError) as caught:
        do(FakeGateway(response), lambda client: client.account.retrieve())
    assert caught.value.code == "7"
