"""What the database refused, in words of ours: a row that is there already, a lock that was not given in time.

Both kinds of database name the case by a code, so no text is compared. Neither their text nor their detail is kept:
PostgreSQL quotes the values of the row, which may be a number.
SQLite: https://www.sqlite.org/rescode.html  PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from typing import Any

from sqlalchemy import Engine, event

from state.errors import AlreadyThere, DatabaseBusy, StateError

_SQLITE_NOT_UNIQUE = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
_SQLITE_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
_NOT_UNIQUE = "23505"
_BUSY = {
    "55P03": "another writer held a row or table for longer than a statement waits",  # lock_timeout
    "57014": "a statement took longer than it may",  # statement_timeout
    "25P03": "a transaction was left open for longer than it may",  # idle_in_transaction_session_timeout
    "40001": "two writers changed the same rows at once",  # serialization_failure
    "40P01": "two writers waited for each other",  # deadlock_detected
}


def translate_errors(engine: Engine) -> None:
    """Make statements on `engine` raise AlreadyThere and DatabaseBusy; other errors stay as they are."""
    event.listen(engine, "handle_error", _translate)


def _translate(context: Any) -> StateError | None:
    return in_our_words(context.original_exception)


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
