"""Answers are dicts that have attributes."""

from __future__ import annotations

import copy
import json
import pickle

import httpx
import pytest

from arkroute.types import ChatCompletion, ImagesResponse, Record, TextAnswer, VideoTask
from tests.gateway import FakeGateway, Threads, answer

PICTURES = {"created": 1, "model": "m", "data": [{"url": "https://a/1.png"}], "size": "1x1", "url": "https://a/1.png"}


def pictures() -> ImagesResponse:
    return ImagesResponse(PICTURES, answer(PICTURES, x_arkroute_credits="3"))


def test_an_answer_is_read_as_a_dict_and_by_attributes() -> None:
    result = pictures()
    assert result["data"][0]["url"] == result.data[0].url == "https://a/1.png"
    assert result == PICTURES
    assert json.loads(json.dumps(result)) == PICTURES
    assert repr(result) == repr(PICTURES)


def test_an_answer_knows_its_request_and_what_it_cost() -> None:
    result = pictures()
    assert (result.request_id, result.credits) == ("req_1", 3)
    assert result.response.status_code == 200
    assert ImagesResponse(PICTURES, answer(PICTURES, x_arkroute_credits="0.1")).credits == 0.1
    assert ImagesResponse(PICTURES, answer(PICTURES)).credits is None


def test_a_declared_field_that_is_missing_is_none_and_an_unknown_one_is_an_error() -> None:
    result = pictures()
    assert result.quality is None
    assert result.data[0].b64_json is None
    with pytest.raises(AttributeError, match=r"ImagesResponse has no 'prise'\. It has: created, model"):
        _ = result.prise
    with pytest.raises(KeyError):
        _ = result["quality"]


def test_a_field_that_the_sdk_does_not_know_is_there() -> None:
    result = ImagesResponse({"data": [], "novelty": {"depth": [{"x": 1}]}}, answer())
    assert result.novelty.depth[0].x == 1


def test_setting_an_attribute_sets_the_field() -> None:
    message = Record({"content": "a"})
    message.content = "b"
    assert message == {"content": "b"}


def test_answers_can_be_copied_and_pickled() -> None:
    for double in (copy.copy(pictures()), copy.deepcopy(pictures()), pickle.loads(pickle.dumps(pictures()))):
        assert double == PICTURES
        assert isinstance(double, ImagesResponse)
        assert (double.credits, double.data[0].url) == (3, "https://a/1.png")


def test_a_message_goes_back_into_the_next_request_as_it_is(do: Threads) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f"}}]}
    first = ChatCompletion({"choices": [{"index": 0, "message": message}]}, answer())
    assert first.choices[0].message.tool_calls is not None
    assert first.choices[0].message.tool_calls[0].function.name == "f"
    assert first.text == ""
    gateway = FakeGateway(answer({"choices": []}))
    do(gateway, lambda client: client.chat.completions.create(model="m", messages=[first.choices[0].message]))
    assert gateway.sent["messages"] == [message]


def test_a_text_answer_is_a_str_that_knows_its_request() -> None:
    text = TextAnswer(httpx.Response(200, text="Hello.\n", headers={"x-request-id": "r", "x-arkroute-credits": "0.1"}))
    assert text == "Hello.\n"
    assert (text.request_id, text.credits) == ("r", 0.1)


def test_a_task_tells_its_price_before_and_its_cost_after() -> None:
    begun = VideoTask({"status": "processing", "credits": None}, answer(x_arkroute_credits="25"))
    assert (begun.price, begun.credits, begun.is_ended) == (25, None, False)
    ended = VideoTask({"status": "completed", "credits": 25}, answer())
    assert (ended.price, ended.credits, ended.is_ended) == (None, 25, True)
