"""Files that only their owner can read."""

import os
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write the complete file or nothing: a temporary file beside it, synced to the disk, then renamed.

    The folder is synced too: after a power cut a renamed file may otherwise have its old name, or none.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
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


def remove_leftovers(folder: Path, of: str, *, older_than_s: float = 0.0) -> Sequence[Path]:
    """Remove the temporary files that a killed `write_private` has left of files whose names match the pattern `of`.

    `older_than_s`: a file that a live writer may be at is younger. Returns what was removed.
    """
    leftover = re.compile(rf"\.(?:{of})\.[0-9a-f]{{8}}")
    removed = []
    for path in folder.glob(".*") if folder.is_dir() else ():
        if leftover.fullmatch(path.name) is None:
            continue
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime >= older_than_s:
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
