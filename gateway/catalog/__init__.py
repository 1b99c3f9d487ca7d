"""Which models there are, what each can do and costs (`data/*.toml`), and how a name finds its model.

Belongs here: facts about models. Does not: whether a provider is configured (gateway.routing), what a call costs
(gateway.pricing).
"""

from difflib import get_close_matches
from typing import Any

from django.conf import settings
from msgspec import Struct

from gateway.catalog.loader import CatalogError, load_catalogue
from gateway.catalog.schema import Model
from gateway.catalog.selfhosted import read_models
from gateway.errors import ModelNotFound

__all__ = ["CatalogError", "Model", "aliases_of", "get_model", "list_models", "resolve_alias"]


class _Known(Struct):
    """The models of the pools that `made_of`, the setting's value, names."""

    models: dict[str, Model]
    made_of: Any = None


_known = _Known({})


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
    name = settings.MODEL_ALIASES.get(name, name)
    own = selfhosted_models()
    if own:
        if name in own:
            return name
        for model in own.values():
            if name in model.aliases:
                return model.id
    return load_catalogue().aliases.get(name, name)


def list_models() -> list[Model]:
    """All models: the operator's own, then those of the catalogue, those of one provider together."""
    own = selfhosted_models()
    return [*own.values(), *(model for model in load_catalogue().models.values() if model.id not in own)]


def aliases_of(model: Model) -> list[str]:
    """The other names that lead to `model` now, sorted."""
    names = {*settings.MODEL_ALIASES, *load_catalogue().aliases, *model.aliases}
    return sorted(name for name in names if name != model.id and resolve_alias(name) == model.id)


def selfhosted_models() -> dict[str, Model]:
    """The models of `SELFHOSTED_POOLS`, by id. Raises `PoolsError` where the setting is faulty."""
    if _known.made_of is not settings.SELFHOSTED_POOLS:
        _known.models = read_models(settings.SELFHOSTED_POOLS)
        _known.made_of = settings.SELFHOSTED_POOLS
    return _known.models


def _not_found(name: str) -> str:
    catalogue = load_catalogue()
    known = [*selfhosted_models(), *catalogue.models, *catalogue.aliases, *settings.MODEL_ALIASES]
    near = get_close_matches(name[:100].lower(), known, n=3)
    hint = f" Did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
    return f"There is no model `{name[:100]}`.{hint} GET /v1/models lists all models."
