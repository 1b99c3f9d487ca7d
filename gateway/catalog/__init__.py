"""Which models there are, what each can do and costs (`data/*.toml`), and how a name finds its model.

Belongs here: facts about models. Does not: whether a provider is configured (gateway.routing), what a call costs
(gateway.pricing).
"""

from difflib import get_close_matches
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from gateway.catalog.loader import CatalogError, load_catalogue
from gateway.catalog.schema import Model
from gateway.catalog.selfhosted import read_models
from gateway.errors import ModelNotFound

__all__ = ["CatalogError", "Model", "aliases_of", "get_model", "list_models", "resolve_alias"]


def get_model(name: str) -> Model:
    """The model that `name`, an id or an alias, stands for. Raises `ModelNotFound`, which suggests near names."""
    model_id = resolve_alias(name)
    model = selfhosted_models().get(model_id) or load_catalogue().models.get(model_id)
    if model is None:
        raise ModelNotFound(_not_found(name), param="model")
    return model


def resolve_alias(name: str) -> str:
    """The id that `name` stands for; `name` itself where it is no alias.

    The setting `MODEL_ALIASES` comes first, even before an id of the catalogue, so that an operator can send calls of
    one model to another. What it names may be an alias of the catalogue. The operator's own models, with their
    aliases, come before those of the catalogue.
    """
    return _ids().get(name, name)


def list_models() -> list[Model]:
    """All models: the operator's own, then those of the catalogue, those of one provider together."""
    own = selfhosted_models()
    return [*own.values(), *(model for model in load_catalogue().models.values() if model.id not in own)]


def aliases_of(model: Model) -> list[str]:
    """The other names that lead to `model` now, sorted."""
    names = {*settings.MODEL_ALIASES, *load_catalogue().aliases, *model.aliases}
    return sorted(name for name in names if name != model.id and resolve_alias(name) == model.id)


@cache
def selfhosted_models() -> dict[str, Model]:
    """The models of `SELFHOSTED_POOLS`, by id. Raises `PoolsError` where the setting is faulty."""
    return read_models(settings.SELFHOSTED_POOLS)


@cache
def _ids() -> dict[str, str]:
    """What each alias stands for."""
    own = selfhosted_models()
    ids = load_catalogue().aliases | {alias: model.id for model in own.values() for alias in model.aliases}
    ids = {alias: model_id for alias, model_id in ids.items() if alias not in own}
    return ids | {alias: ids.get(name, name) for alias, name in settings.MODEL_ALIASES.items()}


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in ("SELFHOSTED_POOLS", "MODEL_ALIASES"):
        selfhosted_models.cache_clear()
        _ids.cache_clear()


# Settings change under test alone; looking each time whether they did would cost every call.
setting_changed.connect(_forget)


def _not_found(name: str) -> str:
    catalogue = load_catalogue()
    known = [*selfhosted_models(), *catalogue.models, *catalogue.aliases, *settings.MODEL_ALIASES]
    near = get_close_matches(name[:100].lower(), known, n=3)
    hint = f" Did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
    return f"There is no model `{name[:100]}`.{hint} GET /v1/models lists all models."
