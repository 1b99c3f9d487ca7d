"""What each process knows of the replicas, in the database, where the admin and `manage.py pools` read it.

Every write makes the ledger's writer wait on SQLite. So a process writes at once what changes rarely (health, drains),
its load only every few seconds, and nothing while nothing happens but a sign of life.
"""

import os
import socket
from datetime import datetime, timedelta
from math import inf
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone
from msgspec import Struct

from accounts.database import run_in_database_thread
from gateway.models import PoolReplica, ReplicaReport
from gateway.pools import list_pools
from gateway.pools.replica import Replica

# Seconds.
LOAD_INTERVAL = 5.0
HEARTBEAT = 15.0
OLD = timedelta(minutes=1)


class _Written(Struct):
    """What this process wrote last. `at` is of time.monotonic."""

    at: float = -inf
    states: Any = None
    loads: Any = None


_written = _Written()


async def report() -> None:
    """Writes what has changed since the last time. To be called every second."""
    # Where nobody named an engine and none is, there is nothing to report.
    replicas = [replica for pool in list_pools() if pool.is_expected for replica in pool.replicas]
    states = [(one.pool, one.url, one.health, one.draining, one.slots, one.models) for one in replicas]
    loads = [(one.in_flight, one.sessions) for one in replicas]
    since = monotonic() - _written.at
    if states == _written.states and since < (HEARTBEAT if loads == _written.loads else LOAD_INTERVAL):
        return
    await run_in_database_thread(_write, replicas)
    _written.at, _written.states, _written.loads = monotonic(), states, loads


def known_replicas() -> QuerySet[PoolReplica]:
    """The replicas that the settings name, with what the processes report of them now.

    `in_flight` is the sum over all processes. `sessions` is the largest count: with Redis every process counts all.
    Where no process reports, these are None, as are `health`, `slots`, `listed_models` and `reported_at`.
    """
    fresh = timezone.now() - OLD
    recent = Q(reports__reported_at__gte=fresh)
    latest = ReplicaReport.objects.filter(replica=OuterRef("pk"), reported_at__gte=fresh).order_by("-reported_at")
    named = Q(pk__in=())
    for pool in list_pools():
        named |= Q(pool=pool.name, url__in=[replica.url for replica in pool.replicas])
    return PoolReplica.objects.filter(named).annotate(
        health=Subquery(latest.values("health")[:1]),
        listed_models=Subquery(latest.values("listed_models")[:1]),
        slots=Subquery(latest.values("slots")[:1]),
        in_flight=Sum("reports__in_flight", filter=recent),
        sessions=Max("reports__sessions", filter=recent),
        reported_at=Max("reports__reported_at", filter=recent),
    )


def _write(replicas: list[Replica]) -> None:
    now = timezone.now()
    with transaction.atomic():
        known = _rows()
        missing = [PoolReplica(pool=one.pool, url=one.url) for one in replicas if (one.pool, one.url) not in known]
        if missing:
            PoolReplica.objects.bulk_create(missing, ignore_conflicts=True)
            known = _rows()
        ReplicaReport.objects.bulk_create(
            [_report(replica, known[replica.pool, replica.url], now) for replica in replicas],
            update_conflicts=True,
            unique_fields=("replica", "process"),
            update_fields=("health", "in_flight", "sessions", "slots", "listed_models", "reported_at"),
        )
        ReplicaReport.objects.filter(reported_at__lt=now - OLD).delete()


def _rows() -> dict[tuple[str, str], int]:
    return {(pool, url): pk for pk, pool, url in PoolReplica.objects.values_list("pk", "pool", "url")}


def _report(replica: Replica, row: int, now: datetime) -> ReplicaReport:
    return ReplicaReport(
        replica_id=row,
        process=f"{socket.gethostname()[:80]}:{os.getpid()}",
        health=replica.health,
        in_flight=replica.in_flight,
        sessions=replica.sessions,
        slots=replica.slots,
        listed_models=None if replica.models is None else sorted(replica.models),
        reported_at=now,
    )
