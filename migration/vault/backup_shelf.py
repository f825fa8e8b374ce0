"""The second copy of each backup: sealed files in a folder of their own, readable by their owner only.

Each lease under which a backup was taken has a file of its own, so no worker ever overwrites the file of another one:
`number-17-backup.12.3.sealed` is the `backup` of `number:17`, taken by migration 12 under its third lease. The row in
the database names the file that counts. Files of earlier releases have no lease in their name.
"""

import base64
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from migration.vault.private_file import destroy, remove_leftovers, write_private
from migration.vault.sealing import Sealed, WrongKey
from state.ledger.shredding import BACKUP
from state.queries.secrets import OpenableSecret

SUFFIX = ".sealed"
LIVE_WRITER_S = 600.0  # a temporary file that is older belongs to no writer that still lives


@dataclass(frozen=True, slots=True)
class ShelfFile:
    """What the name of a file says. `lease`: migration and fence; a later lease of a number compares as greater."""

    owner: str
    name: str
    lease: tuple[int, int] = (0, 0)  # of a file that an earlier release wrote

    @property
    def file_name(self) -> str:
        lease = "" if self.lease == (0, 0) else f".{self.lease[0]}.{self.lease[1]}"
        return f"{self.owner.replace(':', '-')}-{self.name}{lease}{SUFFIX}"


class BackupShelf:
    """Reads and writes the folder at once: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, file: ShelfFile, sealed: Sealed) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        parts = (sealed.wrapped_key, sealed.ciphertext)
        lines = [sealed.key_id, *(base64.b64encode(part).decode() for part in parts)]
        lines += [str(sealed.version)] if sealed.version is not None else []
        write_private(self._folder / file.file_name, "\n".join(lines))

    def get(self, file: ShelfFile) -> Sealed:
        """Raises WrongKey for a file that is damaged, OSError for one that is missing."""
        path = self._folder / file.file_name
        try:
            key_id, wrapped_key, ciphertext, *version = path.read_text().split("\n")
            number = int("".join(version)) if version else None  # a file of an earlier release has none
            return Sealed(base64.b64decode(ciphertext), base64.b64decode(wrapped_key), key_id, number)
        except ValueError as exc:
            raise WrongKey(f"{path} is damaged; what is sealed in it does not open") from exc

    def entries(self) -> tuple[ShelfFile, ...]:
        """Every file. Raises WrongKey for a file whose name is not that of a backup."""
        return tuple(parse_file_name(path.name) for path in sorted(self._folder.glob(f"*{SUFFIX}")))

    def drop_before(self, kept: ShelfFile) -> None:
        """Remove the files of the same owner and name that were written under earlier leases than `kept`.

        A file of a later lease stays: its worker may be about to record it.
        """
        older = f"{kept.owner.replace(':', '-')}-{kept.name}"
        for path in sorted(self._folder.glob(f"{older}*{SUFFIX}")):
            file = parse_file_name(path.name)
            if (file.owner, file.name) == (kept.owner, kept.name) and file.lease < kept.lease:
                destroy(path)

    def remove_of(self, owners: Collection[str], file_names: Collection[str]) -> int:
        """Destroy the files of owners whose backups are all destroyed, and what killed writers have left.

        A file that is not among `file_names` stays while a worker may be about to record it. Returns how many.
        """
        gone = 0
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if parse_file_name(path.name).owner in owners and (path.name in file_names or _is_old(path)):
                destroy(path)
                gone += 1
        return gone + self.remove_leftovers()

    def remove_leftovers(self) -> int:
        return len(remove_leftovers(self._folder, rf".*{re.escape(SUFFIX)}", older_than_s=LIVE_WRITER_S))

    def owners_of_several(self) -> set[str]:
        """Whoever has more than one file: a kill came before the earlier ones were removed."""
        counts = Counter(file.owner for file in self.entries())
        return {owner for owner, count in counts.items() if count > 1}


def _is_old(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime >= LIVE_WRITER_S
    return True


def parse_file_name(file_name: str) -> ShelfFile:
    """The reverse of `ShelfFile.file_name`. Raises WrongKey."""
    stem, *lease = file_name.removesuffix(SUFFIX).split(".")
    parts = stem.split("-", 2)
    if len(parts) != 3 or len(lease) not in (0, 2) or not all(part.isdecimal() for part in lease):
        raise WrongKey(f"{file_name} is damaged; its name is not that of a backup")
    kind, owner_id, name = parts
    return ShelfFile(f"{kind}:{owner_id}", name, (int(lease[0]), int(lease[1])) if lease else (0, 0))


def kept_files(secrets: Iterable[OpenableSecret]) -> set[str]:
    """Files of the shelf that belong to a backup which can be opened."""
    backups = [secret for secret in secrets if secret.name == BACKUP]
    return {secret.shelf_file or ShelfFile(secret.owner, BACKUP).file_name for secret in backups}
