"""The file of a SQLite database, with the files beside it: kept under another name, made whole, cleared away."""

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from migration.home.backup_file import BadBackup

SIDE_FILES = ("-wal", "-shm")


def keep(path: Path, ending: str) -> list[str]:
    """A second name for the old file, which stays in its place until it is replaced. Raises BadBackup while in use.

    Its log of writes goes into the file first: left behind, it would be taken for that of the new file.
    """
    if not path.exists():
        for part in SIDE_FILES:
            path.with_name(path.name + part).unlink(missing_ok=True)
        return []
    aside = path.with_name(path.name + ending)
    try:
        into_one_file(path)
    except sqlite3.OperationalError as exc:
        raise BadBackup(
            f"{path} is in use ({exc}); nothing was changed. Stop every worker and command of this home, then again"
        ) from None
    except sqlite3.DatabaseError:  # damaged: nothing can be lost by what its log holds
        for part in SIDE_FILES:
            if path.with_name(path.name + part).exists():
                path.with_name(path.name + part).rename(path.with_name(f"{path.name}{ending}{part}"))
    os.link(path, aside)
    return [str(aside)]


def into_one_file(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()


def new_beside(path: Path) -> Path:
    """Where a new file is built; `remove_unfinished` finds it."""
    return path.absolute().with_name(f".{path.name}.{secrets.token_hex(4)}")


def remove_unfinished(path: Path) -> None:
    """What this restore or a killed one was building."""
    for file in path.parent.glob(f".{path.name}.*"):
        file.unlink(missing_ok=True)
