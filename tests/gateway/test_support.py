"""What a model takes of a request: what is refused, what is left out, and what says nothing."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway.catalog import get_model, list_models
from gateway.catalog.schema import ChatSpec, EmbeddingSpec, Model
from gateway.catalog.selfhosted import PoolsError, read_models
from gateway.errors import InvalidValue
from gateway.requests.chat import parse_chat
from gateway.requests.embeddings import parse_embedding
from gateway.requests.support import check_support, ignored_params, lacks
from gateway.types import ChatRequest, EmbeddingRequest, TranscriptionRequest

ENGINE = "smollm2-135m-instruct"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
GRAMMAR = {"type": "custom", "custom": {"name": "sql"}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def chat(model: str = ENGINE, **fields: Any) -> ChatRequest:
    return parse_chat({"model": model, "messages": [{"role": "user", "content": "hi"}], **fields})


def embedding(model: str = "all-minilm-l6-v2", **fields: Any) -> EmbeddingRequest:
    return parse_embedding({"model": model, "input": "hi", **fields})


def pool_model(**keys: Any) -> Model:
    return read_models({"gpus": {"replicas": ["http://gpu-1:8000/v1"], "models": {"m": keys}}})["m"]


# --- Refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [WEATHER]}, "tools"),
        ({"tools": [WEATHER], "tool_choice": "auto"}, "tools"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
        ({"tools": [WEATHER, GRAMMAR], "tool_choice": "required"}, "tools[1]"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "weather"}]}, "functions"),
        ({"function_call": {"name": "weather"}}, "function_call"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"moderation": {"model": "omni"}}, "moderation"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"n": 5}, "n"),
    ],
)
def test_what_the_engine_cannot_do_is_named(fields, param):
    assert lacks(get_model(ENGINE), chat(**fields)) == param


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (PICTURE, "image_url"),
        ({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}, "input_audio"),
        ({"type": "file", "file": {"file_data": "data:,"}}, "file"),
        ({"type": "refusal", "refusal": "no"}, "refusal"),
    ],
)
def test_a_part_that_the_engine_cannot_read_is_named_by_its_place(part, kind):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, part]},
    ]
    assert lacks(get_model(ENGINE), chat(messages=messages)) == f"messages[1].content[1].{kind}"


@pytest.mark.parametrize("vendor", ["openai", "google", "bytedance", "alibaba"])
def test_no_vendors_chat_model_is_sent_what_costs_extra(vendor):
    models = [model for model in list_models() if model.provider == vendor and model.chat is not None]
    assert models
    for model in models:
        assert lacks(model, chat(web_search_options={})) == "web_search_options", model.id
        assert {"service_tier", "store"} <= set(model.chat.ignores), model.id


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        ("qwen3.8-flash", {"enable_search": True}, "enable_search"),
        ("qwen3.7-max", {"search_options": {"forced_search": True}}, "search_options"),
        ("gemini-3.8-flash", {"extra_body": {"google": {"cached_content": "cachedContents/x"}}}, "extra_body"),
        ("gemini-3.1-pro", {"google": {"cached_content": "cachedContents/x"}}, "google"),
    ],
)
def test_what_vendors_have_of_their_own_and_bill_apart_is_named(model, fields, param):
    assert lacks(get_model(model), chat(**fields)) == param


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [WEATHER], "tool_choice": "required"},
        {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
        {"tools": [WEATHER], "tool_choice": "none"},
        {"n": 4, "temperature": 0, "top_p": 0.5, "stop": ["x"], "seed": 1, "logit_bias": {"60": -100}},
        {"logprobs": True, "top_logprobs": 20, "frequency_penalty": 1, "presence_penalty": -1},
        {"response_format": {"type": "json_object"}, "max_completion_tokens": 5},
        {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 5},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
    ],
)
def test_what_the_engine_can_do_is_taken(fields):
    assert lacks(get_model(ENGINE), chat(**fields)) is None
    assert ignored_params(get_model(ENGINE), chat(**fields)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [], "functions": [], "web_search_options": None, "audio": None, "n": None},
        {"n": 1, "modalities": ["text"], "tool_choice": "none", "function_call": "auto"},
        {"tool_choice": "auto", "parallel_tool_calls": True, "store": False, "metadata": {}, "user": None},
        {"service_tier": "auto"},
    ],
)
def test_a_value_that_says_what_its_absence_says_is_not_sent(fields):
    assert lacks(get_model(ENGINE), chat(**fields)) is None
    assert ignored_params(get_model(ENGINE), chat(**fields)) == []


def test_the_refusal_names_the_parameter_and_says_what_to_do():
    with pytest.raises(InvalidValue) as caught:
        check_support(get_model("gpt-4o"), chat("gpt-4o", tools=[WEATHER]))
    assert caught.value.param == "tools"
    assert "`smollm2-135m-instruct`, which `gpt-4o` stands for here" in caught.value.message
    assert "`tool_choice` is `required`" in caught.value.message
    with pytest.raises(InvalidValue, match="`n` is at most 4 for `smollm2-135m-instruct`"):
        check_support(get_model(ENGINE), chat(n=8))


@pytest.mark.parametrize(
    "model",
    [
        model
        for model in list_models()
        if model.chat and model.provider == "openai" and model.chat.api == "chat_completions"
    ],
)
def test_no_chat_of_openais_has_parameters_refused_or_left_out_here(model):
    body = {"tools": [WEATHER], "n": 8, "user": "u", "audio": {"voice": "alloy"}, "functions": [{"name": "f"}]}
    check_support(model, chat(model.id, **body))
    assert ignored_params(model, chat(model.id, **body)) == []


# --- Left out --------------------------------------------------------------------------------------------------------


def test_harmless_parameters_are_told_in_the_order_sent():
    request = chat(verbosity="low", temperature=0, store=True, user="alice", reasoning_effort="high")
    assert ignored_params(get_model(ENGINE), request) == ["verbosity", "store", "user", "reasoning_effort"]
    assert lacks(get_model(ENGINE), request) is None
    assert ignored_params(get_model("all-minilm-l6-v2"), embedding(user="alice")) == ["user"]


# --- Embeddings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "fields", "param", "hint"),
    [
        ("all-minilm-l6-v2", {"dimensions": 256}, "dimensions", "384 dimensions and no others"),
        ("all-minilm-l6-v2", {"input": [[1, 2], [3]]}, "input", "check_embedding_ctx_length=False"),
        ("text-embedding-3-small", {"dimensions": 1537}, "dimensions", "at most 1536"),
    ],
)
def test_an_embedding_that_a_model_cannot_make_is_refused(model, fields, param, hint):
    with pytest.raises(InvalidValue) as caught:
        check_support(get_model(model), embedding(model, **fields))
    assert caught.value.param == param
    assert hint in caught.value.message


def test_a_stand_in_is_not_bound_to_the_dimensions_asked_for():
    stand_in = get_model("all-minilm-l6-v2")
    assert lacks(stand_in, embedding("text-embedding-3-small", dimensions=512)) is None
    assert lacks(stand_in, embedding("text-embedding-3-small", input=[[1, 2]])) == "input"
    assert lacks(get_model("sandbox-embedding"), embedding("text-embedding-3-small", input=[[1, 2]])) is None


def test_inputs_are_counted_by_the_models_own_limit():
    model = get_model("all-minilm-l6-v2")
    assert model.embedding is not None
    small = replace(model, embedding=replace(model.embedding, max_inputs=2))
    check_support(small, embedding(input=["a", "b"]))
    with pytest.raises(InvalidValue, match="takes 2 inputs at once"):
        check_support(small, embedding(input=["a", "b", "c"]))


# --- Transcriptions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, None),
        ({"words": True, "format": "verbose_json"}, None),
        ({"seconds": 7200.0}, "file"),
        ({"format": "diarized_json"}, "response_format"),
    ],
)
def test_a_recording_that_a_stand_in_cannot_take_goes_to_the_next(fields, param):
    request = TranscriptionRequest(
        **{"model": "gpt-transcribe", "audio": b"", "filename": "a.mp3", "seconds": 9.0, **fields}
    )
    assert lacks(get_model("whisper-base"), request) == param


# --- Pools -----------------------------------------------------------------------------------------------------------


def test_a_pools_model_takes_everything_unless_its_entry_says_otherwise():
    body = {"tools": [WEATHER], "n": 9, "user": "u", "messages": [{"role": "user", "content": [PICTURE]}]}
    assert lacks(pool_model(), chat("m", **body)) is None
    assert ignored_params(pool_model(), chat("m", **body)) == []
    assert lacks(pool_model(tools=False), chat("m", **body)) == "tools"
    assert lacks(pool_model(tools=False), chat("m", **{**body, "tool_choice": "required"})) == "tools"
    assert lacks(pool_model(vision=False), chat("m", **body)) == "messages[0].content[0].image_url"
    assert lacks(pool_model(max_n=1), chat("m", **body)) == "n"
    body["messages"][0]["content"][0] = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    assert lacks(pool_model(), chat("m", **body)) == "messages[0].content[0].image_url.url"
    assert lacks(pool_model(image_urls=True), chat("m", **body)) is None
    assert lacks(pool_model(refuses=["logit_bias"]), chat("m", logit_bias={"5": 1})) == "logit_bias"
    assert ignored_params(pool_model(ignores=["seed"]), chat("m", seed=5)) == ["seed"]


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"refuses": ["colour"]}, "colour"),
        ({"ignores": ["messages"]}, "messages"),
        ({"ignores": ["user"], "refuses": ["user"]}, "user"),
        ({"ignores": ["user", "user"]}, "user"),
        ({"forced_tools": True}, "forced_tools"),
        ({"type": "embedding", "refuses": ["tools"]}, "tools"),
    ],
)
def test_a_list_that_cannot_be_meant_stops_the_start(keys, named):
    with pytest.raises(PoolsError, match=named):
        pool_model(**keys)


def test_the_catalogue_names_only_parameters_of_openais():
    with pytest.raises(ValueError, match="colour"):
        msgspec.convert(
            {"context": 9, "max_output": 9, "input_usd": 0, "output_usd": 0, "ignores": ["colour"]}, ChatSpec
        )
    with pytest.raises(ValueError, match="input"):
        msgspec.convert({"dimensions": 9, "refuses": ["input"]}, EmbeddingSpec)
