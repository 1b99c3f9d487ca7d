"""Quotes before a call, receipts after it."""

from __future__ import annotations

import base64

from tests.gateway import FakeGateway, Threads, answer


def test_a_quote_takes_the_calls_own_parameters(do: Threads) -> None:
    gateway = FakeGateway(answer({"credits": 6, "ceiling": 6, "breakdown": [{"item": "picture", "quantity": 2}]}))
    quote = do(
        gateway,
        lambda client: client.quotes.create(
            endpoint="/v1/images/generations",
            model="m",
            prompt="p",
            n=2,
            image=[b"png", "https://x/b.png"],
            mask=b"png",
        ),
    )
    assert (quote.credits, quote.ceiling, quote.breakdown[0].quantity) == (6, 6, 2)
    png = base64.b64encode(b"png").decode()
    assert gateway.sent == {
        "endpoint": "/v1/images/generations",
        "model": "m",
        "prompt": "p",
        "n": 2,
        "image": [png, "https://x/b.png"],
        "mask": png,
    }


def test_a_recording_is_quoted_by_its_length_or_its_file(do: Threads) -> None:
    gateway = FakeGateway(answer())
    do(gateway, lambda client: client.quotes.create(endpoint="/v1/audio/transcriptions", model="m", seconds=95))
    assert gateway.sent == {"endpoint": "/v1/audio/transcriptions", "model": "m", "seconds": 95}
    gateway = FakeGateway(answer())
    do(gateway, lambda client: client.quotes.create(endpoint="/v1/audio/transcriptions", model="m", file=b"fLaC"))
    assert b'name="endpoint"\r\n\r\n/v1/audio/transcriptions\r\n' in gateway.request.content
    assert b'name="file"; filename="recording"' in gateway.request.content
    assert "idempotency-key" not in gateway.request.headers


def test_all_receipts_are_read_page_by_page() -> None:
    first = answer({"data": [{"id": "c"}, {"id": "b"}], "last_id": "b", "has_more": True})
    gateway = FakeGateway(first, answer({"data": [{"id": "a"}], "last_id": "a", "has_more": False}))
    assert [receipt.id for receipt in gateway.client().receipts.iterate(status="succeeded")] == ["c", "b", "a"]
    queries = [dict(request.url.params) for request in gateway.requests]
    assert queries == [{"status": "succeeded"}, {"status": "succeeded", "after": "b"}]


async def test_all_receipts_are_read_page_by_page_in_asyncio() -> None:
    first = answer({"data": [{"id": "c"}, {"id": "b"}], "last_id": "b", "has_more": True})
    gateway = FakeGateway(first, answer({"data": [], "last_id": None, "has_more": False}))
    assert [receipt.id async for receipt in gateway.async_client().receipts.iterate(limit=2)] == ["c", "b"]
    assert gateway.requests[1].url.params["after"] == "b"
