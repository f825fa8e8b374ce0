"""The small file that says which home a folder belongs to: in the home folder, and on the shelf of backups.

It holds the last count of openings that this folder saw. A database whose count is lower was put back from a copy.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from migration.errors import BadSetting
from migration.settings import Settings
from migration.vault.private_file import write_private

FILE_NAME = "home.json"


@dataclass(frozen=True, slots=True)
class Identity:
    home_id: str
    openings: int


def identity_paths(settings: Settings) -> tuple[Path, Path]:
    return settings.home / FILE_NAME, settings.backup_folder / FILE_NAME


def read_identity(path: Path) -> Identity | None:
    """None where there is no file. Raises BadSetting for one that cannot be read."""
    try:
        document = json.loads(path.read_text())
        return Identity(str(document["home_id"]), int(document["openings"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise BadSetting(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, RecursionError):
        advice = "move it away, then `cutover init` writes it again from the database"
        raise BadSetting(f"{path}, which says to which home this folder belongs, is damaged; {advice}") from None


def identities(settings: Settings) -> Iterator[tuple[Path, Identity]]:
    """Those that there are, each with its file."""
    for path in dict.fromkeys(identity_paths(settings)):
        identity = read_identity(path)
        if identity is not None:
            yield path, identity


def write_identity(settings: Settings, identity: Identity) -> None:
    """In each folder that exists; a file that says so already, or is further, stays."""
    for path in dict.fromkeys(identity_paths(settings)):
        if not path.parent.is_dir():
            continue
        known = read_identity(path)
        if known is None or known.home_id != identity.home_id or known.openings < identity.openings:
            write_private(path, json.dumps(asdict(identity)) + "\n")
