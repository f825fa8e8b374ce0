"""Who else may read or change the files of a home: the folder, the database with its log, admin file, keys and tokens.

A key that others can read is no secret, and an admin file that others can write names the commands that we run.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from migration.errors import BadSetting

OTHERS, GROUP_AND_OTHERS_WRITE = 0o077, 0o022
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
NO_FILE = "is a pipe and no file: whoever reads it would wait until something writes into it"


def on_read_only_file_system(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


@dataclass(frozen=True, slots=True)
class Access:
    """`us`: the user id of this process. `is_read_only`: whether a path is on a file system that nobody can write."""

    us: int
    is_read_only: Callable[[Path], bool] = on_read_only_file_system

    def problem(self, path: Path, *, may_be_mounted: bool = False) -> str | None:
        """What is wrong with a file or folder, as the end of a sentence; None where nothing is, or where it is not.

        `may_be_mounted`: a secret that root hands in on a read-only file system is right with any mode: containers
        get theirs so, and whoever may read it was decided outside. https://docs.docker.com/engine/swarm/secrets/
        """
        try:
            status = path.stat()
        except OSError:
            return None  # whoever opens it says why that fails
        if may_be_mounted and status.st_uid == 0 and self.is_read_only(path):
            return None
        if stat.S_ISFIFO(status.st_mode) and not str(path).startswith(("/dev/", "/proc/")):
            return NO_FILE
        if status.st_uid != self.us:
            return f"belongs to another user (id {status.st_uid})"
        mode = stat.S_IMODE(status.st_mode)
        if mode & GROUP_AND_OTHERS_WRITE:
            return f"can be changed by others (mode {mode:04o})"
        return f"can be read by others (mode {mode:04o})" if mode & OTHERS else None

    def check(self, path: Path, *, may_be_mounted: bool = False) -> None:
        """Raises BadSetting with one line that says what to do."""
        problem = self.problem(path, may_be_mounted=may_be_mounted)
        if problem is None:
            return
        if problem == NO_FILE:
            raise BadSetting(f"{path} {problem}; put a file in its place")
        mode = f"{PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE:o}"
        first = "" if "user" not in problem else f"`chown {self.us} {path}` and "
        raise BadSetting(
            f"{path} {problem}; {first}`chmod {mode} {path}`, or `cutover init`, which does it for files of your own"
        )

    def repair(self, paths: Iterable[Path]) -> tuple[Path, ...]:
        """Take their rights from all others. Returns what was changed; what belongs to somebody else stays."""
        return tuple(path for path in paths if self._repair(path))

    def _repair(self, path: Path) -> bool:
        with suppress(OSError):
            status = path.stat()
            if status.st_uid == self.us and stat.S_IMODE(status.st_mode) & OTHERS:
                path.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
                return True
        return False


def our_access() -> Access:
    return Access(os.geteuid())


def with_log_files(database: Path) -> Iterator[Path]:
    """A SQLite file and what SQLite keeps beside it: https://sqlite.org/tempfiles.html"""
    yield from (database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm", "-journal"))
