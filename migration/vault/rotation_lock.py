"""One rotation of the master key at a time: a lock beside the key, which ends with the process that holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from state.errors import LeaseLost


@contextmanager
def rotation_lock(beside: Path) -> Iterator[None]:
    """Raises LeaseLost while another rotation holds it. `beside`: the key file, or the home folder."""
    path = beside / ".rotation.lock" if beside.is_dir() else beside.with_name(f".{beside.name}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseLost(
                f"another rotation of this master key is running ({path} is locked); nothing was changed. "
                "Wait until it has ended"
            ) from None
        yield
    finally:
        os.close(descriptor)
