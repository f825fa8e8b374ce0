"""Files that only their owner can read."""

import os
import secrets
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
