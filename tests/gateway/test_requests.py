"""What a body may hold, and how each complaint names its place."""

import base64
from typing import Any

import pytest

from gateway.catalog import get_model
from gateway.errors import InvalidImage, InvalidImageURL, InvalidType, InvalidValue, MissingParameter, RequestError
from gateway.requests.chat import parse_chat
from gateway.requests.embeddings import parse_embedding
from gateway.requests.images import fit_image, parse_image
from gateway.requests.pictures import check_address

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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": []}, "`messages` must have a length of at least 1."),
        ({"temperature": 2.5}, "`temperature` must be at most 2."),
        ({"n": 0}, "`n` must be at least 1."),
        ({"n": "two"}, "`n` must be an integer, not a string."),
        ({"stop": 5}, "`stop` must be a string or an array, not an integer."),
    ],
)
def test_complaints_are_in_the_words_of_json(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_chat(chat(**fields))
    assert str(caught.value) == message


def test_an_unknown_role_lists_the_known_ones() -> None:
    with pytest.raises(InvalidValue, match="`assistant`, `developer`"):
        parse_chat(chat(messages=[{"role": "robot", "content": "x"}]))


def test_unknown_fields_are_kept_to_be_passed_on() -> None:
    body = chat(reasoning_effort="low", made_up={"deep": [1]})
    assert parse_chat(body).body == body


@pytest.mark.parametrize("url", [f"data:image/png;base64,{PNG}", "https://example.com/a.png", "https://8.8.8.8/a.png"])
def test_pictures_in_a_chat_may_be_data_or_public_addresses(url: str) -> None:
    assert parse_chat(picture(url)).input_tokens == 1100


@pytest.mark.parametrize("field", ["functions", "response_format", "prediction", "tool_choice"])
def test_what_a_model_reads_besides_the_messages_counts_too(field: str) -> None:
    value: Any = {"type": "json_schema", "json_schema": {"description": "x" * 3000}}
    assert parse_chat(chat(**{field: [value] if field == "functions" else value})).input_tokens > 1000


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


@pytest.mark.parametrize(
    "url",
    [
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://127．0｡0.1/",
        "http://\U0001fbf1\U0001fbf2\U0001fbf7.0.0.1/",
        "http://LOCALHOST。/",
        "http://local\u00adhost/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:0:0:0:0:80ff:fffe]/",
        "http://[fe80::1%25eth0]/",
        "http://127.0.0.1../",
        "http://127%2e0%2e0%2e1/",
        "http://a b/",
        "http://exa\tmple.com/",
        "http://example.com/a\nb.png",
        " http://example.com/a.png",
        "http://example.com/\x00",
        "http://127.0.0.1\\@example.com/",
        "http://" + "a" * 300 + ".com/",
        "http://a..b/",
    ],
)
def test_a_private_or_ambiguous_address_is_refused_in_any_spelling(url: str) -> None:
    with pytest.raises(InvalidImageURL) as caught:
        check_address(url, param="image_url")
    assert caught.value.param == "image_url"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "url",
    [
        "http://bücher.example/a.png",
        "https://例え。テスト/a.png",
        "https://my_bucket.example.com:8443/a%20b.png?x=1#y",
        "https://[2606:4700:4700::1111]/a.png",
        "https://[64:ff9b::8.8.8.8]/a.png",
        "https://example.com./a.png",
    ],
)
def test_a_public_address_is_accepted(url: str) -> None:
    check_address(url, param="image_url")


def fit(name: str, **fields: Any) -> Any:
    return fit_image(parse_image({"model": name, "prompt": "a cat", **fields}), get_model(name))


@pytest.mark.parametrize(
    ("name", "asked", "quality"),
    [
        ("gpt-image-2", "standard", "auto"),
        ("gpt-image-2", "hd", "high"),
        ("gpt-image-2", "low", "low"),
        ("nano-banana-2", "standard", "auto"),
        ("nano-banana-2", "hd", "auto"),
    ],
)
def test_qualities_of_older_clients_are_understood(name: str, asked: str, quality: str) -> None:
    assert fit(name, quality=asked).quality == quality


@pytest.mark.parametrize("size", ["", "1024X1024", None])
def test_an_empty_size_is_like_none_and_a_capital_x_like_a_small_one(size: str | None) -> None:
    assert fit("gpt-image-2", size=size).size == "1024x1024"


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (lambda: parse_chat(chat(messages=[{"role": "x" * 3_000_000, "content": "x"}])), "messages[0].role"),
        (
            lambda: parse_chat(chat(messages=[{"role": "x` - at `$.evil" + "x" * 3_000_000, "content": "x"}])),
            "messages[0].role",
        ),
        (
            lambda: parse_chat(chat(messages=[{"role": "missing required field `x`", "content": "x"}])),
            "messages[0].role",
        ),
        (lambda: fit("gpt-image-2", quality="x" * 3_000_000), "quality"),
        (lambda: fit("gpt-image-2", output_format="x" * 3_000_000), "output_format"),
    ],
)
def test_a_message_does_not_repeat_a_long_value(call: Any, param: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        call()
    assert "does not take" in caught.value.message
    assert "x" * 61 not in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.param == param
