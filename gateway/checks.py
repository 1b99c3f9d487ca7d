"""Start-up checks of the gateway: what cannot be used, a catalogue or a pool, is said before a request needs it."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning

from gateway.catalog import resolve_alias, selfhosted_models
from gateway.catalog.loader import CatalogError, load_catalogue
from gateway.catalog.schema import ChatSpec
from gateway.catalog.selfhosted import PoolsError
from gateway.pools.replica import hide_password

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_catalogue(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Errors for the files of the catalogue, for `MODEL_ALIASES` and `SELFHOSTED_POOLS`; a notice for each model that
    has retired."""
    try:
        catalogue = load_catalogue()
    except CatalogError as error:
        hint = "Mend the file in gateway/catalog/data/; gateway/catalog/schema.py describes each key."
        return [Error(problem, hint=hint, id="gateway.E001") for problem in error.problems]
    try:
        own = selfhosted_models()
    except PoolsError as error:
        hint = "gateway/catalog/selfhosted.py shows how it is written."
        return [Error(f"SELFHOSTED_POOLS: {problem}.", hint=hint, id="gateway.E004") for problem in error.problems]
    aliases = settings.MODEL_ALIASES
    if not isinstance(aliases, dict) or not all(isinstance(target, str) for target in aliases.values()):
        hint = 'Write a JSON object of names, such as {"gpt-4o": "gpt-5.4"}.'
        return [Error("MODEL_ALIASES is no object of names.", hint=hint, id="gateway.E002")]
    messages: list[CheckMessage] = [*_check_pools({model.provider for model in catalogue.models.values()})]
    messages += [
        Error(
            f"MODEL_ALIASES sends `{alias}` to `{target}`, which is no model here.",
            hint="Name an id that GET /v1/models lists.",
            id="gateway.E003",
        )
        for alias, target in aliases.items()
        if (model_id := resolve_alias(alias)) not in catalogue.models and model_id not in own
    ]
    known = {**catalogue.models, **own}
    messages += [
        Error(
            f"SELFHOSTED_POOLS: `{model.id}` has the fallback `{name}`, which is no other model here of its type.",
            hint="Name an id that GET /v1/models lists.",
            id="gateway.E009",
        )
        for model in own.values()
        for name in model.fallbacks
        if name == model.id or (fallback := known.get(resolve_alias(name))) is None or fallback.type != model.type
    ]
    today = datetime.now(UTC).date()
    messages += [
        Info(
            f"`{model.id}` was retired by its vendor on {model.retires}.",
            hint=f"Calls to it go to {', '.join(model.fallbacks)} first, where there are keys for that.",
            id="gateway.I001",
        )
        for model in catalogue.models.values()
        if model.is_retired(today)
    ]
    messages += [
        Error(
            f"`{model.id}` of {model.vendor} has no price for tokens: any request would cost {model.credits} credits.",
            hint="Set `input_usd` and `output_usd` to the vendor's list price.",
            id="gateway.E008",
        )
        for model in catalogue.models.values()
        if model.provider in settings.PROVIDERS and model.chat is not None and not _has_token_prices(model.chat)
    ]
    return messages


def _has_token_prices(spec: ChatSpec) -> bool:
    return all(min(tier.input_usd, tier.output_usd) > 0 for tier in (spec.short_context, *spec.long_context))


def _check_pools(providers: set[str]) -> Iterator[CheckMessage]:
    for name, pool in settings.SELFHOSTED_POOLS.items():
        if name in providers:
            yield Error(
                f"SELFHOSTED_POOLS: `{name}` is the name of a provider.",
                hint="Answers say by whom they were served, so that a pool needs a name of its own.",
                id="gateway.E005",
            )
        elif not NAME.fullmatch(name):
            yield Error(
                f"SELFHOSTED_POOLS: {name!r} is no name for a pool.",
                hint="Take up to 64 letters, digits, `.`, `-` and `_`: it stands in headers and receipts.",
                id="gateway.E006",
            )
        for url in pool["replicas"]:
            if url != hide_password(url):
                yield Error(
                    f"SELFHOSTED_POOLS: the address {hide_password(url)} of pool `{name}` carries a password.",
                    hint="It is not sent. Put what the server wants as a Bearer token into `api_key`.",
                    id="gateway.E007",
                )
            elif not urlsplit(url).path.strip("/"):
                yield Warning(
                    f"SELFHOSTED_POOLS: the address {url} of pool `{name}` has no path.",
                    hint=f"Most servers have their API at {url.rstrip('/')}/v1.",
                    id="gateway.W001",
                )
