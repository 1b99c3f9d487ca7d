"""Answers that come in pieces."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest

from arkroute import APIConnectionError, APITimeoutError, ArkRoute, StreamError, UnreadableAnswerError
from arkroute.http.events import EventDecoder
from tests.gateway import FakeGateway, Pieces, Threads, answer, events, stream_of

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "credits": 1}


def chunk(text: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if text is None else [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
    return {"id": "c", "object": "chat.completion.chunk", "choices": choices, **more}


def ask(client: Any) -> Any:
    return client.chat.completions.create(model="m", messages=[], stream=True)


def test_a_chat_comes_in_pieces_and_tells_its_cost_at_the_end(do: Threads) -> None:
    stream, pieces, error = do.collect(
        FakeGateway(stream_of(*events(chunk("Hel"), chunk("lo\u2028"), chunk(None, usage=USAGE)))), ask
    )
    assert error is None
    assert "".join(piece.text for piece in pieces) == "Hello\u2028"
    assert pieces[0].choices[0].delta.content == "Hel"
    assert pieces[0].usage is None
    assert pieces[-1].usage.total_tokens == 5
    assert (stream.usage, stream.credits, stream.request_id) == (USAGE, 1, "req_1")
    assert stream.response.is_closed


def test_the_stream_is_asked_for(do: Threads) -> None:
    gateway = FakeGateway(stream_of(*events(chunk("a"))))
    do.collect(gateway, ask)
    assert gateway.sent == {"model": "m", "messages": [], "stream": True}


def test_an_error_in_the_middle_is_raised_after_what_had_come(do: Threads) -> None:
    failed = {"error": {"message": "The provider failed.", "type": "provider_error", "param": None, "code": "broken"}}
    stream, pieces, error = do.collect(FakeGateway(stream_of(*events(chunk("Hel"), failed, done=False))), ask)
    assert [piece.text for piece in pieces] == ["Hel"]
    assert isinstance(error, StreamError)
    assert (error.message, error.type, error.code) == ("The provider failed.", "provider_error", "broken")
    assert (error.body, error.request_id) == (failed, "req_1")
    assert stream.response.is_closed


@pytest.mark.parametrize(
    ("breaks", "kind"),
    [(httpx.ReadError("reset"), APIConnectionError), (httpx.ReadTimeout("slow"), APITimeoutError)],
)
def test_a_broken_connection_is_a_connection_error(do: Threads, breaks: Exception, kind: type[Exception]) -> None:
    gateway = FakeGateway(stream_of(*events(chunk("Hel"), done=False), breaks))
    _, pieces, error = do.collect(gateway, ask)
    assert [piece.text for piece in pieces] == ["Hel"]
    assert isinstance(error, kind)
    assert len(gateway.requests) == 1, "a stream that has begun is not asked for again"


def test_a_chat_that_ends_without_done_was_cut(do: Threads) -> None:
    _, pieces, error = do.collect(FakeGateway(stream_of(*events(chunk("Hel"), done=False))), ask)
    assert len(pieces) == 1
    assert isinstance(error, APIConnectionError)
    assert "cut before its end (request req_1)" in str(error)


def test_pictures_and_transcripts_end_without_done(do: Threads) -> None:
    pictures = [
        {"type": "image_generation.partial_image", "b64_json": "AA", "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": "AA", "usage": {"credits": 3}},
    ]
    for action in (
        lambda client: client.images.generate(model="m", prompt="p", stream=True, partial_images=1),
        lambda client: client.images.edit(model="m", prompt="p", image=b"png", stream=True),
    ):
        stream, pieces, error = do.collect(FakeGateway(stream_of(*events(*pictures, done=False))), action)
        assert error is None
        assert [piece.partial_image_index for piece in pieces] == [0, None]
        assert stream.credits == 3
    speech = [{"type": "transcript.text.delta", "delta": "Hi"}, {"type": "transcript.text.done", "text": "Hi"}]
    _, pieces, error = do.collect(
        FakeGateway(stream_of(*events(*speech, done=False))),
        lambda client: client.audio.transcriptions.create(model="m", file=b"flac", stream=True),
    )
    assert error is None
    assert (pieces[0].delta, pieces[1].text) == ("Hi", "Hi")


def test_an_answer_that_is_no_stream_is_unreadable(do: Threads) -> None:
    for action in (ask, lambda client: client.images.generate(model="m", prompt="p", stream=True)):
        stream, _, error = do.collect(FakeGateway(answer({"data": []})), action)
        assert isinstance(error, UnreadableAnswerError)
        assert "`application/json` came" in str(error)
        assert stream.response.is_closed


@pytest.mark.parametrize("data", [b"data: no json\n\n", b"data: [1]\n\n"])
def test_an_event_that_is_no_object_is_unreadable(do: Threads, data: bytes) -> None:
    _, _, error = do.collect(FakeGateway(stream_of(data)), ask)
    assert isinstance(error, UnreadableAnswerError)


def test_leaving_early_closes_the_connection() -> None:
    body = Pieces(*events(*(chunk(str(number)) for number in range(9))))
    client = FakeGateway(stream_of(body=body)).client()
    with client.chat.completions.create(model="m", messages=[], stream=True) as stream:
        assert next(stream).text == "0"
        assert not body.is_closed
    assert body.is_closed


async def test_leaving_early_closes_the_connection_in_asyncio() -> None:
    body = Pieces(*events(*(chunk(str(number)) for number in range(9))))
    client = FakeGateway(stream_of(body=body)).async_client()
    async with await client.chat.completions.create(model="m", messages=[], stream=True) as stream:
        assert (await stream.__anext__()).text == "0"
        assert not body.is_closed
    assert body.is_closed


def test_what_follows_done_is_not_waited_for() -> None:
    body = Pieces(*events(chunk("a")), RuntimeError("read on"))
    with ArkRoute("ark-1", http_client=httpx.Client(transport=FakeGateway(stream_of(body=body)))) as client:
        assert [piece.text for piece in ask(client)] == ["a"]


WIRE = 'data: {"a":"ü"}\r\n\r\n: comment\n\nevent: x\rdata: one\rdata:two\r\rdata\n\nid: 7\ndata:  three\n\n'.encode()
DATA = ['{"a":"ü"}', "one\ntwo", "", " three"]


def test_events_are_the_same_wherever_the_wire_is_cut() -> None:
    for first, second in itertools.combinations(range(len(WIRE) + 1), 2):
        decoder = EventDecoder()
        pieces = (WIRE[:first], WIRE[first:second], WIRE[second:])
        assert [data for piece in pieces for data in decoder.feed(piece)] == DATA


def test_an_event_that_the_end_cuts_off_is_dropped() -> None:
    decoder = EventDecoder()
    assert list(decoder.feed(b"data: a\n\ndata: b\n")) == ["a"]
