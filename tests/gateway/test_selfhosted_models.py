"""The models that `SELFHOSTED_POOLS` names: read, found by name, and refused at the start where they are wrong."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.catalog import aliases_of, get_model, list_models
from gateway.catalog.selfhosted import PoolsError, read_models
from gateway.checks import check_catalogue
from gateway.errors import ModelNotFound

URL = "http://gpu-1:8000/v1"


def pool(**models: Any) -> dict[str, Any]:
    return {"replicas": [URL], "models": models}


def problems(pools: Any) -> list[str]:
    with pytest.raises(PoolsError) as refused:
        read_models(pools)
    return refused.value.problems


def complaints(settings) -> list[str]:
    return [message.id for message in check_catalogue(None) if message.is_serious()]


def test_a_model_takes_what_it_says_and_defaults_that_refuse_nothing() -> None:
    models = read_models(
        {
            "gpus": pool(
                **{
                    "llama-3.1-8b": {"upstream": "meta-llama/Llama-3.1-8B-Instruct", "credits": 1.5, "context": 8192},
                    "bge-m3": {"type": "embedding", "credits": "0.1", "dimensions": 512},
                    "whisper-large": {"type": "transcription"},
                }
            )
        }
    )
    llama, bge, whisper = models.values()
    assert (llama.id, llama.provider, llama.upstream) == ("llama-3.1-8b", "gpus", "meta-llama/Llama-3.1-8B-Instruct")
    assert (llama.credits, llama.chat.context, llama.chat.max_output) == (Decimal("1.5"), 8192, 8192)
    assert (llama.chat.tools, llama.chat.vision) == (True, True)
    assert (bge.upstream, bge.base, bge.embedding.dimensions) == ("bge-m3", 100, 512)
    assert (whisper.type, whisper.credits) == ("transcription", 1)


@pytest.mark.parametrize(
    ("pools", "complaint"),
    [
        ([], "no JSON object of pools"),
        ({"a": []}, "pool `a` lacks `models`"),
        ({"a": {"models": {"m": {}}}}, "pool `a` lacks `replicas`"),
        ({"a": {"models": {"m": {}}, "replicas": []}}, "pool `a` lacks `replicas`"),
        ({"a": {"models": {"m": {}}, "replicas": ["gpu-1:8000"]}}, "pool `a`: 'gpu-1:8000' is no address"),
        ({"a": pool(m={}) | {"keys": ""}}, "pool `a` has a key `keys`"),
        ({"a": pool(m={}) | {"api_key": 5}}, "pool `a`: `api_key` is no text"),
        ({"a": pool(m=5)}, "pool `a`: model `m`: it is no JSON object"),
        ({"a": pool(m={"type": "video"})}, "pool `a`: model `m`: `type` is none of chat"),
        ({"a": pool(m={"credits": 0})}, "pool `a`: model `m`: `credits` is not above 0"),
        ({"a": pool(m={"contxt": 5})}, "pool `a`: model `m`: Object contains unknown field `contxt`"),
        ({"a": pool(m={"context": -1})}, "pool `a`: model `m`: "),
        ({"a": pool(m={}), "b": pool(m={})}, "pool `b`: model `m` is in pool `a` too"),
    ],
)
def test_a_slip_is_named_with_its_pool_and_model(pools, complaint, settings) -> None:
    assert any(complaint in problem for problem in problems(pools)), problems(pools)
    settings.SELFHOSTED_POOLS = pools
    assert set(complaints(settings)) == {"gateway.E004"}


def test_pools_in_order_are_no_complaint(settings) -> None:
    settings.SELFHOSTED_POOLS = {"gpus": pool(m={})}
    assert complaints(settings) == []


@pytest.mark.parametrize("name", ["engine", "openai", "sandbox"])
def test_a_pool_takes_no_name_of_a_provider(settings, name) -> None:
    settings.SELFHOSTED_POOLS = {name: pool(m={})}
    assert complaints(settings) == ["gateway.E005"]


@pytest.mark.parametrize("name", ["", "two words", "näh", "x" * 65, "a\r\nb", "a/b"])
def test_a_pools_name_is_fit_for_a_header(settings, name) -> None:
    settings.SELFHOSTED_POOLS = {name: pool(m={})}
    assert complaints(settings) == ["gateway.E006"]


def test_a_password_in_an_address_is_refused_and_not_repeated(settings) -> None:
    settings.SELFHOSTED_POOLS = {"gpus": {"replicas": ["http://me:hunter2@gpu-1:8000/v1"], "models": {"m": {}}}}
    (error,) = [message for message in check_catalogue(None) if message.is_serious()]
    assert (error.id, "hunter2" in error.msg) == ("gateway.E007", False)


def test_a_name_or_an_alias_finds_the_operators_own_model_before_the_catalogues(settings) -> None:
    settings.SELFHOSTED_POOLS = {"gpus": pool(llama={"aliases": ["gpt-4o", "small"]}, **{"gpt-5.5": {}})}
    assert get_model("small").id == "llama"
    assert get_model("gpt-4o").provider == "gpus"
    assert get_model("gpt-5.5").provider == "gpus"
    assert aliases_of(get_model("llama")) == ["gpt-4o", "small"]
    listed = [model.id for model in list_models()]
    assert listed[:2] == ["llama", "gpt-5.5"]
    assert listed.count("gpt-5.5") == 1

    settings.SELFHOSTED_POOLS = {}
    assert get_model("gpt-5.5").provider == "openai"
    with pytest.raises(ModelNotFound):
        get_model("small")


def test_the_setting_of_aliases_may_name_them(settings) -> None:
    settings.SELFHOSTED_POOLS = {"gpus": pool(llama={"aliases": ["small"]})}
    settings.MODEL_ALIASES = {"gpt-5.5": "llama", "house": "small", "lost": "nowhere"}
    assert get_model("gpt-5.5").id == "llama"
    assert get_model("house").id == "llama"
    assert complaints(settings) == ["gateway.E003"]


def test_a_near_name_is_suggested(settings) -> None:
    settings.SELFHOSTED_POOLS = {"gpus": pool(**{"our-llama-70b": {}})}
    with pytest.raises(ModelNotFound, match="`our-llama-70b`"):
        get_model("our-lama-70b")


@pytest.mark.parametrize("fallback", ["no-such-model", "m", "text-embedding-3-small"])
def test_a_fallback_is_another_model_of_the_same_type(settings, fallback) -> None:
    settings.SELFHOSTED_POOLS = {"gpus": pool(m={"fallbacks": [fallback]})}
    assert complaints(settings) == ["gateway.E009"]
    settings.SELFHOSTED_POOLS = {"gpus": pool(m={"fallbacks": ["gpt-5.4"]})}
    assert complaints(settings) == []
