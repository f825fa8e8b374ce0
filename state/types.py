"""Column types and the database's own clock."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import JSON, ColumnElement, DateTime, Dialect, Float, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Takes and returns aware UTC times. SQLite stores no time zone. A naive time raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime may not be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """On SQLite in one call a value: a list of 50,000 numbers has a million times."""
        return _from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# In place of a time that cannot be read. Whoever reads a list meets one row that was changed by hand, and no error: one
# number's row would keep every other number from being shown and moved.
UNREADABLE = datetime(1970, 1, 1, tzinfo=UTC)


def _from_text(value: str | None) -> datetime | None:
    """As SQLAlchemy and `_sqlite_now` write it: `2026-11-27 08:00:00.000000`."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(f"{value}+00:00")  # half the time of a replace() after it
    except ValueError:
        return UNREADABLE


class Facts(TypeDecorator[dict[str, Any]]):
    """A JSON object. One that cannot be read is empty: as a time, it keeps no other row from being read."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        read = super().result_processor(dialect, coltype)

        def readable(value: Any) -> Any:
            try:
                return read(value) if read is not None else value
            except ValueError:
                return {}

        return readable


class _DatabaseNow(FunctionElement[datetime]):
    """Now plus some seconds, by the clock of the machine that holds the database."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float) -> None:
        super().__init__(literal(float(seconds), Float()))


@compiles(_DatabaseNow, "sqlite")
def _sqlite_now(element: _DatabaseNow, compiler: Any, **kw: Any) -> str:
    # The same text layout as SQLAlchemy stores, so that comparing the texts compares the times.
    plus = compiler.process(element.clauses, **kw)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+.3f seconds', {plus})) || '000')"


@compiles(_DatabaseNow, "postgresql")
def _postgres_now(element: _DatabaseNow, compiler: Any, **kw: Any) -> str:
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


class SqlClock(Protocol):
    """The clock of leases and deadlines, as an SQL expression: of one `plus` always the same, because statements that
    are made once contain it."""

    def now(self, plus: timedelta = timedelta()) -> ColumnElement[datetime]: ...

    def __hash__(self) -> int: ...


class DatabaseClock:
    """The database's own clock, so that the clocks of several workers' machines may differ."""

    def now(self, plus: timedelta = timedelta()) -> ColumnElement[datetime]:
        return _database_now(plus.total_seconds())


@lru_cache(maxsize=1000)
def _database_now(seconds: float) -> ColumnElement[datetime]:
    return _DatabaseNow(seconds)
