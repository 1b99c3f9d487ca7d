"""Start-up checks of the gateway: a catalogue that cannot be used is said before the first request needs it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info

from gateway.catalog.loader import CatalogError, load_catalogue


def check_catalogue(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Errors for the files of the catalogue and for `MODEL_ALIASES`; a notice for each model that has retired."""
    try:
        catalogue = load_catalogue()
    except CatalogError as error:
        hint = "Mend the file in gateway/catalog/data/; gateway/catalog/schema.py describes each key."
        return [Error(problem, hint=hint, id="gateway.E001") for problem in error.problems]
    aliases = settings.MODEL_ALIASES
    if not isinstance(aliases, dict) or not all(isinstance(target, str) for target in aliases.values()):
        hint = 'Write a JSON object of names, such as {"gpt-4o": "gpt-5.4"}.'
        return [Error("MODEL_ALIASES is no object of names.", hint=hint, id="gateway.E002")]
    messages: list[CheckMessage] = [
        Error(
            f"MODEL_ALIASES sends `{alias}` to `{target}`, which the catalogue lacks.",
            hint="Name an id that GET /v1/models lists.",
            id="gateway.E003",
        )
        for alias, target in aliases.items()
        if catalogue.aliases.get(target, target) not in catalogue.models
    ]
    today = datetime.now(UTC).date()
    messages += [
        Info(
            f"`{model.id}` was retired by its vendor on {model.retires}.",
            hint=f"Calls to it may fail. MODEL_ALIASES can send them to another: {', '.join(model.fallbacks)}.",
            id="gateway.I001",
        )
        for model in catalogue.models.values()
        if model.is_retired(today)
    ]
    return messages
