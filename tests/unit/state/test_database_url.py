"""Addresses of a database as people write them: taken, or refused with a reason that shows no password."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from state.database_url import database_url


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgresql://u:secret@db.example/fleet", "postgresql+asyncpg://u:***@db.example/fleet"),
        ("postgres://u:secret@db.example:6432/fleet", "postgresql+asyncpg://u:***@db.example:6432/fleet"),
        ("postgresql+psycopg2://u@db/fleet", "postgresql+asyncpg://u@db/fleet"),
        ("postgresql+asyncpg://u@db/fleet?sslmode=require", "postgresql+asyncpg://u@db/fleet?ssl=require"),
        ("postgresql://u@[::1]:5432/fleet", "postgresql+asyncpg://u@[::1]:5432/fleet"),
        ("postgresql://u@[::1]/fleet", "postgresql+asyncpg://u@[::1]/fleet"),
        ("postgresql://u@/fleet?host=/run/postgresql", "postgresql+asyncpg://u@/fleet?host=%2Frun%2Fpostgresql"),
        ("sqlite:////srv/c.db", "sqlite+aiosqlite:////srv/c.db"),
        ("sqlite+aiosqlite:////srv/c.db", "sqlite+aiosqlite:////srv/c.db"),
        (" /srv/c.db ", "sqlite+aiosqlite:////srv/c.db"),
        ("~/c.db", f"sqlite+aiosqlite:///{Path.home()}/c.db"),
        ("sqlite:///~/c.db", f"sqlite+aiosqlite:///{Path.home()}/c.db"),
        ("c.db", f"sqlite+aiosqlite:///{Path.cwd()}/c.db"),
    ],
)
def test_an_address_that_is_taken(written: str, shown: str) -> None:
    assert make_url(database_url(written)).render_as_string(hide_password=True) == shown


@pytest.mark.parametrize("password", ["p@ss", "a/b", "a:b", "a%2Fb", "50%", "a?b#c", "ä ö", "[x]", "a@b/c?d"])
def test_every_character_of_a_password(password: str) -> None:
    url = make_url(database_url(f"postgresql://u:{password}@db.example:5432/fleet?sslmode=require"))
    assert url.password == ("a/b" if password == "a%2Fb" else password)
    assert (url.username, url.host, url.port, url.database) == ("u", "db.example", 5432, "fleet")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("u:hunter2@db.example/fleet", "no scheme"),
        ("db.example", "no scheme"),
        ("mysql://u:hunter2@db/fleet", "kind mysql"),
        ("mysql+pymysql://u:hunter2@db/fleet", "kind mysql.pymysql"),
        ("sqlite:/srv/c.db", "no scheme"),
        ("sqlite:c.db", "no scheme"),
        ("C:\\data\\c.db", "no scheme"),
        ("\\\\server\\c.db", "no scheme"),
        ("postgresql://u:hunter2@a:5432,b:5432/fleet", "several hosts"),
        ("postgresql://u:hunter2@a,b/fleet", "several hosts"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite://srv/c.db", "three slashes"),
        ("sqlite:////tmp", "is a folder"),
        ("sqlite:////srv/c.db?mode=ro", "no parameters"),
        ("postgresql://u:hunter2@db:port/fleet", "the port"),
        ("postgresql://u:hunter2@db:99999/fleet", "the port"),
        ("postgresql://u:hunter2@[::1/fleet", "the host"),
        ("postgresql://u:hunter2@::1]:5432/fleet", "the host"),
        ("postgresql://u:hunter2@[db/fleet", "the host"),
        ("postgresql://u:hunter2@my db/fleet", "the host"),
        ("postgresql://u:hunter2@db/fleet?sslmode=on", "sslmode is one of"),
        ("postgresql://u@db/fleet?password=hunter2", "before the question mark"),
        ("postgresql://u:hunter2@db/fleet?connect_timeout=3", "no parameter connect_timeout"),
    ],
)
def test_an_address_that_is_refused(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        database_url(written)
    assert "hunter2" not in str(refused.value)
