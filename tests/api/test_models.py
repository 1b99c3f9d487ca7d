"""`GET /v1/models` and `/v1/models/{id}`: the catalogue for programs."""

from decimal import Decimal

import jsonschema
import msgspec
import pytest

from api.views import models
from gateway.catalog.loader import load_catalogue


def test_the_list_needs_no_key_and_shows_what_a_client_chooses_by(http) -> None:
    response = http.get("/v1/models")
    assert response.status_code == 200
    answer = response.json()
    assert answer["object"] == "list"
    models = {model["id"]: model for model in answer["data"]}
    assert len(models) > 40
    assert len({model["provider"] for model in models.values()} - {"sandbox", "engine"}) == 5
    model = models["nano-banana-2"]
    assert (model["object"], model["owned_by"], model["provider"], model["type"]) == (
        "model",
        "google",
        "google",
        "image",
    )
    assert model["created"] > 1_700_000_000
    assert (model["pricing"]["unit"], model["pricing"]["credits"]) == ("image", 2)
    assert "dall-e-3" in model["aliases"]
    for one in models.values():
        jsonschema.Draft202012Validator.check_schema(one["parameters"])
        assert one["pricing"]["credits"] > 0


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/", "/models"])
def test_every_spelling_of_the_list(http, path) -> None:
    assert http.get(path).json()["object"] == "list"


@pytest.mark.parametrize("path", ["/v1/models/gpt-5.5", "/v1/models/gpt-5.5/", "/models/gpt-5.5"])
def test_one_model(http, path) -> None:
    assert http.get(path).json()["id"] == "gpt-5.5"


def test_an_alias_answers_under_its_own_name(http) -> None:
    assert http.get("/v1/models/dall-e-3").json()["id"] == "dall-e-3"


def test_an_unknown_model_is_404_and_suggests(http) -> None:
    response = http.get("/v1/models/nano-bananna-2")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert "nano-banana-2" in response.json()["error"]["message"]


def test_a_good_key_is_welcome_and_a_bad_one_is_401(http, alice) -> None:
    response = http.get("/v1/models", headers=alice.headers)
    assert response.status_code == 200
    assert response.headers["x-ratelimit-limit-requests"] == "3000"
    assert http.get("/v1/models", headers={"authorization": "Bearer ark-bad"}).status_code == 401


def test_where_stand_ins_are_off_only_what_is_configured_is_listed(http, settings) -> None:
    settings.ARKROUTE_STAND_INS = False
    settings.PROVIDERS = {"openai": {"api_keys": ["sk-1"], "base_url": "http://127.0.0.1:1/v1"}}
    providers = {model["provider"] for model in http.get("/v1/models").json()["data"]}
    assert providers == {"openai", "engine"}
    assert http.get("/v1/models/nano-banana-2").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"),
        ("GET", "/v1"),
        ("GET", "//v1/models"),
        ("GET", "/V1/models"),
        ("POST", "/completions"),
        ("POST", "/v1//chat/completions"),
        ("DELETE", "/nothing"),
    ],
)
def test_an_unknown_address_of_the_api_is_json(http, method, path) -> None:
    response = http.request(method, http.base_url.copy_with(raw_path=path.encode()))
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "unknown_url"
    assert response.headers["x-request-id"].startswith("req_")


def test_an_unknown_address_asked_for_with_a_key_is_json_and_without_a_page(http, alice) -> None:
    assert http.get("/nothing", headers=alice.headers).json()["error"]["code"] == "unknown_url"
    assert http.get("/nothing").headers["content-type"].startswith("text/html")


def test_a_model_is_rendered_once_until_it_or_its_aliases_change(http, settings, monkeypatch) -> None:
    first = http.get("/v1/models")
    rendered = []
    render = models.model_object
    monkeypatch.setattr(models, "model_object", lambda model: rendered.append(model.id) or render(model))
    assert http.get("/v1/models").content == first.content
    assert rendered == []

    settings.MODEL_ALIASES = {**settings.MODEL_ALIASES, "our-name": "gpt-5.5"}
    listed = {model["id"]: model for model in http.get("/v1/models").json()["data"]}
    assert "our-name" in listed["gpt-5.5"]["aliases"]
    assert rendered == ["gpt-5.5"]

    known = load_catalogue().models
    dearer = msgspec.structs.replace(known["gpt-5.4"], credits=known["gpt-5.4"].credits + Decimal(1))
    monkeypatch.setitem(known, "gpt-5.4", dearer)
    listed = {model["id"]: model for model in http.get("/v1/models").json()["data"]}
    assert listed["gpt-5.4"]["pricing"]["credits"] == dearer.credits
    assert rendered == ["gpt-5.5", "gpt-5.4"]
