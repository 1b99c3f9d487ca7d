"""Errors in Stripe's words: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes"""

from typing import Any

from tests.upstreams.server import Refusal


class RequestRefused(Refusal):
    """One that is refused before any endpoint is at work. Its answer is not kept under an idempotency key."""


class CardDeclined(Refusal):
    """A payment that the bank refuses, or wants its customer to confirm. `code` is the error's own."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(402, {"error": error})
        self.code = error["code"]


def body(message: str, *, code: str = "", param: str = "", kind: str = "invalid_request_error") -> dict[str, Any]:
    error: dict[str, Any] = {"message": message, "type": kind}
    if code:
        error |= {"code": code, "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"}
    if param:
        error["param"] = param
    return {"error": error}


def bad_parameter(message: str, *, code: str = "", param: str = "") -> RequestRefused:
    return RequestRefused(400, body(message, code=code, param=param))


def refused(message: str, *, code: str = "", param: str = "") -> Refusal:
    """By the state that things are in."""
    return Refusal(400, body(message, code=code, param=param))


def missing(what: str, object_id: str, *, param: str, status: int, other_mode: str = "") -> Refusal:
    """`other_mode`, if the object is known there: `test` or `live`."""
    message = f"No such {what}: '{object_id}'"
    if other_mode:
        asked = "live" if other_mode == "test" else "test"
        message += (
            f"; a similar object exists in {other_mode} mode, but a {asked} mode key was used to make this request."
        )
    return Refusal(status, body(message, code="resource_missing", param=param))
