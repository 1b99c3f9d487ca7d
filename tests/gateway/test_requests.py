"""What a body may hold, and how each complaint names its place."""

import base64
from typing import Any

import pytest

from gateway.errors import InvalidImage, InvalidImageURL, InvalidType, InvalidValue, MissingParameter, RequestError
from gateway.requests.chat import parse_chat
from gateway.requests.embeddings import parse_embedding
from gateway.requests.images import parse_image

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()
HELLO = [{"role": "user", "content": "Hello!"}]


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": HELLO, **fields}


def part(**fields: Any) -> dict[str, Any]:
    return chat(messages=[{"role": "user", "content": [fields]}])


def picture(url: str) -> dict[str, Any]:
    return part(type="image_url", image_url={"url": url})


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        (chat(messages=[]), InvalidValue, "messages"),
        (chat(messages="Hello"), InvalidType, "messages"),
        (chat(messages=[{"role": "robot", "content": "x"}]), InvalidValue, "messages[0].role"),
        (chat(messages=[{"content": "x"}]), MissingParameter, "messages[0].role"),
        (chat(messages=[{"role": "user"}]), MissingParameter, "messages[0].content"),
        (
            part(type="picture"),
            InvalidValue,
            "messages[0].content[0].type",
        ),
        (
            part(type="text"),
            MissingParameter,
            "messages[0].content[0].text",
        ),
        (chat(n=0), InvalidValue, "n"),
        (chat(n=True), InvalidType, "n"),
        (chat(n=1.5), InvalidType, "n"),
        (chat(temperature=2.1), InvalidValue, "temperature"),
        (chat(temperature="hot"), InvalidType, "temperature"),
        (chat(top_p=-0.1), InvalidValue, "top_p"),
        (chat(presence_penalty=3), InvalidValue, "presence_penalty"),
        (chat(max_tokens=0), InvalidValue, "max_tokens"),
        (chat(max_completion_tokens=-1), InvalidValue, "max_completion_tokens"),
        (chat(stop=["a", "b", "c", "d", "e"]), InvalidValue, "stop"),
        (chat(top_logprobs=21, logprobs=True), InvalidValue, "top_logprobs"),
        (chat(top_logprobs=2), InvalidValue, "top_logprobs"),
        (chat(stream_options={"include_usage": True}), InvalidValue, "stream_options"),
        (chat(response_format={"type": "xml"}), InvalidValue, "response_format.type"),
        (chat(tools=[{"type": "function", "function": {}}]), MissingParameter, "tools[0].function.name"),
        (chat(tools=[{"type": "magic"}]), InvalidValue, "tools[0].type"),
        (picture("ftp://example.com/a.png"), InvalidImageURL, "messages[0].content[0].image_url.url"),
        (picture("https://127.0.0.1/a.png"), InvalidImageURL, "messages[0].content[0].image_url.url"),
        (picture("https://2130706433/a.png"), InvalidImageURL, "messages[0].content[0].image_url.url"),
        (picture("https://0177.0.0.1/a.png"), InvalidImageURL, "messages[0].content[0].image_url.url"),
        (picture("https://[::ffff:10.0.0.1]/a.png"), InvalidImageURL, "messages[0].content[0].image_url.url"),
        (picture("https://169.254.169.254/latest"), InvalidImageURL, "messages[0].content[0].image_url.url"),
        (picture("http://localhost:8000/a.png"), InvalidImageURL, "messages[0].content[0].image_url.url"),
        (picture("https://"), InvalidImageURL, "messages[0].content[0].image_url.url"),
        (picture("data:image/png;base64,!!!"), InvalidImage, "messages[0].content[0].image_url.url"),
        (picture("data:image/png;base64,PHN2Zz4="), InvalidImage, "messages[0].content[0].image_url.url"),
        (picture("data:image/png,plain"), InvalidImage, "messages[0].content[0].image_url.url"),
    ],
)
def test_a_bad_chat_names_its_place(body: dict[str, Any], error: type[RequestError], param: str) -> None:
    with pytest.raises(error) as caught:
        parse_chat(body)
    assert caught.value.param == param
    assert type(caught.value) is error


def test_an_unknown_role_lists_the_known_ones() -> None:
    with pytest.raises(InvalidValue, match="`assistant`, `developer`"):
        parse_chat(chat(messages=[{"role": "robot", "content": "x"}]))


def test_unknown_fields_are_kept_to_be_passed_on() -> None:
    body = chat(reasoning_effort="low", made_up={"deep": [1]})
    assert parse_chat(body).body == body


@pytest.mark.parametrize("url", [f"data:image/png;base64,{PNG}", "https://example.com/a.png", "https://8.8.8.8/a.png"])
def test_pictures_in_a_chat_may_be_data_or_public_addresses(url: str) -> None:
    assert parse_chat(picture(url)).input_tokens == 1100


def test_tokens_are_estimated_as_a_third_of_the_bytes_rounded_up() -> None:
    assert parse_chat(chat(messages=[{"role": "user", "content": "ä" * 5}])).input_tokens == 4
    assert parse_embedding({"model": "m", "input": ["abcd", "e"]}).input_tokens == 3
    assert parse_embedding({"model": "m", "input": [1, 2, 3]}).input_tokens == 3


@pytest.mark.parametrize(
    ("value", "inputs"),
    [
        ("one", ["one"]),
        (["one", "two"], ["one", "two"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_the_four_forms_of_an_embeddings_input(value: Any, inputs: list[Any]) -> None:
    assert parse_embedding({"model": "m", "input": value}).inputs == inputs


@pytest.mark.parametrize(
    ("value", "error", "param"),
    [
        ("", InvalidValue, "input[0]"),
        ([], InvalidValue, "input"),
        (["a", ""], InvalidValue, "input[1]"),
        (["a", 1], InvalidType, "input"),
        ([1, -2], InvalidType, "input"),
        ([True], InvalidType, "input"),
        ({"a": 1}, InvalidType, "input"),
        (["x"] * 2049, InvalidValue, "input"),
        (["x" * 900_003], InvalidValue, "input"),
    ],
)
def test_a_bad_embeddings_input_is_refused(value: Any, error: type[RequestError], param: str) -> None:
    with pytest.raises(error) as caught:
        parse_embedding({"model": "m", "input": value})
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"prompt": ""}, InvalidValue, "prompt"),
        ({"prompt": "x" * 32_001}, InvalidValue, "prompt"),
        ({"n": 11}, InvalidValue, "n"),
        ({"response_format": "png"}, InvalidValue, "response_format"),
        ({"size": 1024}, InvalidType, "size"),
    ],
)
def test_a_bad_image_request_names_its_field(fields: dict[str, Any], error: type[RequestError], param: str) -> None:
    with pytest.raises(error) as caught:
        parse_image({"model": "m", "prompt": "a cat", **fields})
    assert caught.value.param == param
