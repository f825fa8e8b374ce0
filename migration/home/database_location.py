"""Where a home's database lies: by this a copy beside the first one is noticed, and a database that was moved.

A copy of a whole home has the same identity and the same count of openings as the first one. Both would move the same
numbers, and the senders would take the words of one for repeats of the other's.
"""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from migration.settings import Settings
from state.home import HomeRecord, HomeRow

MACHINE_ID = Path("/etc/machine-id")  # https://www.freedesktop.org/software/systemd/man/latest/machine-id.html


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """`body` stays with a renamed file or a server's failover; `address` stays where a disk is replaced by another."""

    body: str
    address: str

    def __str__(self) -> str:
        return f"{self.body} {self.address}"

    @classmethod
    def parse(cls, text: str) -> "DatabasePlace":
        body, _, address = text.partition(" ")
        return cls(body, address)


def database_file(settings: Settings) -> Path | None:
    """Of SQLite; None for a server."""
    url = make_url(settings.database)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


async def read_place(settings: Settings, record: HomeRecord) -> DatabasePlace:
    """Of the database that is open now. A file: its inode, machine and path; a server: the ids of its objects."""
    path = database_file(settings)
    if path is None:
        return DatabasePlace(await record.object_ids(), "")
    return await asyncio.to_thread(_of_file, path)


def _of_file(path: Path) -> DatabasePlace:
    return DatabasePlace(f"inode:{path.stat().st_ino}", f"{_machine()}:{path.resolve()}")


def _machine() -> str:
    """Hashed, because its owner may keep the machine's id to itself; empty in most containers."""
    with suppress(OSError):
        return hashlib.sha256(MACHINE_ID.read_bytes()).hexdigest()[:12]
    return ""


async def copied_from(settings: Settings, record: HomeRecord, home: HomeRow) -> str | None:
    """A sentence about where this database was when it was opened last; None where it is the same one still."""
    if home.place is None or not is_copy(home.place, await read_place(settings, record)):
        return None
    was_at = DatabasePlace.parse(home.place).address.partition(":")[2] or "another database"
    return (
        f"this database is a copy of the one of {was_at}, or was moved from there; "
        "work with one of the two only, because both would move the same numbers"
    )


def is_copy(known: str, now: DatabasePlace) -> bool:
    """Another file at another address, or other tables of a server.

    The inode alone is not enough: file systems of some virtual machines give a file another one at each start.
    """
    before = DatabasePlace.parse(known)
    return before.body != now.body and (not before.address or not now.address or before.address != now.address)
