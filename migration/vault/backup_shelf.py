"""The second copy of each backup: sealed files in a folder of their own, readable by their owner only."""

import base64
from pathlib import Path

from migration.vault.private_file import write_private
from migration.vault.sealing import Sealed, WrongKey

SUFFIX = ".sealed"


class BackupShelf:
    """One file for each owner and name, as `number-17-backup.sealed` for `number:17` and `backup`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, owner: str, name: str, sealed: Sealed) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        parts = (sealed.wrapped_key, sealed.ciphertext)
        lines = [sealed.key_id, *(base64.b64encode(part).decode() for part in parts)]
        write_private(self._path(owner, name), "\n".join(lines))

    def get(self, owner: str, name: str) -> Sealed:
        """Raises WrongKey for a file that is damaged, OSError for one that is missing."""
        path = self._path(owner, name)
        try:
            key_id, wrapped_key, ciphertext = path.read_text().split("\n")
            return Sealed(base64.b64decode(ciphertext), base64.b64decode(wrapped_key), key_id)
        except ValueError as exc:
            raise WrongKey(f"{path} is damaged; what is sealed in it does not open") from exc

    def entries(self) -> tuple[tuple[str, str], ...]:
        """Owner and name of every file. Raises WrongKey for a file whose name has neither."""
        return tuple(_owner_and_name(path) for path in sorted(self._folder.glob(f"*{SUFFIX}")))

    def _path(self, owner: str, name: str) -> Path:
        return self._folder / f"{owner.replace(':', '-')}-{name}{SUFFIX}"


def _owner_and_name(path: Path) -> tuple[str, str]:
    """The reverse of `_path`: an owner is a kind and an id, with a colon between them."""
    parts = path.name.removesuffix(SUFFIX).split("-", 2)
    if len(parts) != 3:
        raise WrongKey(f"{path} is damaged; its name is not that of a backup")
    kind, owner_id, name = parts
    return f"{kind}:{owner_id}", name
