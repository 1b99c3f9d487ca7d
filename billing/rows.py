"""Many rows in one statement, and unsaved rows of any model among them.

SQLite takes the values as parameters. Postgres gets one JSON document: its driver spends more on thousands of
parameters than all the rest costs, and the table's own type says what each value is. Django's `bulk_create` costs
several times as much on either, and a receipt is written for every call.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

# SQLite takes 32,766 since 3.32; https://www.sqlite.org/limits.html
MAX_PARAMETERS = 32_000

# --- Statements ----------------------------------------------------------------------------------------------------


@contextmanager
def together(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """A block whose statements do not wait for each other's answers: Postgres gets them in one go.

    Their errors come up where an answer is first needed, at the block's end at the latest.
    """
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    # The pipeline's own errors are the driver's; everybody here knows Django's.
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


@contextmanager
def unlogged(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """A block whose statements Django does not keep. With DEBUG on it would spell out each parameter of each."""
    # A caller's connection gets back what it had.
    debug_cursor = connection.make_debug_cursor
    connection.make_debug_cursor = connection.make_cursor  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        connection.make_debug_cursor = debug_cursor  # type: ignore[method-assign]


Answer = Callable[[], list[Sequence[Any]]]


def select(connection: BaseDatabaseWrapper, columns: Sequence[str], sql: str, keys: Sequence[Any]) -> Answer:
    """Asks for `columns` of the rows that `sql` finds. Call what it returns for the answer.

    `{}` after a column's name in `sql` stands for being among `keys`.
    """
    if not keys:
        return list
    cursor = connection.cursor()
    if connection.vendor != "sqlite":
        cursor.execute(f"SELECT {', '.join(columns)} {sql.format('= ANY(%s)')}", [list(keys)])
        return cursor.fetchall
    # One row with all of them: the driver lets go of the interpreter for every row it fetches, and a busy event loop
    # takes milliseconds to give it back.
    found: list[Sequence[Any]] = []
    for part in _parts(keys, 1):
        rows = f"SELECT {', '.join(columns)} {sql.format(f'IN ({_marks(len(part))})')}"
        cursor.execute(f"SELECT json_group_array(json_array({', '.join(columns)})) FROM ({rows})", part)  # noqa: S608
        found += msgspec.json.decode(cursor.fetchone()[0])
    return lambda: found


def insert(cursor: CursorWrapper, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    names = ", ".join(columns)
    if not _is_sqlite(cursor):
        if rows:
            source = f"SELECT {names} FROM json_populate_recordset(NULL::{table}, %s)"  # noqa: S608
            cursor.execute(f"INSERT INTO {table} ({names}) {source}", [_document(columns, rows)])
        return
    for part in _parts(rows, len(columns)):
        sql = f"INSERT INTO {table} ({names}) VALUES {_values(part)}"  # noqa: S608
        cursor.execute(sql, list(chain.from_iterable(part)))


def update(cursor: CursorWrapper, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Sets all columns but the first, which is the key."""
    key, *others = columns
    if not _is_sqlite(cursor):
        if rows:
            changes = ", ".join(f"{column} = v.{column}" for column in others)
            source = f"json_populate_recordset(NULL::{table}, %s) AS v"
            sql = f"UPDATE {table} SET {changes} FROM {source} WHERE {table}.{key} = v.{key}"  # noqa: S608
            cursor.execute(sql, [_document(columns, rows)])
        return
    # It calls the columns of VALUES `column1`, `column2`, …
    changes = ", ".join(f"{column} = v.column{at}" for at, column in enumerate(others, start=2))
    for part in _parts(rows, len(columns)):
        source = f"(VALUES {_values(part)}) AS v"
        sql = f"UPDATE {table} SET {changes} FROM {source} WHERE {table}.{key} = v.column1"  # noqa: S608
        cursor.execute(sql, list(chain.from_iterable(part)))


def moment(value: datetime | None, connection: BaseDatabaseWrapper) -> Any:
    """As `adapt_datetimefield_value`, but five times as fast for what `timezone.now` gives."""
    if value is not None and value.tzinfo is UTC and connection.vendor == "sqlite":
        return str(value.replace(tzinfo=None))
    return connection.ops.adapt_datetimefield_value(value)


def _is_sqlite(cursor: CursorWrapper) -> bool:
    return cursor.db.vendor == "sqlite"


def _document(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return msgspec.json.encode([dict(zip(columns, row, strict=True)) for row in rows]).decode()


def _marks(count: int) -> str:
    """SQLite's own marks: given `%s`, Django searches the statement for each."""
    return ", ".join(["?"] * count)


def _values(rows: Sequence[Sequence[Any]]) -> str:
    return ", ".join([f"({_marks(len(rows[0]))})"] * len(rows))


def _parts(rows: Sequence[Any], width: int) -> Iterable[Sequence[Any]]:
    size = MAX_PARAMETERS // width
    return (rows[start : start + size] for start in range(0, len(rows), size))


# --- Rows of any model -----------------------------------------------------------------------------------------------


class NewRow(msgspec.Struct, frozen=True):
    """A row to be written, without the cost of a model's instance: `values` has every column, by `attname`."""

    model: type[models.Model]
    values: dict[str, Any]

    @property
    def pk(self) -> Any:
        return self.values.get(str(self.model._meta.pk.attname))


Unsaved = models.Model | NewRow


def model_of(row: Unsaved) -> type[models.Model]:
    return row.model if isinstance(row, NewRow) else type(row)


def insert_unsaved(connection: BaseDatabaseWrapper, unsaved: Iterable[Unsaved]) -> None:
    """Writes unsaved rows, one statement per model. A key that the database makes is not set on them."""
    plans: dict[InsertPlan, list[Unsaved]] = {}
    for row in unsaved:
        plans.setdefault(_plan(model_of(row), row.pk is not None), []).append(row)
    with connection.cursor() as cursor:
        for plan, rows in plans.items():
            insert(cursor, plan.table, plan.columns, [plan.values(row, connection) for row in rows])
            for row in rows:
                if isinstance(row, models.Model):
                    row._state.adding = False
                    row._state.db = connection.alias


def update_saved(
    connection: BaseDatabaseWrapper, saved: Sequence[models.Model], only: tuple[str, ...] | None = None
) -> None:
    """Writes all fields of rows of one model that are there, or `only` some. Whoever calls holds their locks."""
    if not saved:
        return
    plan = _plan(type(saved[0]), True, only)
    with connection.cursor() as cursor:
        update(cursor, plan.table, plan.columns, [plan.values(row, connection) for row in saved])


class InsertPlan:
    """How a model's row is written: the columns, and what must be done to which value."""

    def __init__(self, model: type[models.Model], with_key: bool, only: tuple[str, ...] | None = None) -> None:
        if model._meta.parents:
            raise TypeError(f"{model.__name__} is spread over several tables")
        fields = [
            field
            for field in model._meta.concrete_fields
            if not field.generated and (with_key if field.primary_key else only is None or field.attname in only)
        ]
        names = [field.attname for field in fields]
        self.table = model._meta.db_table
        self.columns = [str(field.column) for field in fields]
        self._of_instance = attrgetter(*names)
        self._of_values = itemgetter(*names)
        self._stamped = [field for field in fields if _is_stamped(field)]
        self._converted = [(at, convert) for at, field in enumerate(fields) if (convert := _conversion(field))]

    def values(self, row: Unsaved, connection: BaseDatabaseWrapper) -> list[Any]:
        if isinstance(row, NewRow):
            values = list(self._of_values(row.values))
        else:
            for field in self._stamped:
                field.pre_save(row, add=True)
            values = list(self._of_instance(row))
        for at, convert in self._converted:
            values[at] = convert(values[at], connection)
        return values


_plans: dict[tuple[type[models.Model], bool, tuple[str, ...] | None], InsertPlan] = {}


def _plan(model: type[models.Model], with_key: bool, only: tuple[str, ...] | None = None) -> InsertPlan:
    plan = _plans.get((model, with_key, only))
    if plan is None:
        plan = _plans[model, with_key, only] = InsertPlan(model, with_key, only)
    return plan


Conversion = Callable[[Any, BaseDatabaseWrapper], Any]

# Both databases take the values of these as they are.
PLAIN_FIELDS = frozenset(
    {
        models.AutoField,
        models.BigAutoField,
        models.BigIntegerField,
        models.BooleanField,
        models.CharField,
        models.FloatField,
        models.IntegerField,
        models.PositiveIntegerField,
        models.PositiveSmallIntegerField,
        models.TextField,
    }
)


def _is_stamped(field: models.Field) -> bool:
    return bool(getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False))


def _conversion(field: models.Field) -> Conversion | None:
    """What a value of this field needs before it is written; None if nothing."""
    if isinstance(field, models.ForeignKey):
        return _conversion(field.target_field)
    if type(field) is models.JSONField and field.encoder is None:
        return _json
    if type(field) is models.DateTimeField:
        return moment
    if type(field) in PLAIN_FIELDS:
        return _choice if field.choices else None
    raise TypeError(f"`{field}`: a {type(field).__name__} is not among the fields that are written this way")


def _json(value: Any, connection: BaseDatabaseWrapper) -> Any:
    if value is None or connection.vendor != "sqlite":  # which has no type for JSON
        return value
    return msgspec.json.encode(value).decode()


def _choice(value: Any, connection: BaseDatabaseWrapper) -> Any:
    """The value itself of a member of TextChoices or IntegerChoices, which a driver does not take for a str or int."""
    return getattr(value, "value", value)
