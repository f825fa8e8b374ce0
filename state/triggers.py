"""The database's triggers: taken away while a restore fills the tables, and put back as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

_SQLITE = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
_POSTGRES = (
    "SELECT tgname, tgrelid::regclass::text, pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger "
    "JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE NOT tgisinternal AND nspname = current_schema() AND tgenabled <> 'D' ORDER BY tgname"
)


def triggers_of(connection: Connection) -> list[tuple[str, str, str]]:
    """Name, table and definition of each that is in force."""
    query = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES
    return [(str(name), str(table), str(sql)) for name, table, sql in connection.execute(text(query))]


@contextmanager
def without_triggers(connection: Connection) -> Iterator[None]:
    """In the transaction of the caller: rows are put in as a backup has them."""
    triggers = triggers_of(connection)
    on_table = connection.dialect.name == "postgresql"
    for name, table, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name} ON {table}" if on_table else f"DROP TRIGGER {name}")
    yield
    for _, _, definition in triggers:
        connection.exec_driver_sql(definition)
