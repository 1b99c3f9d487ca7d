"""Reads `data/*.toml` into one `Catalogue`, or says everything that is wrong with it."""

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.catalog.schema import Model

DATA = Path(__file__).with_name("data")


class CatalogError(Exception):
    """The catalogue cannot be used. `problems` names file, model and key of each fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Catalogue(Struct, frozen=True):
    """All models by their id, in the order of their files, and the ids that other names stand for."""

    models: dict[str, Model]
    aliases: dict[str, str]


@cache
def load_catalogue(folder: Path = DATA) -> Catalogue:
    """The models of all files in `folder`, read once in the life of a process. Raises `CatalogError`."""
    problems: list[str] = []
    models: dict[str, Model] = {}
    aliases: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        for model in _read_file(path, problems):
            if model.id in models:
                problems.append(f"{path.name}: model `{model.id}`: `id` is taken by {models[model.id].provider}.toml")
            models[model.id] = model
    for model in models.values():
        for alias in model.aliases:
            if alias in models or alias in aliases:
                owner = aliases.get(alias, alias)
                problems.append(_problem(model, f"the alias `{alias}` is a name of `{owner}` already"))
            aliases[alias] = model.id
        problems.extend(_problem(model, fault) for fault in _faults_of_fallbacks(model, models))
    if not models and not problems:
        problems.append(f"{folder}: no models")
    if problems:
        raise CatalogError(problems)
    return Catalogue(models=models, aliases=aliases)


def _read_file(path: Path, problems: list[str]) -> list[Model]:
    """The sound models of one file; what is wrong with the others is added to `problems`."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=_finite)
    except ValueError as error:
        problems.append(f"{path.name}: {error}")
        return []
    vendor, rows = table.pop("vendor", None), table.pop("models", None)
    if not isinstance(vendor, str) or not isinstance(rows, list) or table:
        problems.append(f"{path.name}: a file holds `vendor`, then `[[models]]` tables, and nothing else")
        return []
    models = []
    for number, row in enumerate(rows, 1):
        try:
            if not isinstance(row, dict) or "provider" in row or "vendor" in row:
                raise ValueError("`provider` and `vendor` are those of the file")
            models.append(msgspec.convert({**row, "provider": path.stem, "vendor": vendor}, Model))
        except ValueError as error:
            name = row.get("id", f"number {number}") if isinstance(row, dict) else f"number {number}"
            problems.append(f"{path.name}: model `{name}`: {error}")
    return models


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"`{text}` is no price")
    return number


def _faults_of_fallbacks(model: Model, models: dict[str, Model]) -> Iterator[str]:
    for name in model.fallbacks:
        fallback = models.get(name)
        if fallback is None or fallback is model:
            yield f"the fallback `{name}` is no other model of the catalogue"
        elif fallback.type != model.type:
            yield f"the fallback `{name}` is of another type, `{fallback.type}`"
        elif model.retires and fallback.retires and fallback.retires <= model.retires:
            yield f"the fallback `{name}` does not outlive it"
    if model.retires and not model.fallbacks:
        yield "a model that `retires` needs `fallbacks`"


def _problem(model: Model, fault: str) -> str:
    return f"{model.provider}.toml: model `{model.id}`: {fault}"
