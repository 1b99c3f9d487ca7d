"""POST /v1/embeddings: encodings, dimensions, batches, tokens; of the engine, of a pool, of a vendor, of stand-ins."""

import base64
import math
import struct
from collections.abc import Iterator

import httpx
import pytest
from openai import OpenAI

from tests.upstreams.openai import FakeOpenAI, vector_of
from tests.upstreams.replica import FakeReplica

ENGINE = "all-minilm-l6-v2"


@pytest.fixture
def engine(settings) -> Iterator[FakeReplica]:
    """A server that answers as the engine would; no vendor has credentials."""
    with FakeReplica("engine", kind="llama.cpp", models=(ENGINE,)) as fake:
        fake.behaviour.dimensions = 384
        settings.ENGINE_URL = fake.base_url.removesuffix("/v1")
        settings.PROVIDERS = {"openai": {"api_keys": [], "base_url": ""}}
        yield fake


@pytest.fixture
def client(gateway_url, alice) -> OpenAI:
    return OpenAI(api_key=alice.key, base_url=f"{gateway_url}/v1", max_retries=0)


def embed(http: httpx.Client, person, model: str = ENGINE, **fields) -> httpx.Response:
    body = {"model": model, "input": "a red ship", **fields}
    return http.post("/v1/embeddings", json=body, headers=person.headers)


def vector(response: httpx.Response) -> list[float]:
    assert response.status_code == 200, response.text
    return response.json()["data"][0]["embedding"]


def sent(fake: FakeOpenAI) -> dict:
    return next(recorded.body for recorded in reversed(list(fake.requests)) if recorded.path == "/v1/embeddings")


def length(numbers: list[float]) -> float:
    return math.hypot(*numbers)


# --- Encodings --------------------------------------------------------------------------------------------------------


def test_the_openai_client_gets_its_default_which_is_base64(client, engine) -> None:
    answer = client.embeddings.create(model=ENGINE, input="a red ship")
    assert answer.data[0].embedding == vector_of("a red ship", 384)
    assert answer.model == ENGINE
    assert answer.usage.total_tokens == 11
    assert sent(engine)["encoding_format"] == "float"


def test_both_encodings_tell_the_same_numbers(http, alice, engine) -> None:
    floats = vector(embed(http, alice))
    packed = base64.b64decode(vector(embed(http, alice, encoding_format="base64")))
    assert struct.unpack("<384f", packed) == tuple(floats)


# --- Batches ----------------------------------------------------------------------------------------------------------


def test_many_inputs_are_one_request_and_come_back_in_order(client, alice, engine) -> None:
    texts = [f"text {number}" for number in range(2048)]
    answer = client.embeddings.create(model="text-embedding-ada-002", input=texts)
    assert [row.index for row in answer.data] == list(range(2048))
    assert answer.data[700].embedding == vector_of("text 700", 384)
    assert [recorded.path for recorded in engine.requests if recorded.method == "POST"] == ["/v1/embeddings"]
    assert alice.money()[0] == 500_000 - 100  # a tenth of a credit: the engine counted 11 tokens


def test_a_batch_beyond_openais_limit_is_refused(http, alice, engine) -> None:
    response = embed(http, alice, input=["x"] * 2049)
    assert (response.status_code, response.json()["error"]["param"]) == (422, "input")


# --- What the engine's model lacks ------------------------------------------------------------------------------------


def test_other_dimensions_than_the_engines_are_a_422_and_its_own_are_fine(http, alice, engine) -> None:
    for dimensions in (256, 512):
        response = embed(http, alice, dimensions=dimensions)
        assert (response.status_code, response.json()["error"]["param"]) == (422, "dimensions")
    assert len(vector(embed(http, alice, dimensions=384))) == 384
    assert "dimensions" not in sent(engine)


def test_arrays_of_tokens_are_a_422_on_the_engine_that_says_how_to_send_texts(http, alice, engine) -> None:
    response = embed(http, alice, input=[[9906, 1917]])
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (422, "input")
    assert "check_embedding_ctx_length=False" in error["message"]
    assert len(vector(embed(http, alice, "sandbox-embedding", input=[[9906, 1917]]))) == 256


def test_a_harmless_parameter_is_left_out_and_named(http, alice, engine) -> None:
    response = embed(http, alice, user="alice")
    assert response.headers["x-arkroute-ignored-params"] == "user"
    assert "user" not in sent(engine)


def test_an_input_that_is_too_long_says_so(http, alice, engine) -> None:
    # llama.cpp's own words.
    engine.behaviour.status = 400
    engine.behaviour.raw_body = (
        '{"error":{"code":400,"message":"input (900 tokens) is larger than the max context size (512 tokens)",'
        '"type":"exceed_context_size_error","n_prompt_tokens":900,"n_ctx":512}}'
    )
    response = embed(http, alice)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert alice.money() == (500_000, 0, 1)


# --- Stand-ins --------------------------------------------------------------------------------------------------------


def test_a_stand_ins_vectors_have_the_dimensions_of_the_model_asked_for(http, alice, engine) -> None:
    response = embed(http, alice, "text-embedding-3-small")
    assert response.headers["x-arkroute-model"] == f"engine/{ENGINE}"
    assert response.headers["x-arkroute-stand-in"] == "true"
    assert vector(response) == [*vector_of("a red ship", 384), *[0.0] * (1536 - 384)]
    assert vector(embed(http, alice, "text-embedding-3-small", dimensions=512)) == [
        *vector_of("a red ship", 384),
        *[0.0] * 128,
    ]
    short = vector(embed(http, alice, "text-embedding-3-small", dimensions=100))
    assert len(short) == 100
    assert length(short) == pytest.approx(1)
    assert "dimensions" not in sent(engine)


def test_tokens_pass_over_the_engine_to_the_sandbox(http, alice, engine) -> None:
    response = embed(http, alice, "text-embedding-3-large", input=[[9906, 1917]])
    assert response.headers["x-arkroute-model"] == "sandbox/sandbox-embedding"
    assert len(vector(response)) == 3072
    assert length(vector(response)) == pytest.approx(1)


def test_without_an_engine_the_sandbox_stands_in_at_the_right_size(http, alice, settings, dead_upstream) -> None:
    settings.ENGINE_URL = settings.PROVIDERS["openai"]["base_url"].removesuffix("/v1")
    settings.PROVIDERS = {"openai": {"api_keys": [], "base_url": ""}}
    response = embed(http, alice, "text-embedding-3-small", dimensions=512)
    assert response.headers["x-arkroute-model"] == "sandbox/sandbox-embedding"
    assert len(vector(response)) == 512


# --- Vendors and pools ------------------------------------------------------------------------------------------------


def test_a_vendor_shortens_by_itself(http, alice, upstream) -> None:
    assert vector(embed(http, alice, "text-embedding-3-small", dimensions=512)) == vector_of("a red ship", 512)
    assert sent(upstream)["dimensions"] == 512
    response = embed(http, alice, "text-embedding-3-small", dimensions=1537)
    assert response.json()["error"]["param"] == "dimensions"


@pytest.fixture
def pool(settings) -> Iterator[FakeReplica]:
    with FakeReplica("a", models=("their-embedder",)) as replica:
        replica.behaviour.dimensions = 64
        entry = {"upstream": "their-embedder", "type": "embedding", "credits": 0.1, "dimensions": 64}
        models = {
            "house-embedder": entry,
            "matryoshka": {**entry, "shortens": True},
            "misnamed": {**entry, "dimensions": 80},
        }
        settings.SELFHOSTED_POOLS = {"gpus": {"replicas": [replica.base_url], "models": models}}
        yield replica


def test_a_pools_vectors_are_cut_and_renormalised_where_the_model_allows(http, alice, pool) -> None:
    whole = vector_of("a red ship", 64)
    first = vector(embed(http, alice, "matryoshka", dimensions=16))
    assert first == pytest.approx([number / length(whole[:16]) for number in whole[:16]])
    assert "dimensions" not in sent(pool)
    assert vector(embed(http, alice, "matryoshka")) == whole
    refused = embed(http, alice, "house-embedder", dimensions=16)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "dimensions")


def test_arrays_of_tokens_reach_a_pool(http, alice, pool) -> None:
    vector(embed(http, alice, "house-embedder", input=[[1, 2], [3]]))
    assert sent(pool)["input"] == [[1, 2], [3]]


def test_a_vector_of_another_size_than_was_promised_is_an_error_and_free(http, alice, pool) -> None:
    response = embed(http, alice, "misnamed", dimensions=80)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "provider_error")
    assert alice.money()[:2] == (500_000, 0)
