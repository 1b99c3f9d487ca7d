"""When looks at videos were due, as the database had it, and when the vendors were asked."""

import sqlite3
import time
import urllib.request
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg


class Database:
    """A connection that looks into the gateway's database: of SQLite, `address` is the file's path."""

    def __init__(self, address: Path | str, stack: ExitStack) -> None:
        self.is_sqlite = isinstance(address, Path)
        connection: Any = (
            sqlite3.connect(address, timeout=20, isolation_level=None)
            if isinstance(address, Path)
            else psycopg.connect(address, autocommit=True)
        )
        self._query = connection.execute
        stack.callback(connection.close)

    def schedule(self) -> Iterator[tuple[float, float]]:
        """A task's number, and the moment of its next look: of those that no worker is at."""
        rows = self._query(
            "SELECT provider_task_id, next_at FROM gateway_videotask "
            "WHERE ended_at IS NULL AND claim = '' AND state = 'running'"
        )
        for task_id, moment in rows.fetchall():
            yield float(task_id.split("-")[1]), _seconds(moment)

    def make_due(self, within: float) -> None:
        """All of them fall due in the next so many seconds."""
        moment = (
            f"strftime('%Y-%m-%d %H:%M:%f', 'now', format('%+.3f seconds', abs(random() % 1000) * {within} / 1000))"
            if self.is_sqlite
            else f"now() + random() * {within} * interval '1 second'"
        )
        self._query(f"UPDATE gateway_videotask SET next_at = {moment} WHERE state = 'running' AND claim = ''")

    def count(self, table: str, condition: str) -> int:
        return int(self._query(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()[0])


class Looks:
    """All looks of a run. Moments are seconds since 1970."""

    def __init__(self, database: Database, vendor: int) -> None:
        self._database = database
        self._vendor = vendor
        self._due: dict[float, set[float]] = defaultdict(set)
        self._asked: dict[float, list[float]] = defaultdict(list)
        self.note()

    def note(self) -> int:
        """How many were made since it was last called: once a second, so that none falls due unseen."""
        for number, moment in self._database.schedule():
            self._due[number].add(moment)
        with urllib.request.urlopen(f"http://127.0.0.1:{self._vendor}/looks", timeout=20) as answer:
            looks = array("d", answer.read())
        for number, moment in zip(looks[::2], looks[1::2], strict=True):
            self._asked[number].append(moment)
        return len(looks) // 2

    def follow(self, seconds: float) -> int:
        """How many were made in this time."""
        end, made = time.time() + seconds, 0
        while (now := time.time()) < end:
            time.sleep(min(1.0, end - now))
            made += self.note()
        return made

    def lateness(self, since: float, until: float) -> list[float]:
        """Milliseconds from the moment at which a look was due to the vendor's being asked, in ascending order.

        Of those that fell due in this time; one that was not made yet counts as made now.
        """
        now, found = time.time(), []
        for number, moments in self._due.items():
            asked = self._asked[number]
            for moment in moments:
                if since <= moment < until:
                    at = bisect_left(asked, moment)
                    found.append(((asked[at] if at < len(asked) else now) - moment) * 1000)
        return sorted(found)


def _seconds(moment: str | datetime) -> float:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return moment.timestamp()
