"""How tables are emptied between tests: those that have rows. Django empties all, and makes its own rows anew."""

from typing import Any

from django.db import connection, transaction

Rows = list[tuple[Any, ...]]


class Emptying:
    """Brings the database back to the rows that it had when this was made."""

    def __init__(self) -> None:
        names = sorted(set(connection.introspection.table_names()) - {"django_migrations"})
        self._tables = [connection.ops.quote_name(name) for name in names]
        self._rows = {table: rows for table in self._tables if (rows := self._read(table))}
        self._filled = " UNION ALL ".join(
            f"SELECT {number} WHERE EXISTS (SELECT 1 FROM {table})"
            for number, table in enumerate(self._tables)
            if table not in self._rows
        )

    def __call__(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                # Whoever still writes, as a session of a process that was killed, ends first. SQLite does so itself.
                cursor.execute(f"LOCK TABLE {', '.join(self._tables)} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(self._filled)
            filled = [self._tables[number] for (number,) in cursor.fetchall()]
            changed = [table for table, rows in self._rows.items() if self._read(table) != rows]
            triggers = self._take_off_triggers(cursor, {*filled, *changed})
            for table in (*filled, *changed):
                cursor.execute(f"DELETE FROM {table}")
            for table in changed:
                rows = self._rows[table]
                cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)
            for statement in triggers:
                cursor.execute(statement)

    def _read(self, table: str) -> Rows:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
            return cursor.fetchall()

    def _take_off_triggers(self, cursor: Any, tables: set[str]) -> list[str]:
        """Those of the ledger would refuse. Returns what puts them on again."""
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
            return []
        cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        found = [(name, sql) for name, table, sql in cursor.fetchall() if connection.ops.quote_name(table) in tables]
        for name, _ in found:
            cursor.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")
        return [sql for _, sql in found]
