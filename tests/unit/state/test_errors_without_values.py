"""An error of the database holds no value of a row, in none of its parts: Prefect and tracebacks keep errors."""

import traceback
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from state.database import open_database
from state.database_errors import without_values
from state.errors import StateError

NUMBER, NAME = "+4915123456781", "Zoe Planted"
TABLE = "CREATE TABLE planted (id INTEGER PRIMARY KEY, e164 VARCHAR(20) UNIQUE, name VARCHAR(12) NOT NULL, n INTEGER)"
CHECK = "ALTER TABLE planted ADD CONSTRAINT ck_planted_name CHECK (name <> 'Zoe Planted')"
ROW: dict[str, Any] = {"id": 1, "e164": NUMBER, "name": "Zoe", "n": 1}
INSERT = "INSERT INTO planted (id, e164, name, n) VALUES (:id, :e164, :name, :n)"
MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "there already": (INSERT, ROW | {"id": 2}),
    "a missing value": (INSERT, ROW | {"id": 3, "e164": NUMBER + "0", "name": None}),
    "a refused row": (INSERT, ROW | {"id": 4, "e164": NUMBER + "1", "name": NAME}),
    "too long": (INSERT, ROW | {"id": 5, "e164": NUMBER + "2", "name": NAME * 3}),
    "a parameter of another type": (INSERT, ROW | {"id": 6, "n": NUMBER}),
    "a cast": ("SELECT CAST(CAST(:e164 AS VARCHAR) || 'x' AS INTEGER)", {"e164": NUMBER}),
}


@pytest.mark.postgres
@pytest.mark.parametrize("mistake", MISTAKES)
async def test_no_part_of_an_error_shows_a_value(postgres_url: str, mistake: str) -> None:
    statement, values = MISTAKES[mistake]
    engine = open_database(postgres_url)
    try:
        async with engine.begin() as connection:
            for line in (TABLE, CHECK):
                await connection.execute(text(line))
            await connection.execute(text(INSERT), ROW)
        with pytest.raises((SQLAlchemyError, StateError)) as raised:
            async with engine.begin() as connection:
                await connection.execute(text(statement), values)
    finally:
        await engine.dispose()
    error: BaseException | None = raised.value
    said = "".join(traceback.format_exception(raised.value)).replace(statement, "")
    while error is not None:
        parts = [getattr(error, name, "") for name in ("detail", "hint", "where", "internal_query", "args", "orig")]
        said += f"{error} {error!r} {parts}".replace(statement, "")
        error = error.__cause__ or error.__context__
    assert (NUMBER[1:] in said, NAME in said) == (False, False), said


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            'duplicate key value violates unique constraint "uq_numbers_e164"\nDETAIL:  Key (e164)=(+49151) already',
            'duplicate key value violates unique constraint "uq_numbers_e164"',
        ),
        ("invalid input for query argument $1: '+4915123456781' (no)", "invalid input for query argument $1"),
        ("invalid input for query argument $12: 4915123456781 (no)", "invalid input for query argument $12"),
        ('invalid input syntax for type integer: "Zoe"', "invalid input syntax for type integer"),
        ('relation "number_migrations" does not exist', 'relation "number_migrations" does not exist'),
        ('role "zoe" does not exist', 'role "..." does not exist'),
        ("UNIQUE constraint failed: numbers.e164", "UNIQUE constraint failed: numbers.e164"),
        ("", ""),
    ],
)
def test_a_message_keeps_what_is_no_value(message: str, shown: str) -> None:
    assert without_values(message) == shown


async def test_what_sqlite_quotes_is_taken_out_of_the_error(tmp_path: Path) -> None:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path}/planted.db")
    try:
        with pytest.raises(OperationalError) as raised:
            async with engine.begin() as connection:
                await connection.execute(text(f'SELECT * FROM "planted {NUMBER}"'))
    finally:
        await engine.dispose()
    assert str(raised.value.orig) == "no such table: planted ..."
