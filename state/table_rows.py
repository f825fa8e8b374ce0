"""All rows of a database as lines of JSON, in one consistent reading, and back into new tables: for `cutover backup`.

Tables are read as the database has them, not as the models say, so a backup of an earlier release comes back too.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Connection, MetaData, Table, func, insert, null, select, text

BATCH = 500
NOT_COPIED = "alembic_version"  # making the tables writes it


def tables_of(connection: Connection) -> list[Table]:
    """Referenced tables first."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != NOT_COPIED]


def lines_of(connection: Connection, table: Table) -> Iterator[str]:
    """Each row as one line."""
    query = select(table).order_by(*table.primary_key.columns)
    for row in connection.execute(query.execution_options(yield_per=BATCH)):
        yield json.dumps([_written(value) for value in row])


def columns_of(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def insert_lines(connection: Connection, table: Table, columns: list[str], lines: Iterable[str]) -> int:
    """Put the rows into the table, which may hold none. Returns how many. Raises KeyError for a column it lacks."""
    connection.execute(table.delete())  # the revision that makes the table may have put a row into it
    types = [table.columns[name].type for name in columns]
    naive = connection.dialect.name == "sqlite"
    count, batch = 0, list[Mapping[str, Any]]()
    for line in lines:
        values = [_read(value, naive=naive) for value in json.loads(line)]
        pairs = zip(columns, values, types, strict=True)
        batch.append({n: null() if v is None and isinstance(kind, JSON) else v for n, v, kind in pairs})
        count += 1
        # A row of its own where a column may be SQL's NULL expression: a batch takes plain values only.
        connection.execute(insert(table).values(batch.pop()))
    _set_sequence(connection, table)
    return count


def _set_sequence(connection: Connection, table: Table) -> None:
    """PostgreSQL counts ids beside the table; the next one must come after those that were put in."""
    if connection.dialect.name != "postgresql" or "id" not in table.columns:
        return
    sequence = connection.execute(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name}).scalar()
    if sequence is not None:
        highest = connection.execute(select(func.max(table.columns["id"]))).scalar()
        connection.execute(
            text("SELECT setval(:name, :value, :used)"),
            {"name": sequence, "value": highest or 1, "used": highest is not None},
        )


def _written(value: Any) -> Any:
    """Plain values as they are; the others as a list that begins with their kind."""
    match value:
        case datetime():
            return ["time", (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()]
        case bytes():
            return ["bytes", base64.b64encode(value).decode()]
        case dict() | list():
            return ["json", value]
        case _:
            return value


def _read(value: Any, *, naive: bool) -> Any:
    match value:
        case ["time", written]:
            at = datetime.fromisoformat(written)
            return at.replace(tzinfo=None) if naive else at
        case ["bytes", written]:
            return base64.b64decode(written)
        case ["json", document]:
            return document
        case _:
            return value
