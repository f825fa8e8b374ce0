"""The database's triggers: taken away while a restore fills the tables, and put back as they were."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, text

_SQLITE = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
# In force: neither disabled nor for replicas only. https://www.postgresql.org/docs/current/catalog-pg-trigger.html
_IN_FORCE = (
    "JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE NOT tgisinternal AND nspname = current_schema() AND tgenabled IN ('O', 'A') ORDER BY tgname"
)
_POSTGRES = f"SELECT tgname, tgrelid::regclass::text, pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger {_IN_FORCE}"  # noqa: S608  our own text
# When it runs, its condition and what its function does; no names of schemas, which differ between databases.
_POSTGRES_MEANING = (
    "SELECT tgname, relname, concat_ws(' ', tgtype, tgattr, pg_get_expr(tgqual, tgrelid), lanname, prosrc) "  # noqa: S608  our own text
    "FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_language ON pg_language.oid = prolang "
    f"{_IN_FORCE}"
)


def triggers_of(connection: Connection) -> list[tuple[str, str, str]]:
    """Name, table and definition of each that is in force."""
    query = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES
    return [(str(name), str(table), str(sql)) for name, table, sql in connection.execute(text(query))]


def digests_of(connection: Connection) -> Mapping[str, tuple[str, str]]:
    """Of each that is in force, by its name: its table, and a digest of what it does."""
    query = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES_MEANING
    rows = connection.execute(text(query))
    return {str(name): (str(table), hashlib.sha256(str(does).encode()).hexdigest()[:16]) for name, table, does in rows}


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
