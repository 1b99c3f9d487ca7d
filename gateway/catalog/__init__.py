"""Which models there are, what each can do and costs (`data/*.toml`), and how a name finds its model.

Belongs here: facts about models. Does not: whether a provider is configured (gateway.routing), what a call costs
(gateway.pricing).
"""

from difflib import get_close_matches

from django.conf import settings

from gateway.catalog.loader import CatalogError, load_catalogue
from gateway.catalog.schema import Model
from gateway.errors import ModelNotFound

__all__ = ["CatalogError", "Model", "aliases_of", "get_model", "list_models", "resolve_alias"]


def get_model(name: str) -> Model:
    """The model that `name`, an id or an alias, stands for. Raises `ModelNotFound`, which suggests near names."""
    model = load_catalogue().models.get(resolve_alias(name))
    if model is None:
        raise ModelNotFound(_not_found(name), param="model")
    return model


def resolve_alias(name: str) -> str:
    """The id that `name` stands for; `name` itself where it is no alias.

    The setting `MODEL_ALIASES` comes first, even before an id of the catalogue, so that an operator can send calls of
    one model to another. What it names may be an alias of the catalogue.
    """
    name = settings.MODEL_ALIASES.get(name, name)
    return load_catalogue().aliases.get(name, name)


def list_models() -> list[Model]:
    """All models of the catalogue, those of one provider together."""
    return list(load_catalogue().models.values())


def aliases_of(model: Model) -> list[str]:
    """The other names that lead to `model` now, sorted."""
    names = {*settings.MODEL_ALIASES, *load_catalogue().aliases}
    return sorted(name for name in names if name != model.id and resolve_alias(name) == model.id)


def _not_found(name: str) -> str:
    catalogue = load_catalogue()
    known = [*catalogue.models, *catalogue.aliases, *settings.MODEL_ALIASES]
    near = get_close_matches(name[:100].lower(), known, n=3)
    hint = f" Did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
    return f"There is no model `{name[:100]}`.{hint} GET /v1/models lists all models."
