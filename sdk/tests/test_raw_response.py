"""Answers with the HTTP around them."""

from __future__ import annotations

from typing import Any

import pytest

from arkroute import NotFoundError, RawResponse
from arkroute.types import ImagesResponse
from tests.gateway import FakeGateway, Threads, answer, events, refusal, stream_of


def test_a_raw_response_has_status_headers_and_bytes(do: Threads) -> None:
    gateway = FakeGateway(answer({"data": [{"url": "https://x"}]}, x_arkroute_credits="2"))
    raw = do(gateway, lambda client: client.images.with_raw_response.generate(model="m", prompt="p"))
    assert isinstance(raw, RawResponse)
    assert (raw.status_code, raw.headers["x-arkroute-credits"], raw.request_id) == (200, "2", "req_1")
    assert raw.content == raw.text.encode() == raw.http_response.content
    assert isinstance(raw.parse(), ImagesResponse)
    assert raw.parse().data[0].url == "https://x"


def test_a_stream_has_its_headers_before_its_pieces() -> None:
    def ask(client: Any) -> Any:
        return client.chat.completions.with_raw_response.create(model="m", messages=[], stream=True)

    raw = ask(FakeGateway(stream_of(*events({"choices": [{"delta": {"content": "a"}}]}))).client())
    assert raw.headers["content-type"] == "text/event-stream"
    assert [piece.text for piece in raw.parse()] == ["a"]


def test_errors_are_raised_all_the_same(do: Threads) -> None:
    with pytest.raises(NotFoundError):
        do(FakeGateway(refusal(404, "model_not_found")), lambda client: client.models.with_raw_response.retrieve("x"))
