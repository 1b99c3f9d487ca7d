"""Shows the replicas of all pools, and takes one out of service or back into it."""

import asyncio
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from msgspec import Struct

from gateway.catalog import list_models
from gateway.models import PoolReplica
from gateway.pools import Replica, list_pools
from gateway.pools.draining import drain, undrain
from gateway.pools.health import look_at
from gateway.pools.reports import known_replicas
from gateway.providers import http

HEADINGS = ("POOL", "REPLICA", "HEALTH", "IN FLIGHT", "SESSIONS", "SLOTS", "MODELS", "LAST SEEN")
# The load is drawn so wide, and is full at so many requests in flight where a server has no slots.
BAR = 8
MODELS_WIDTH = 40
NOTHING = "-"


class Line(Struct):
    """One replica's line. None: nobody can tell."""

    replica: Replica
    health: str
    draining: bool
    in_flight: int | None
    sessions: int | None
    slots: int
    models: list[str] | None
    seen: str


class Command(BaseCommand):
    help = "Shows the replicas of all pools: health, load, pinned sessions. `drain URL` and `undrain URL` change them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", nargs="?", choices=("show", "drain", "undrain"), default="show")
        parser.add_argument("url", nargs="?", help="the replica's address, as in SELFHOSTED_POOLS")
        parser.add_argument("--pool", default="", help="which pool, where several have the address")

    def handle(self, *args: Any, action: str, url: str | None, pool: str, **options: Any) -> None:
        if action == "show":
            self._show()
        elif not url:
            raise CommandError(f"Which replica? `manage.py pools {action} URL`; `manage.py pools` shows them.")
        else:
            self._change(action, _find(url, pool))

    def _change(self, action: str, replica: Replica) -> None:
        if action == "undrain":
            undrain(replica.pool, replica.url)
            self.stdout.write(f"{replica.address} takes new requests of pool `{replica.pool}` again.")
            return
        drain(replica.pool, replica.url)
        self.stdout.write(
            f"{replica.address} gets no new requests of pool `{replica.pool}`; what is in flight ends. "
            f"`manage.py pools` shows how many are left, `manage.py pools undrain` takes it back."
        )
        drained = set(PoolReplica.objects.filter(draining=True).values_list("pool", "url"))
        pool = next(pool for pool in list_pools() if pool.name == replica.pool)
        if all((one.pool, one.url) in drained for one in pool.replicas):
            self.stderr.write(
                f"It was the last one: no server of pool `{pool.name}` answers now. In development stand-ins do."
            )

    def _show(self) -> None:
        reported = {(row.pool, row.url): row for row in known_replicas()}
        replicas = [replica for pool in list_pools() for replica in pool.replicas]
        if any(getattr(reported.get((one.pool, one.url)), "reported_at", None) is None for one in replicas):
            asyncio.run(_ask())
        lines = [
            _line(replica, reported.get((replica.pool, replica.url)))
            for pool in list_pools()
            for replica in pool.replicas
            if pool.is_expected
        ]
        if not lines:
            self.stdout.write("There are no pools: SELFHOSTED_POOLS names none, and no engine answers here.")
            return
        rows = [_cells(line, _busiest(lines)) for line in lines]
        widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
        self.stdout.write(_join(HEADINGS, widths), self.style.MIGRATE_HEADING)
        for line, row in zip(lines, rows, strict=True):
            style = self.style.SUCCESS if line.health == "up" and not line.draining else self.style.WARNING
            self.stdout.write(_join(row, widths), self.style.ERROR if line.health == "down" else style)
        for fault in _unlisted(lines):
            self.stdout.write(fault)


async def _ask() -> None:
    await asyncio.gather(*(look_at(pool) for pool in list_pools()))
    await http.close_pools()


def _find(url: str, pool: str) -> Replica:
    """The replica at the address. Raises `CommandError` where there is none, or several."""
    wanted = url.rstrip("/")
    known = [replica for one in list_pools() for replica in one.replicas if pool in ("", one.name)]
    found = [replica for replica in known if wanted in (replica.url, replica.address, replica.url.removesuffix("/v1"))]
    if not found:
        names = "\n".join(f"  {replica.address}  ({replica.pool})" for replica in known)
        raise CommandError(f"No replica has the address {url}. There are:\n{names}")
    if len(found) > 1:
        names = ", ".join(f"`{replica.pool}`" for replica in found)
        raise CommandError(f"{url} is in {names}: say which by --pool.")
    return found[0]


def _line(replica: Replica, row: Any) -> Line:
    draining = row is not None and row.draining
    if row is None or row.reported_at is None:
        models = None if replica.models is None else sorted(replica.models)
        # We asked it ourselves, and know of no one's requests.
        return Line(replica, replica.health, draining, None, None, replica.slots, models, "asked just now")
    seconds = int((timezone.now() - row.reported_at).total_seconds())
    seen = f"{seconds} s ago"
    return Line(replica, row.health, draining, row.in_flight, row.sessions, row.slots, row.listed_models, seen)


def _busiest(lines: list[Line]) -> int:
    return max(line.in_flight or 0 for line in lines)


def _cells(line: Line, busiest: int) -> tuple[str, ...]:
    full = line.slots or max(busiest, BAR)
    return (
        line.replica.pool,
        line.replica.address,
        line.health + (", draining" if line.draining else ""),
        NOTHING if line.in_flight is None else f"{_bar(line.in_flight, full)} {line.in_flight}",
        NOTHING if line.sessions is None else str(line.sessions),
        str(line.slots or NOTHING),
        NOTHING if line.models is None else _shorten(line.models),
        line.seen,
    )


def _bar(count: int, full: int) -> str:
    """`███·····`; what is not nothing can be seen."""
    filled = min(BAR, -(-count * BAR // full))
    return "█" * filled + "·" * (BAR - filled)


def _shorten(models: list[str]) -> str:
    shown = ""
    for number, model in enumerate(models):
        longer = f"{shown}, {model}" if shown else model
        if shown and len(longer) > MODELS_WIDTH:
            return f"{shown} +{len(models) - number}"
        shown = longer
    return shown or "none"


def _join(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _unlisted(lines: list[Line]) -> list[str]:
    """What may be a slip in the settings: models that none of their replicas lists."""
    faults = []
    for model in list_models():
        listed = [line.models for line in lines if line.replica.pool == model.provider]
        names = {model.upstream, f"{model.upstream}:latest"}
        strict = any(pool.strict for pool in list_pools() if pool.name == model.provider)
        if not strict and listed and all(models is not None and names.isdisjoint(models) for models in listed):
            faults.append(
                f"No replica of pool `{model.provider}` lists `{model.upstream}`, the upstream of `{model.id}`. "
                "That is well where servers answer to any name, as llama.cpp does; elsewhere it is a slip."
            )
    return faults
