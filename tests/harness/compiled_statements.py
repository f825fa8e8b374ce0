"""Statements compiled once in a process of tests, and not once for each of its thousands of databases.

An engine keeps what it has compiled by its own dialect object, and each test has an engine of its own: compiling was a
fifth of the CPU of a test with a database. Here dialects of one kind are equal, and their engines have one cache.
https://docs.sqlalchemy.org/en/21/core/connections.html#registering-new-dialects
"""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

MOST = 5_000


class _Compiled(dict[Any, Any]):
    """Begun anew when it is full: a part of the statements is never the same twice."""

    def __setitem__(self, key: Any, compiled: Any) -> None:
        if len(self) >= MOST:
            self.clear()
        super().__setitem__(key, compiled)


class _EqualDialect:
    """Our engines differ in their address alone, and no compiled statement depends on it."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=COMPILED)


class SqliteDialect(_EqualDialect, SQLiteDialect_aiosqlite):
    supports_statement_cache = True


class PostgresDialect(_EqualDialect, PGDialect_asyncpg):
    supports_statement_cache = True


COMPILED = _Compiled()


def share_compiled_statements() -> None:
    """For every engine that this process makes from now on."""
    registry.register("sqlite.aiosqlite", __name__, SqliteDialect.__name__)
    registry.register("postgresql.asyncpg", __name__, PostgresDialect.__name__)
