"""Files that only their owner can read."""

import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from migration.runtime.worker_identity import holder_name, is_gone


def write_private(path: Path, text: str) -> None:
    """Write the complete file or nothing: a temporary file beside it, synced to the disk, then renamed.

    The folder is synced too: after a power cut a renamed file may otherwise have its old name, or none.
    """
    temporary = path.with_name(f".{path.name}.{_writer()}.{secrets.token_hex(4)}")
    descriptor = open_temporary(temporary, path)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_temporary(temporary: Path, of: Path) -> int:
    """A new file of its owner alone, to be renamed to `of`. Raises OSError, which names `of` as the person did."""
    with errors_name(of):
        return os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)


@contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """An OSError from inside names this path, and not a temporary one beside it that nobody knows."""
    try:
        yield
    except OSError as exc:
        raise type(exc)(exc.errno, exc.strerror, str(path)) from None


def _writer() -> str:
    """Name of this process, by which another one can tell whether it still runs."""
    _, pid, _, machine, started = holder_name().rsplit(":", 4)
    return f"{pid}-{machine}-{started}"


def remove_leftovers(folder: Path, of: str, *, older_than_s: float = 0.0) -> Sequence[Path]:
    """Remove the temporary files that a killed `write_private` has left of files whose names match the pattern `of`.

    A file goes at once where its writer is known to have exited. `older_than_s`: of any other, a live writer may be at
    a file that is younger. Returns what was removed.
    """
    leftover = re.compile(rf"\.(?:{of})\.(?:(\d+)-([0-9a-f]*)-(\d*)\.)?[0-9a-f]{{8}}")
    removed = []
    for path in folder.glob(".*") if folder.is_dir() else ():
        name = leftover.fullmatch(path.name)
        if name is None:
            continue
        pid, machine, started = name.groups()
        exited = pid is not None and is_gone(f"here:{pid}:x:{machine}:{started}")
        with suppress(FileNotFoundError):
            if exited or time.time() - path.stat().st_mtime >= older_than_s:
                destroy(path)
                removed.append(path)
    return removed


def destroy(path: Path) -> None:
    """Overwrite a file, then remove it. On a disk that writes every change elsewhere the old blocks may stay."""
    with suppress(FileNotFoundError):
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
