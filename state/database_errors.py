"""What the database refused, in words of ours: a row that is there already, a lock that was not given in time.

Both kinds of database name the case by a code, so no text is compared. Neither their text nor their detail is kept:
PostgreSQL quotes the values of the row, which may be a number.
SQLite: https://www.sqlite.org/rescode.html  PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import re
from typing import Any

from sqlalchemy import Engine, event

from state.errors import AlreadyThere, DatabaseAway, DatabaseBusy, StateError

_SQLITE_NOT_UNIQUE = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
_SQLITE_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
_NOT_UNIQUE = "23505"
# Patterns as texts: `re` compiles each at its first use, and most commands see no error.
# `invalid input for query argument $1: 'value' (reason)`, `invalid input syntax for type integer: "value"`
_BEFORE_A_VALUE = r"(?<=\$\d):|(?<=\$\d\d):|(?<=\$\d\d\d):|: (?=['\"])"
_QUOTED = r"(?<!column )(?<!relation )(?<!constraint )(?<!index )(?:\"[^\"]*\"|'[^']*')"
_NAME = r"[a-z]+[a-z0-9]*(_[a-z0-9]+)+|asyncpg\.exceptions\.\w+|sqlalchemy\.[\w.]+"
_DIGITS = r"\+?\d{5,}"
# The server starts, stops, takes no more connections, has ended this one, or does not let us in: another password, no
# such role or database. Somebody mends that while we wait, or is told of it in one line.
_AWAY = r"08...|57P0[1-3]|53300|28...|3D000"
_BUSY = {
    "55P03": "another writer held a row or table for longer than a statement waits",  # lock_timeout
    "57014": "a statement took longer than it may",  # statement_timeout
    "25P03": "a transaction was left open for longer than it may",  # idle_in_transaction_session_timeout
    "40001": "two writers changed the same rows at once",  # serialization_failure
    "40P01": "two writers waited for each other",  # deadlock_detected
}


def translate_errors(engine: Engine) -> None:
    """Make statements on `engine` raise AlreadyThere, DatabaseBusy and DatabaseAway.

    Other errors stay, without values of rows.
    """
    event.listen(engine, "handle_error", _translate)


def _translate(context: Any) -> StateError | None:
    ours = in_our_words(context.original_exception)
    # SQLAlchemy gives up the connection of a caller that is cancelled too; such a database is not away.
    if ours is None and context.is_disconnect and isinstance(context.original_exception, Exception):
        ours = DatabaseAway(first_line_of(context.original_exception))
    for exc in (context.sqlalchemy_exception, context.original_exception):
        _hide_values(exc)
    return ours


def is_away(exc: BaseException) -> bool:
    """Whether a connection could not be opened because of the server or the way to it, and not of what was asked."""
    return isinstance(exc, OSError | TimeoutError) or bool(re.fullmatch(_AWAY, str(getattr(exc, "sqlstate", ""))))


def first_line_of(exc: BaseException) -> str:
    """What the driver says, without values of rows."""
    return without_values(str(exc)) or type(exc).__name__


def _hide_values(exc: BaseException | None) -> None:
    """In the error and in all that it was raised from: a traceback prints them, and Prefect keeps it.

    PostgreSQL quotes the row in its detail, and asyncpg the value of a parameter in the first line.
    """
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        if exc.args and isinstance(exc.args[0], str):
            exc.args = (without_values(exc.args[0]), *exc.args[1:])
        for name in ("detail", "hint", "where", "internal_query"):
            quoted = getattr(exc, name, None)
            if isinstance(quoted, str | list):
                setattr(exc, name, [] if isinstance(quoted, list) else None)
        exc = exc.__cause__ or exc.__context__


def without_values(message: str) -> str:
    """The first line of a driver's message without what it quotes; names of tables, columns and constraints stay."""
    line = message.splitlines()[0] if message else ""
    line = re.split(_BEFORE_A_VALUE, line, maxsplit=1)[0]
    line = re.sub(_QUOTED, lambda found: found[0] if re.fullmatch(_NAME, found[0].strip("\"'")) else '"..."', line)
    return re.sub(_DIGITS, "...", line)


def in_our_words(exc: BaseException) -> StateError | None:
    """The error of ours for an error of the database's driver, or None where we have none for it."""
    sqlite, sqlstate = str(getattr(exc, "sqlite_errorname", "")), str(getattr(exc, "sqlstate", ""))
    if sqlite in _SQLITE_NOT_UNIQUE or sqlstate == _NOT_UNIQUE:
        return AlreadyThere("another writer has written the same row first; nothing was changed, try again")
    if sqlite.startswith(_SQLITE_LOCKED):
        return DatabaseBusy("another process has held the database's lock for too long; nothing was changed, try again")
    if sqlstate in _BUSY:
        return DatabaseBusy(f"{_BUSY[sqlstate]}; nothing was changed, try again")
    return None
