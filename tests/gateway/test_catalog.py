"""The catalogue: what the documents promise is there, and what cannot work is refused with a hint."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from django.core import checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from jsonschema import Draft202012Validator
from msgspec.structs import replace

import gateway.checks
from gateway.catalog import aliases_of, get_model, list_models, resolve_alias
from gateway.catalog.loader import CatalogError, load_catalogue
from gateway.catalog.parameters import parameters
from gateway.catalog.schema import Model
from gateway.checks import check_catalogue
from gateway.errors import ModelNotFound

MODELS = list_models()
PROVIDERS = {"google", "openai", "bytedance", "kling", "alibaba"}

SOUND = """
vendor = "Acme"

[[models]]
id = "acme-1"
upstream = "acme-one"
type = "chat"
credits = 2
description = "A model."
created = 2026-01-01
[models.chat]
context = 1000
max_output = 100
input_usd = 0.5
output_usd = 1
"""


def by_id(model: Model) -> str:
    return model.id


def load(folder: Path, text: str):
    (folder / "acme.toml").write_text(text)
    return load_catalogue(folder)


def problem_of(folder: Path, text: str) -> str:
    with pytest.raises(CatalogError) as caught:
        load(folder, text)
    return str(caught.value)


# --- What is in it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "vendor", "credits"),
    [
        ("nano-banana-2", "image", "Google", 2),
        ("seedream-4.5", "image", "ByteDance", 3),
        ("gpt-image-2", "image", "OpenAI", 50),
        ("gpt-image-1-mini", "image", "OpenAI", 3),
        ("kling-v2-master", "video", "Kuaishou", 50),
        ("seedance-1.0", "video", "ByteDance", 25),
    ],
)
def test_the_published_table_of_models_is_true(name, kind, vendor, credits):
    model = get_model(name)
    assert (model.id, model.type, model.vendor, model.credits) == (name, kind, vendor, credits)


@pytest.mark.parametrize(
    "name", ["gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.3-codex", "gpt-5.2", "codex-auto-review"]
)
def test_the_published_chat_models_cost_1_to_5_credits(name):
    model = get_model(name)
    assert model.id == name
    assert model.type == "chat"
    assert 1 <= model.credits <= 5


def test_models_named_in_the_examples_exist():
    assert get_model("seedream-5.0-lite").type == "image"
    assert get_model("seedance-1.5-pro").type == "video"


def test_there_are_at_least_35_models_of_five_providers():
    assert len([model for model in MODELS if model.provider in PROVIDERS]) >= 35
    assert {model.provider for model in MODELS} == PROVIDERS | {"engine", "sandbox"}


def test_each_of_the_five_providers_makes_pictures_or_videos():
    assert {model.provider for model in MODELS if model.type in ("image", "video")} >= PROVIDERS


def test_every_embedding_and_transcription_of_a_vendor_costs_a_tenth_of_a_credit_for_its_unit():
    units = [model for model in MODELS if model.type in ("embedding", "transcription") and model.provider in PROVIDERS]
    assert {model.credits for model in units} == {Decimal("0.1")}
    assert {model.embedding.unit_tokens for model in units if model.embedding} == {10_000}
    assert {model.transcription.unit_seconds for model in units if model.transcription} == {10}


@pytest.mark.parametrize(
    ("name", "credits"),
    [
        ("sandbox-chat", 1),
        ("sandbox-embedding", 1),
        ("sandbox-transcription", 1),
        ("sandbox-image", 1),
        ("sandbox-video", 5),
    ],
)
def test_the_sandbox_has_a_model_of_each_type(name, credits):
    assert get_model(name).credits == credits
    assert get_model(name).type == name.removeprefix("sandbox-")


def test_a_review_alias_has_low_effort():
    model = get_model("codex-auto-review")
    assert model.upstream == "gpt-5.4"
    assert model.chat.reasoning_effort == "low"


def test_models_that_retire_say_when_and_who_follows():
    mini = get_model("gpt-image-1-mini")
    assert mini.retires == date(2026, 12, 1)
    assert not mini.is_retired(date(2026, 11, 30))
    assert mini.is_retired(date(2026, 12, 1))
    for name in ("nano-banana-2", "nano-banana", "gpt-image-1-mini", "gpt-image-1.5", "openai-whisper-1"):
        assert get_model(name).fallbacks


@pytest.mark.parametrize("model", MODELS, ids=by_id)
def test_no_fallback_is_far_dearer_than_the_model_that_is_paid(model):
    for fallback in map(get_model, model.fallbacks):
        if model.chat is not None:
            assert fallback.chat.input_usd <= 2 * model.chat.input_usd
            assert fallback.chat.output_usd <= 2 * model.chat.output_usd
        else:
            assert fallback.credits <= Decimal("1.5") * model.credits


@pytest.mark.parametrize("model", MODELS, ids=by_id)
def test_a_description_is_one_plain_sentence(model):
    assert model.description.endswith(".")
    assert "\n" not in model.description
    assert len(model.description) <= 160


@pytest.mark.parametrize("model", [model for model in MODELS if model.type == "video"], ids=by_id)
def test_every_video_model_takes_the_default_call(model):
    assert 5 in model.video.durations
    assert {"16:9", "9:16"} <= set(model.video.ratios)


# --- Names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("gpt-3.5-turbo", "smollm2-135m-instruct"),
        ("gpt-4o", "smollm2-135m-instruct"),
        ("gpt-4o-mini", "smollm2-135m-instruct"),
        ("text-embedding-ada-002", "all-minilm-l6-v2"),
        ("whisper-1", "whisper-base"),
        ("dall-e-3", "nano-banana-2"),
        ("seedream-v1", "seedream-4.0"),
    ],
)
def test_an_alias_leads_to_its_model(alias, name):
    assert get_model(alias).id == name
    assert alias in aliases_of(get_model(name))


def test_the_setting_overrides_an_alias_and_adds_others(settings):
    settings.MODEL_ALIASES = {"gpt-4o": "gpt-5.4", "our-model": "gpt-4o-mini"}
    assert get_model("gpt-4o").id == "gpt-5.4"
    assert get_model("our-model").id == "smollm2-135m-instruct"
    assert aliases_of(get_model("gpt-5.4")) == ["gpt-4o"]
    assert aliases_of(get_model("smollm2-135m-instruct")) == ["gpt-3.5-turbo", "gpt-4o-mini", "our-model"]


def test_the_setting_can_send_calls_of_one_model_to_another(settings):
    settings.MODEL_ALIASES = {"gpt-5.2": "gpt-5.4"}
    assert get_model("gpt-5.2").id == "gpt-5.4"


def test_an_id_is_no_alias_of_itself():
    assert resolve_alias("gpt-5.5") == "gpt-5.5"
    assert aliases_of(get_model("gpt-5.5")) == []


def test_a_slip_of_the_pen_is_told_the_near_names():
    with pytest.raises(ModelNotFound) as caught:
        get_model("nano-bannana-2")
    assert "`nano-banana-2`" in caught.value.message
    assert "/v1/models" in caught.value.message
    assert caught.value.param == "model"


@pytest.mark.parametrize("name", ["", "x" * 5000, "模型", "../../etc/passwd"])
def test_nonsense_is_no_model(name):
    with pytest.raises(ModelNotFound) as caught:
        get_model(name)
    assert len(caught.value.message) < 400


# --- Strictness ------------------------------------------------------------------------------------------------------


def test_a_sound_file_is_read(tmp_path):
    model = load(tmp_path, SOUND).models["acme-1"]
    assert (model.provider, model.vendor, model.credits) == ("acme", "Acme", 2)
    assert model.chat.input_usd == Decimal("0.5")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("credits = 2", "credits = 2\ncolour = 'red'", "colour"),
        ("max_output = 100", "max_output = 100\nspeed = 1", "$.chat"),
        ("credits = 2\n", "", "credits"),
        ("credits = 2", "credits = 'two'", "credits"),
        ("credits = 2", "credits = 0", "credits"),
        ("credits = 2", "credits = -1", "credits"),
        ("credits = 2", "credits = 0.0001", "credits"),
        ("context = 1000", "context = 1000.5", "$.chat.context"),
        ("context = 1000", "context = true", "$.chat.context"),
        ("max_output = 100", "max_output = 1001", "max_output"),
        ("max_output = 100", "max_output = 0", "$.chat.max_output"),
        ("input_usd = 0.5", "input_usd = -0.5", "$.chat"),
        ("input_usd = 0.5", "input_usd = 0.00000001", "$.chat"),
        ("output_usd = 1", "output_usd = 1\ncached_usd = 0.6", "cached"),
        (
            "output_usd = 1",
            "output_usd = 1\nlong_context = [{above = 500, input_usd = 0.4, output_usd = 2}]",
            "long_context",
        ),
        ("created = 2026-01-01", "created = 'new'", "created"),
        ('type = "chat"', 'type = "poem"', "$.type"),
        ('type = "chat"', 'type = "image"', "`chat`"),
        ("[models.chat]", "[models.embedding]\ndimensions = 8\n[models.chat]", "`embedding`"),
        ("credits = 2", 'credits = 2\nprovider = "other"', "provider"),
        ("credits = 2", "credits = 2\nmultipliers.tier = {2K = 2}", "multipliers.tier.2K"),
        ("credits = 2", 'credits = 2\nfallbacks = ["acme-2"]', "acme-2"),
        ("credits = 2", 'credits = 2\nfallbacks = ["acme-1"]', "acme-1"),
        ("credits = 2", "credits = 2\nretires = 2027-01-01", "fallbacks"),
        ("credits = 2", 'credits = 2\naliases = ["acme-1"]', "alias"),
    ],
)
def test_a_fault_is_told_with_its_file_its_model_and_its_key(tmp_path, old, new, named):
    assert old in SOUND
    problem = problem_of(tmp_path, SOUND.replace(old, new, 1))
    assert problem.startswith("acme.toml: model `acme-1`: ")
    assert named in problem


@pytest.mark.parametrize(
    "text",
    [
        "models = 5",
        "vendor = 'Acme'",
        "vendor = 'Acme'\nmodels = [1]",
        "credits = ",
        "vendor = 'A'\nx = 1\nmodels = []",
    ],
)
def test_a_file_that_is_no_catalogue_is_named(tmp_path, text):
    assert problem_of(tmp_path, text).startswith("acme.toml: ")


def test_an_empty_folder_is_no_catalogue(tmp_path):
    with pytest.raises(CatalogError, match="no models"):
        load_catalogue(tmp_path)


def test_one_id_cannot_stand_in_two_files(tmp_path):
    (tmp_path / "zeta.toml").write_text(SOUND)
    problem = problem_of(tmp_path, SOUND)
    assert problem == "zeta.toml: model `acme-1`: `id` is taken by acme.toml"


def test_all_faults_are_told_at_once(tmp_path):
    (tmp_path / "zeta.toml").write_text(SOUND.replace("acme-1", "zeta-1").replace("credits = 2", "credits = 0"))
    problem = problem_of(tmp_path, SOUND.replace("context = 1000", "context = 0"))
    assert "acme.toml" in problem
    assert "zeta.toml" in problem


def test_a_fallback_is_of_the_same_type_and_outlives_the_model(tmp_path):
    other = """
[[models]]
id = "acme-e"
upstream = "e"
type = "embedding"
credits = 1
description = "E."
created = 2026-01-01
embedding = {dimensions = 8}
"""
    problem = problem_of(tmp_path, SOUND.replace("credits = 2", 'credits = 2\nfallbacks = ["acme-e"]') + other)
    assert "another type" in problem


IMAGE = """
vendor = "Acme"

[[models]]
id = "acme-1"
upstream = "acme-one"
type = "image"
credits = 2
description = "A model."
created = 2026-01-01
[models.image]
tiers = { 1K = "1024x1024" }
"""


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"1024x1024"', '"1024"', "1024"),
        ('"1024x1024"', '"9000x9000"', "1K"),
        ('"1024x1024" }', '"1024x1024" }\nsizes = ["10x"]', "10x"),
        ('"1024x1024" }', '"1024x1024" }\nsizes = ["512x512"]', "1K"),
        ('{ 1K = "1024x1024" }', "{}", "tiers"),
        ('"1024x1024" }', '"1024x1024" }\nformats = []', "formats"),
        ('"1024x1024" }', '"1024x1024" }\ndefault_quality = "best"', "default_quality"),
        ("credits = 2", "credits = 2\nmultipliers.tier = {1K = 0}", "multipliers.tier.1K"),
        ("credits = 2", "credits = 2\nmultipliers.quality = {high = 2}", "multipliers.quality.high"),
    ],
)
def test_a_fault_of_a_picture_model_is_told(tmp_path, old, new, named):
    assert old in IMAGE
    assert named in problem_of(tmp_path, IMAGE.replace(old, new, 1))


# --- Start-up checks -------------------------------------------------------------------------------------------------


def test_the_catalogue_passes_the_checks():
    assert [message for message in check_catalogue(None) if message.level > checks.INFO] == []


def test_a_broken_catalogue_stops_the_check_command_with_a_hint(tmp_path, monkeypatch):
    (tmp_path / "acme.toml").write_text(SOUND.replace("credits = 2", "credits = 0"))
    monkeypatch.setattr(gateway.checks, "load_catalogue", lambda: load_catalogue(tmp_path))
    with pytest.raises(SystemCheckError) as caught:
        call_command("check", tags=["catalogue"])
    assert "acme.toml: model `acme-1`" in str(caught.value)
    assert "HINT" in str(caught.value)


def test_an_alias_to_nowhere_stops_the_start(settings):
    settings.MODEL_ALIASES = {"gpt-4o": "nowhere-1", "gpt-4": "gpt-4o-mini"}
    (error,) = [message for message in check_catalogue(None) if message.is_serious()]
    assert "nowhere-1" in error.msg
    assert error.hint


@pytest.mark.parametrize("aliases", [["gpt-4o"], {"gpt-4o": 5}])
def test_aliases_that_are_no_names_stop_the_start(settings, aliases):
    settings.MODEL_ALIASES = aliases
    assert [message.id for message in check_catalogue(None)] == ["gateway.E002"]


def test_a_retired_model_is_a_notice_that_stops_nothing(tmp_path, monkeypatch):
    retired = SOUND.replace("credits = 2", 'credits = 2\nretires = 2026-01-02\nfallbacks = ["acme-2"]', 1)
    rows = SOUND.replace('vendor = "Acme"', "").replace("acme-1", "acme-2")
    catalogue = load(tmp_path, retired + rows)
    monkeypatch.setattr(gateway.checks, "load_catalogue", lambda: catalogue)
    (notice,) = check_catalogue(None)
    assert notice.level == checks.INFO
    assert "acme-1" in notice.msg
    assert "acme-2" in notice.hint


@pytest.mark.parametrize(("price", "ids"), [("output_usd = 0", ["gateway.E008"]), ("output_usd = 1", [])])
def test_a_vendors_chat_model_without_a_price_for_tokens_stops_the_start(tmp_path, monkeypatch, settings, price, ids):
    settings.PROVIDERS = {"acme": {"api_keys": [], "base_url": ""}}
    catalogue = load(tmp_path, SOUND.replace("output_usd = 1", price))
    monkeypatch.setattr(gateway.checks, "load_catalogue", lambda: catalogue)
    assert [message.id for message in check_catalogue(None) if message.is_serious()] == ids


# --- The schema of parameters ----------------------------------------------------------------------------------------

BODIES = {
    "chat": {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 100},
    "embedding": {"input": ["a", "b"], "encoding_format": "base64"},
    "transcription": {"file": "speech.mp3", "response_format": "json"},
    "image": {"prompt": "a cat", "n": 1, "size": "1024x1024", "response_format": "url"},
    "video": {"prompt": "a dance", "image": "aGk=", "duration": 5, "aspect_ratio": "16:9"},
}


@pytest.mark.parametrize("model", MODELS, ids=by_id)
def test_the_schema_is_valid_and_takes_the_documented_call(model):
    schema = parameters(model)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    body = {"model": model.id, **BODIES[model.type]}
    assert list(validator.iter_errors(body)) == []
    required = next(iter(BODIES[model.type]))
    assert not validator.is_valid({name: value for name, value in body.items() if name != required})
    assert not validator.is_valid({**body, "model": "another"})
    assert msgspec.json.decode(msgspec.json.encode(schema)) == schema


@pytest.mark.parametrize("model", MODELS, ids=by_id)
def test_every_field_has_a_title_and_a_description_and_its_default_is_allowed(model):
    for name, field in parameters(model)["properties"].items():
        assert field["title"], name
        assert field["description"], name
        if "default" in field:
            Draft202012Validator(field).validate(field["default"])


@pytest.mark.parametrize("model", [model for model in MODELS if model.type == "image"], ids=by_id)
def test_every_image_schema_takes_the_common_sizes_and_no_nonsense(model):
    size = Draft202012Validator(parameters(model)["properties"]["size"])
    for value in ("1024x1024", "1536x1024", "1024x1536", "2K", "auto", *model.image.tiers, *model.image.sizes):
        assert size.is_valid(value)
    for value in ("banana", "0x5", "-5x5", "1024", "1024 x 1024", 5):
        assert not size.is_valid(value)


def test_a_schema_offers_what_the_model_has():
    assert "quality" in parameters(get_model("gpt-image-2"))["properties"]
    assert "quality" not in parameters(get_model("nano-banana-2"))["properties"]
    assert "image" not in parameters(get_model("wan2.7-t2v"))["properties"]
    assert "image" in parameters(get_model("wan2.7-i2v"))["required"]
    assert "dimensions" not in parameters(get_model("all-minilm-l6-v2"))["properties"]
    assert parameters(get_model("kling-v2-master"))["properties"]["duration"]["enum"] == [5, 10]
    assert "dimensions" in parameters(get_model("text-embedding-3-small"))["properties"]


def test_a_schema_leaves_out_what_the_model_lacks():
    properties = parameters(get_model("smollm2-135m-instruct"))["properties"]
    assert properties["n"]["maximum"] == 4
    assert properties["tool_choice"]["anyOf"][0]["enum"] == ["required"]
    model = get_model("smollm2-135m-instruct")
    lacking = replace(model, chat=replace(model.chat, forced_tools=False, refuses=("seed",), ignores=("stop",)))
    assert {"tools", "tool_choice", "seed", "stop"}.isdisjoint(parameters(lacking)["properties"])
    words = parameters(get_model("all-minilm-l6-v2"))["properties"]["input"]["anyOf"]
    assert all(kind.get("items", kind)["type"] == "string" for kind in words)
