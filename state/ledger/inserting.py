"""Inserts that two writers may make at once: one of them writes the row, the other finds it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ClauseElement, CursorResult, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import CounterTable, InstanceTable, NumberTable

T = TypeVar("T")
# Of the values in one IN (...), and of the rows in one statement. SQLite takes 32,766 values in a statement.
CHUNK = 500

REFERENCES = "references"
_IDS: Mapping[str, Any] = {"numbers": NumberTable, "instances": InstanceTable}


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def insert_or_nothing(tx: AsyncConnection, table: Any, values: Mapping[str, Any]) -> Any:
    """An insert that writes nothing where a row that may not be there twice is there."""
    return _dialect(tx.dialect.name).insert(table).values(**values).on_conflict_do_nothing()


async def write_or_nothing(
    tx: AsyncConnection, table: Any, row: Mapping[str, Any], *, returning: Any = None
) -> CursorResult[Any]:
    """As `insert_or_nothing`, executed with values that are no expressions. `returning`: a column of the table."""
    written: CursorResult[Any] = await tx.execute(_or_nothing(tx.dialect.name, table, returning), dict(row))
    return written


async def write_all_or_nothing(
    tx: AsyncConnection, table: Any, rows: Sequence[Mapping[str, Any]], *, returning: Any
) -> int:
    """As `write_or_nothing` for many rows; how many were written."""
    if not rows:
        return 0
    new = _or_nothing(tx.dialect.name, table, returning)
    return len((await tx.execute(new, [dict(row) for row in rows])).all())


@cache
def _or_nothing(dialect_name: str, table: Any, returning: Any) -> Any:
    new = _dialect(dialect_name).insert(table).on_conflict_do_nothing()
    return new if returning is None else new.returning(returning)


async def insert_rows(tx: AsyncConnection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises AlreadyThere."""
    if rows:
        await tx.execute(insert(table), [dict(row) for row in rows])


async def find_or_insert(tx: AsyncConnection, table: Any, key: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """The row that has `key`, whoever wrote it first; `values` are its other columns where it is new."""
    found = select(table.__table__).where(*(getattr(table, name) == value for name, value in key.items()))
    row = (await tx.execute(found)).one_or_none()
    if row is None:
        new = insert_or_nothing(tx, table, {**key, **values}).returning(*table.__table__.columns)
        row = (await tx.execute(new)).one_or_none() or (await tx.execute(found)).one()
    return row


async def replace_row(tx: AsyncConnection, table: Any, key: Sequence[str], values: Mapping[str, Any]) -> None:
    """Write the row, in place of the one that has the same `key`."""
    computed = {name: value for name, value in values.items() if isinstance(value, ClauseElement)}
    given = {name: value for name, value in values.items() if name not in computed}
    replace = _replace(tx.dialect.name, table, tuple(key), tuple(values))
    await tx.execute(replace.values(**computed) if computed else replace, given)


def _dialect(name: str) -> Any:
    """The module of the one in use: to load PostgreSQL's costs each command 30 ms of CPU."""
    if name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415  as above

        return sqlite
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415  as above

    return postgresql


@cache
def _replace(dialect_name: str, table: Any, key: tuple[str, ...], names: tuple[str, ...]) -> Any:
    """Made once for each set of columns: every step writes a finding."""
    new = _dialect(dialect_name).insert(table)
    others = {name: new.excluded[name] for name in names if name not in key}
    return new.on_conflict_do_update(index_elements=list(key), set_=others)


async def allot(tx: AsyncConnection, counter: str, count: int) -> int:
    """Take `count` values of a counter for good, and return the first: no value is ever given twice.

    Where the transaction is rolled back, nobody has seen the values. `counter`: REFERENCES, "numbers" or "instances".
    """
    last: Any = CounterTable.value
    if counter in _IDS:
        highest = select(func.coalesce(func.max(_IDS[counter].id), 0)).scalar_subquery()
        last = case((CounterTable.value >= highest, CounterTable.value), else_=highest)
    raised = update(CounterTable).where(CounterTable.name == counter).values(value=last + count)
    value = int((await tx.execute(raised.returning(CounterTable.value))).scalar_one())
    if counter in _IDS and count and tx.dialect.name == "postgresql":
        # Rows that are inserted without an id get theirs from the table's own sequence: it must not fall behind.
        await tx.execute(select(func.setval(func.pg_get_serial_sequence(counter, "id"), value)))
    return value - count + 1
