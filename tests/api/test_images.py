"""Image generations through vendors that speak their own wire formats: what goes there, what comes, what it costs."""

import base64
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from billing.models import Hold
from gateway import connections as connecting
from gateway.catalog import list_models
from gateway.flows import results
from gateway.models import Receipt
from gateway.requests import pictures
from gateway.sizes import fit_size
from tests.pictures import data_uri, picture, png_bomb
from tests.upstreams.alibaba import FakeAlibaba
from tests.upstreams.bytedance import FakeByteDance
from tests.upstreams.google import FakeGoogle
from tests.upstreams.openai import PNG
from tests.upstreams.pictures import PictureServer
from tests.upstreams.vendors import find_contract

OPENAI = "gpt-image-2"  # 50 credits; answers in base64, up to ten pictures at once
BYTEDANCE = "seedream-4.5"  # 3 credits; answers in addresses, one picture at a time


def generate(http: httpx.Client, person: Any, model: str = OPENAI, **fields: Any) -> httpx.Response:
    body = {"model": model, "prompt": "a cat", **fields}
    return http.post("/v1/images/generations", json=body, headers=person.headers)


def assert_refused(response: httpx.Response, code: str, param: str) -> None:
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (422, code, param), response.text


@pytest.fixture
def sites(settings) -> Iterator[PictureServer]:
    """Somebody's web site, that may be fetched from."""
    with PictureServer() as server:
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [*settings.FETCH_ALLOWED_PRIVATE_HOSTS, f"127.0.0.1:{server.port}"]
        yield server


@pytest.fixture
def canary() -> Iterator[PictureServer]:
    """A server of our own network, with a picture. Nobody may make us ask it."""
    with PictureServer() as server:
        server.add("/a.png", picture())
        yield server
        assert server.connections == 0


@pytest.fixture
def bytedance(settings) -> Iterator[FakeByteDance]:
    with FakeByteDance() as fake:
        settings.PROVIDERS = {"bytedance": {"api_keys": ["ark-test"], "base_url": fake.base_url}}
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{fake.port}"]
        yield fake


@pytest.fixture
def alibaba(settings) -> Iterator[FakeAlibaba]:
    with FakeAlibaba() as fake:
        settings.PROVIDERS = {"alibaba": {"api_keys": ["sk-test"], "base_url": fake.base_url}}
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{fake.port}"]
        yield fake


# --- Pictures that come with a request -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["base64", "data_uri", "address", "urlsafe", "lines"])
def test_a_picture_may_come_as_base64_as_a_data_uri_or_as_an_address(http, alice, upstream, sites, how) -> None:
    data = picture(kind="JPEG")
    encoded = base64.b64encode(data).decode()
    value = {
        "base64": encoded,
        "data_uri": data_uri(data, "image/png"),  # a lie, that is not believed
        "address": sites.add("/cat.txt", data),
        "urlsafe": base64.urlsafe_b64encode(data).decode(),
        "lines": base64.encodebytes(data).decode(),
    }[how]
    response = generate(http, alice, image=value)
    assert response.status_code == 200, response.text
    assert upstream.requests[-1].files == [("image[]", "image/jpeg", data)]
    assert "image" not in upstream.requests[-1].body


def test_several_pictures_keep_their_order_however_they_come(http, alice, upstream, sites) -> None:
    red, green, blue = (picture(colour=colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
    sites.behaviour.delay = 0.1
    response = generate(http, alice, image=[sites.add("/red", red), data_uri(green), sites.add("/blue", blue)])
    assert response.status_code == 200, response.text
    assert [data for _, _, data in upstream.requests[-1].files] == [red, green, blue]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/a.png",
        "https://127.0.0.1:{port}/a.png",
        "https://localhost:{port}/a.png",
        "https://2130706433:{port}/a.png",
        "https://[::ffff:127.0.0.1]:{port}/a.png",
        "http://pictures.example/a.png",
        "https://user:secret@127.0.0.1:{port}/a.png",
    ],
)
def test_an_address_of_our_own_network_is_not_fetched(http, alice, upstream, canary, url) -> None:
    before = alice.money()
    assert_refused(generate(http, alice, image=url.format(port=canary.port)), "invalid_image_url", "image")
    assert upstream.requests == []
    assert alice.money() == before
    assert not Hold.objects.exists()


def test_neither_a_name_nor_a_redirect_leads_to_our_own_network(
    http, alice, upstream, sites, canary, monkeypatch
) -> None:
    sites.moved["/moved"] = f"{canary.origin}/a.png"

    async def resolve(host: str, chosen_by: connecting.ChosenBy) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(connecting, "resolve", resolve)
    for url in (f"https://pictures.example:{canary.port}/a.png", f"{sites.origin}/moved"):
        assert_refused(generate(http, alice, image=url), "invalid_image_url", "image")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no PNG"),
        (b"<html>a page</html>", "is no PNG"),
        (b"", "is no PNG"),
        (picture()[:20], "cannot be read"),
        (png_bomb(60_000, 60_000), "million pixels"),
    ],
)
def test_an_address_of_what_is_no_good_picture_is_refused(http, alice, upstream, sites, data, says) -> None:
    response = generate(http, alice, image=sites.add("/a.png", data))
    assert_refused(response, "invalid_image_url", "image")
    assert says in response.json()["error"]["message"]
    assert upstream.requests == []
    assert alice.money()[:2] == (500_000, 0)


def test_an_address_where_nothing_is_tells_nothing_of_what_its_server_said(http, alice, upstream, sites) -> None:
    response = generate(http, alice, image=f"{sites.origin}/none.png")
    assert_refused(response, "invalid_image_url", "image")
    assert "404" in response.json()["error"]["message"]
    assert "secret" not in response.text


def test_an_address_with_too_much_is_left(http, alice, upstream, sites, monkeypatch) -> None:
    monkeypatch.setattr("gateway.requests.pictures.MAX_PICTURE_BYTES", len(picture()) - 1)
    assert_refused(generate(http, alice, image=sites.add("/a.png", picture())), "invalid_image_url", "image")


def test_all_addresses_of_a_request_together_have_a_limit(http, alice, upstream, sites, monkeypatch) -> None:
    monkeypatch.setattr("gateway.requests.pictures.MAX_FETCHED_BYTES", 3 * len(picture()) - 1)
    url = sites.add("/a.png", picture())
    assert generate(http, alice, image=[url, url]).status_code == 200
    assert_refused(generate(http, alice, image=[url, url, url]), "invalid_image_url", "image")


def test_nothing_is_fetched_for_somebody_who_could_not_pay(
    http, charlie, make_person, upstream, canary, settings
) -> None:
    """The canary may be fetched from, but for these."""
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{canary.port}"]
    url = f"{canary.origin}/a.png"
    for person in (charlie, make_person("poor@example.com", credits=49)):
        for fields in ({"image": url}, {"image": data_uri(picture()), "mask": url}):
            response = generate(http, person, **fields)
            assert (response.status_code, response.json()["error"]["code"]) == (402, "insufficient_credits")
    assert upstream.requests == []


def test_nobodys_pictures_are_fetched_more_than_a_few_at_once(http, alice, upstream, sites, monkeypatch) -> None:
    at_once = 0
    most = 0
    fetch_one = pictures.stream

    @asynccontextmanager
    async def counted(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            async with fetch_one(*args, **kwargs) as fetched:
                yield fetched
        finally:
            at_once -= 1

    monkeypatch.setattr(pictures, "stream", counted)
    url = sites.add("/a.png", picture())
    assert generate(http, alice, image=[url] * 16).status_code == 200
    assert (most, at_once) == (pictures.OWNERS_FETCHES, 0)


def test_who_waits_too_long_for_a_turn_is_told_when_to_come_back(http, alice, upstream, sites, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "OWNERS_FETCHES", 0)
    monkeypatch.setattr(pictures, "LONGEST_WAIT", 0.01)
    response = generate(http, alice, image=sites.add("/a.png", picture()))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "overloaded")
    assert response.headers["retry-after"] == "10"
    assert alice.money()[:2] == (500_000, 0)


def test_reference_pictures_beyond_the_first_are_paid_for(http, alice, upstream) -> None:
    response = generate(http, alice, image=[data_uri(picture())] * 3, quality="low")
    assert response.status_code == 200
    assert response.headers["x-arkroute-credits"] == "3.5"
    assert alice.money()[:2] == (496_500, 0)


def test_nothing_is_fetched_for_somebody_without_a_key_or_for_a_request_that_is_wrong(http, alice, canary) -> None:
    """The canary would see it: it may be fetched from, but for these."""
    url = f"https://127.0.0.1:{canary.port}/a.png"
    body = {"model": OPENAI, "prompt": "a cat", "image": url}
    assert http.post("/v1/images/generations", json=body).status_code == 401
    for wrong in ({"n": 11}, {"size": "banana"}, {"quality": "best"}, {"model": "gpt-99"}, {"image": [url] * 17}):
        response = http.post("/v1/images/generations", json=body | wrong, headers=alice.headers)
        assert response.json()["error"]["code"] in ("invalid_value", "model_not_found"), response.text


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (data_uri(png_bomb(60_000, 60_000)), "million pixels"),
        (data_uri(png_bomb(8_000, 8_000)), "million pixels"),
        (data_uri(b"<svg/>", "image/svg+xml"), "is no PNG"),
        (base64.b64encode(picture()[:20]).decode(), "cannot be read"),
        ("a cat!", "not valid base64"),
        ("data:image/png,plain", "a data URI looks like"),
        ("A" * 30_000_000, "at most 20 MB"),
    ],
)
def test_base64_of_what_is_no_good_picture_is_refused(http, alice, value, says) -> None:
    response = generate(http, alice, "sandbox-image", image=value)
    if response.status_code != 413:  # the body's own limit comes first
        assert_refused(response, "invalid_image", "image")
        assert says in response.json()["error"]["message"]
        assert len(response.text) < 500
    assert alice.money()[:2] == (500_000, 0)


def test_a_model_says_how_many_pictures_it_takes(http, alice) -> None:
    response = generate(http, alice, "nano-banana", image=[data_uri(picture())] * 4)
    assert_refused(response, "invalid_value", "image")
    assert "takes 3 reference images, not 4" in response.json()["error"]["message"]


# --- Several pictures ----------------------------------------------------------------------------------------------


def test_where_the_vendor_makes_one_at_a_time_several_are_asked_for_at_once_under_one_hold(
    http, alice, bytedance
) -> None:
    bytedance.behaviour.delay = 0.2
    response = generate(http, alice, BYTEDANCE, n=4)
    assert response.status_code == 200, response.text
    assert len({one["url"] for one in response.json()["data"]}) == 4
    asked = [one for one in bytedance.requests if one.method == "POST"]
    assert len(asked) == 4
    assert not any("n" in one.body for one in asked)
    assert [one.method for one in bytedance.requests[:4]] == ["POST"] * 4, "at once"
    assert response.headers["x-arkroute-credits"] == "12"
    assert alice.money() == (488_000, 0, 2)
    receipt = Receipt.objects.get()
    assert (receipt.quote, receipt.captured, receipt.usage["images"]) == (12_000, 12_000, 4)
    assert len(receipt.attempts) == 1
    assert Hold.objects.count() == 1


def test_where_the_vendor_makes_several_it_is_asked_once(http, alice, upstream, alibaba) -> None:
    response = generate(http, alice, "qwen-image-2.0", n=6)
    assert (response.status_code, len(response.json()["data"])) == (200, 6)
    assert [one.body["parameters"]["n"] for one in alibaba.requests if one.method == "POST"] == [6]


def test_what_was_made_of_several_is_answered_and_paid_for(http, alice, bytedance) -> None:
    bytedance.behaviour.status, bytedance.behaviour.code = 400, "OutputImageSensitiveContentDetected"
    bytedance.behaviour.fail_times = 1
    response = generate(http, alice, BYTEDANCE, n=3)
    assert (response.status_code, len(response.json()["data"])) == (200, 2)
    assert response.headers["x-arkroute-credits"] == "6"
    assert alice.money()[:2] == (494_000, 0)
    receipt = Receipt.objects.get()
    assert (receipt.outcome, receipt.quote, receipt.captured) == ("succeeded", 9_000, 6_000)
    assert receipt.usage["images"] == 2


def test_where_none_of_several_is_made_it_is_the_first_ones_error_and_free(http, alice, bytedance) -> None:
    bytedance.behaviour.status, bytedance.behaviour.code = 400, "OutputImageSensitiveContentDetected"
    response = generate(http, alice, BYTEDANCE, n=3)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "content_policy_violation")
    assert alice.money()[:2] == (500_000, 0)
    assert Receipt.objects.get().outcome == "failed"


def test_fewer_than_asked_for_in_one_answer_cost_less(http, alice, upstream) -> None:
    upstream.behaviour.most_images = 2
    response = generate(http, alice, n=3, quality="low")
    assert (response.status_code, len(response.json()["data"])) == (200, 2)
    assert alice.money()[:2] == (500_000 - 2 * 1_500, 0)


# --- Results -------------------------------------------------------------------------------------------------------


def stored(url: str) -> bytes:
    token = url.rpartition("/")[2]
    stem, _, _, extension = token.split(".")
    with default_storage.open(f"{stem[:2]}/{stem}.{extension}") as file:
        return file.read()


def test_a_vendors_address_becomes_ours(http, alice, bytedance) -> None:
    answer = generate(http, alice, BYTEDANCE).json()
    assert answer["url"] == answer["data"][0]["url"]
    assert answer["url"].startswith("http://testserver/media/")
    assert answer["url"].endswith(".jpg")
    assert bytedance.origin not in str(answer)
    sent, _ = bytedance.results.find("/results/1.jpeg")
    assert stored(answer["url"]) == sent
    assert (answer["size"], answer["output_format"]) == ("1920x1920", "jpeg")


def test_a_vendors_address_becomes_base64(http, alice, bytedance) -> None:
    answer = generate(http, alice, BYTEDANCE, response_format="b64_json").json()
    sent, _ = bytedance.results.find("/results/1.jpeg")
    assert base64.b64decode(answer["data"][0]["b64_json"]) == sent
    assert "url" not in answer
    assert "url" not in answer["data"][0]


def test_a_vendors_base64_becomes_our_address_or_stays(http, alice, upstream) -> None:
    linked = generate(http, alice).json()
    assert stored(linked["url"]) == PNG
    inline = generate(http, alice, response_format="b64_json").json()
    assert base64.b64decode(inline["data"][0]["b64_json"]) == PNG


def test_a_large_answer_arrives_whole(http, alice, settings) -> None:
    response = generate(http, alice, "sandbox-image", response_format="b64_json", size="2048x2048", n=2)
    for one in response.json()["data"]:
        assert Image.open(io.BytesIO(base64.b64decode(one["b64_json"]))).size == (2048, 2048)
    assert int(response.headers["content-length"]) == len(response.content) > 1_000_000


def test_the_type_of_a_result_is_what_its_bytes_show(http, alice, alibaba, monkeypatch) -> None:
    """Its name and its server say PNG."""
    data = picture(kind="WEBP")
    monkeypatch.setattr(alibaba.results, "find", lambda path: (data, "image/png"))
    answer = generate(http, alice, "qwen-image-2.0").json()
    assert answer["url"].endswith(".webp")
    assert answer["output_format"] == "webp"
    assert stored(answer["url"]) == data


def test_a_result_that_cannot_be_fetched_is_an_error_and_free(http, alice, bytedance) -> None:
    bytedance.behaviour.results_gone = True
    response = generate(http, alice, BYTEDANCE, n=2)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_error")
    assert bytedance.origin not in response.text
    assert alice.money()[:2] == (500_000, 0)
    receipt = Receipt.objects.get()
    assert (receipt.outcome, receipt.attempts[-1]["error"]) == ("failed", "broken")


def test_a_vendors_result_in_our_own_network_is_not_fetched(http, alice, bytedance, settings) -> None:
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = []
    response = generate(http, alice, BYTEDANCE)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_error")
    assert [one.method for one in bytedance.requests] == ["POST"]
    assert alice.money()[:2] == (500_000, 0)


@pytest.mark.parametrize("how", ["url", "b64_json"])
def test_a_result_that_is_no_picture_is_an_error_and_free(http, alice, alibaba, monkeypatch, how) -> None:
    monkeypatch.setattr(alibaba.results, "find", lambda path: (b"<html>expired</html>", "image/png"))
    response = generate(http, alice, "qwen-image-2.0", response_format=how)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_error")
    assert alice.money()[:2] == (500_000, 0)


def test_a_result_that_is_too_large_is_an_error_and_free(http, alice, bytedance, monkeypatch) -> None:
    monkeypatch.setattr(results, "MAX_RESULT_BYTES", 100)
    response = generate(http, alice, BYTEDANCE)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_error")
    assert alice.money()[:2] == (500_000, 0)


def test_a_result_that_is_lost_is_not_paid_for_and_the_others_are(http, alice, alibaba, monkeypatch) -> None:
    find = alibaba.results.find
    monkeypatch.setattr(alibaba.results, "find", lambda path: None if path.endswith("2.png") else find(path))
    response = generate(http, alice, "qwen-image-2.0", n=3)
    assert (response.status_code, len(response.json()["data"])) == (200, 2)
    assert alice.money()[:2] == (494_000, 0)


@pytest.mark.parametrize("model", [OPENAI, BYTEDANCE])
def test_a_storage_that_fails_costs_nothing(http, alice, upstream, bytedance, settings, monkeypatch, model) -> None:
    both = {"openai": {"api_keys": ["sk-test"], "base_url": upstream.base_url}}
    settings.PROVIDERS = {**settings.PROVIDERS, **both}

    def full(self: Any, name: str, content: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("django.core.files.storage.FileSystemStorage._save", full)
    response = generate(http, alice, model)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert alice.money()[:2] == (500_000, 0)
    assert Hold.objects.get().state == "released"


def test_a_storage_that_fails_midway_keeps_no_part(http, alice, bytedance, settings, tmp_path, monkeypatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    chunks = iter([b"x"])

    def torn(self: Any, size: int | None = None) -> Any:
        yield next(chunks)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("django.core.files.base.File.chunks", torn)
    assert generate(http, alice, BYTEDANCE).status_code == 500
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_prompt_that_the_vendor_revised_is_told(http, alice, settings) -> None:
    with FakeGoogle(api_key="AIza-test") as google:
        settings.PROVIDERS = {"google": {"api_keys": ["AIza-test"], "base_url": google.base_url}}
        answer = generate(http, alice, "nano-banana-2", n=2).json()
        assert len(google.requests) == 2
    assert [one["revised_prompt"] for one in answer["data"]] == ["a cat", "a cat"]
    assert answer["size"] == "1024x1024"


def test_tokens_and_quality_are_told_where_there_are_any(http, alice, upstream) -> None:
    answer = generate(http, alice, quality="medium").json()
    assert answer["quality"] == "medium"
    assert answer["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 9},
        "output_tokens": 196,
        "output_tokens_details": {"image_tokens": 196, "text_tokens": 0},
        "total_tokens": 205,
    }


# --- Sizes, and other models in a model's place --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "sent", "credits"),
    [("1536x1024", "1536x1024", 50), ("800x600", "960x720", 50), ("2K", "2048x2048", 100), (None, "1024x1024", 50)],
)
def test_the_answer_names_the_closest_size_that_was_made(http, alice, upstream, asked, sent, credits) -> None:
    answer = generate(http, alice, size=asked).json()
    assert answer["size"] == upstream.requests[-1].body["size"] == sent
    assert alice.money()[0] == 500_000 - credits * 1000


VENDORS_MODELS = [model for model in list_models() if model.type == "image" and model.provider != "sandbox"]


@pytest.mark.parametrize("model", VENDORS_MODELS, ids=lambda model: model.id)
def test_every_size_that_people_ask_for_is_one_that_the_vendor_takes(http, make_person, settings, model) -> None:
    """The fakes refuse what their vendors do not document."""
    rich = make_person("rich@example.com", credits=10_000)
    contract = find_contract(model.provider, "image")
    key = contract.new_key()
    with contract.fake(api_key=key) as fake:
        settings.PROVIDERS = {model.provider: {"api_keys": [key], "base_url": fake.base_url}}
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{fake.port}"]
        for size in ("auto", "1024x1024", "1536x1024", "1024x1536", "1792x1024", "512", "1K", "2K", "4K", "800x600"):
            response = generate(http, rich, model.id, size=size, quality="auto")
            assert response.status_code == 200, response.text
            assert response.json()["size"] == str(fit_size(model, size))
            assert response.headers["x-arkroute-model"] == f"{model.provider}/{model.upstream}"
        assert_refused(generate(http, rich, model.id, size="21x9"), "invalid_value", "size")


def test_another_model_makes_it_in_its_own_size_at_the_price_of_the_model_asked_for(http, alice, bytedance) -> None:
    bytedance.behaviour.status, bytedance.behaviour.code = 404, "ModelNotOpen"
    bytedance.behaviour.fail_times = 1
    response = generate(http, alice, "seedream-5.0-pro", size="1K", output_format="png", image=data_uri(picture()))
    assert response.status_code == 200, response.text
    assert response.headers["x-arkroute-model"] == "bytedance/seedream-5-0-260128"
    first, second = (one.body for one in bytedance.requests if one.method == "POST")
    assert (first["size"], second["size"]) == ("1024x1024", "2048x2048")
    assert second["image"] == first["image"]
    answer = response.json()
    assert (answer["model"], answer["size"]) == ("seedream-5.0-pro", "2048x2048")
    assert alice.money()[0] == 494_000


def test_a_format_that_another_model_lacks_is_left_to_it(http, alice, bytedance) -> None:
    bytedance.behaviour.status, bytedance.behaviour.code = 404, "ModelNotOpen"
    bytedance.behaviour.fail_times = 1
    answer = generate(http, alice, "seedream-5.0-lite", output_format="png").json()
    assert answer["output_format"] == "jpeg"
    assert [one.body.get("output_format") for one in bytedance.requests if one.method == "POST"] == ["png", None]


def test_a_stand_in_paints_what_the_model_would(http, alice) -> None:
    response = generate(http, alice, BYTEDANCE, size="1920x1080", response_format="b64_json")
    assert response.headers["x-arkroute-stand-in"] == "true"
    answer = response.json()
    assert answer["size"] == "2560x1440"
    assert Image.open(io.BytesIO(base64.b64decode(answer["data"][0]["b64_json"]))).size == (2560, 1440)


@pytest.mark.parametrize("model", ["sandbox-chat", "seedance-1.0", "text-embedding-3-small"])
def test_a_model_that_makes_no_pictures_is_refused(http, alice, model) -> None:
    assert_refused(generate(http, alice, model), "invalid_value", "model")
