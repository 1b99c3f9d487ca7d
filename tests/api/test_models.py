"""`GET /v1/models` and `/v1/models/{id}`: the catalogue for programs."""

import jsonschema
import pytest


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


def test_an_unknown_address_under_v1_is_json(http) -> None:
    response = http.get("/v1/nothing")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "unknown_url"
    assert response.headers["x-request-id"].startswith("req_")
