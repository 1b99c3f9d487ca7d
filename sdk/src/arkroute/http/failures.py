"""Errors made of answers."""

from __future__ import annotations

import json

import httpx

from arkroute.errors import STATUS_ERRORS, APIStatusError, InternalServerError, StreamError, UnreadableAnswerError

LONGEST_EXCERPT = 300


def status_error(response: httpx.Response) -> APIStatusError:
    """The error of an answer that is read and whose status is not 2xx."""
    body = _body(response)
    kind = STATUS_ERRORS.get(response.status_code)
    if kind is None:
        kind = InternalServerError if response.status_code >= 500 else APIStatusError
    message = _message(body) or f"{response.status_code} {response.reason_phrase}: {_excerpt(body)}".rstrip(": ")
    return kind(message, body=body, response=response)


def stream_error(body: dict[str, object], request_id: str | None) -> StreamError:
    """The error of a stream's event that has one."""
    return StreamError(_message(body) or "The stream ended with an error.", body=body, request_id=request_id)


def unreadable(response: httpx.Response, why: str, body: object = None) -> UnreadableAnswerError:
    """The error of a good status whose body is not the API's. `body` is what was read of a stream."""
    message = f"{why} Does the base URL lead to ArkRoute, and end in /v1? It was asked at {response.url}."
    return UnreadableAnswerError(message, body=body, request_id=response.headers.get("x-request-id"))


def _body(response: httpx.Response) -> object:
    try:
        return json.loads(response.content)
    except ValueError:
        return response.text


def _message(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""


def _excerpt(body: object) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    return " ".join(text.split())[:LONGEST_EXCERPT]
