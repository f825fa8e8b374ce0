"""What another user of the machine could read of our processes while they run: arguments and variables."""

import os
import threading
from pathlib import Path
from typing import Self

EVERY_S = 0.02
SANDBOX = b"-m\0sandbox\0"  # the other side: it has every secret, and is none of ours


class ProcessSampler:
    """Reads /proc in a thread: of every process that descends from this one, and of their children after them.

    `seen`: by process id and by `cmdline` or `environ`, all that was read.
    """

    def __init__(self) -> None:
        self.seen: dict[tuple[int, str], set[bytes]] = {}
        self._known: set[int] = set()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def of(self, part: str) -> list[tuple[int, bytes]]:
        """Process ids and what was read of them, as `cmdline` or `environ`."""
        return [(pid, text) for (pid, name), texts in self.seen.items() if name == part for text in texts]

    def ran(self, words: str) -> bool:
        """Whether a process had these arguments, one after the other."""
        return any(words.encode() in text.replace(b"\0", b" ") for _, text in self.of("cmdline"))

    def _run(self) -> None:
        while not self._ends.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdecimal()}
        ours = {os.getpid()} | self._known
        found: set[int] = set()
        for pid in sorted(parents):
            if parents[pid] in ours | found and pid != os.getpid():
                found.add(pid)
        self._known = {pid for pid in self._known | found if pid in parents}
        for pid in self._known:
            arguments = _read(pid, "cmdline")
            if SANDBOX not in arguments:
                for part in ("cmdline", "environ"):
                    self.seen.setdefault((pid, part), set()).add(_read(pid, part))


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _read(pid: int, part: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{part}").read_bytes()
    except OSError:
        return b""
