"""The fleet's head, written to a file: how far each chain of the record had come at a moment.

A line holds what has changed since the line before it, and a keyed hash over both. Whoever cuts the end off a chain in
the database, or removes a whole one, leaves this file behind. Keep it, or the webhook that gets its lines, where
whoever may write into the database may not.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from state.queries.heads import Heads
from state.record_key import GENESIS, RecordKey

FILE = "record-anchors.jsonl"
EVERY_S = 60.0


@dataclass(slots=True)
class Replayed:
    """What the lines up to `offset` say. `chains`: name of each chain to its count and last hash."""

    epoch: tuple[int, str | None] | None = None  # and its mark; None: no line
    at: str = ""
    chains: dict[str, tuple[int, str]] = field(default_factory=dict)
    mac: str = GENESIS
    lines: int = 0
    offset: int = 0
    bad_line: int | None = None  # the first that is not what this key has written
    ours: tuple[int, str | None] | None = None  # the epoch of the last line of this key, whatever came after it
    every: dict[str, dict[int, str]] | None = None  # each link of this epoch that a line names, where all are kept
    lost_key_line: int | None = None  # of another key, before any of this one; right only where a key was lost

    def take(self, raw: bytes, key: RecordKey) -> None:
        self.lines += 1
        self.offset += len(raw)
        try:
            line = json.loads(raw)
            mac = line.pop("mac")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            return  # cut off by a kill; the next line follows from the one before it, or is found
        if line.get("key") != key.name():
            self.epoch, self.chains, self.mac = None, {}, mac  # of a key that was lost
            if self.ours is None:
                self.lost_key_line = self.lines
            return
        if mac != _mac(key, self.mac, line):
            self._bad()
        try:
            epoch, at = (line["epoch"], line["mark"]), line["at"]
            chains = {name: (count, head) for name, (count, head) in line["chains"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            self._bad()  # no line of ours has this form
            return
        if self.epoch is None and epoch == self.ours:
            self._bad()  # a line of another key hides how far the chains of this epoch had come
        if epoch != self.epoch:  # a restore: what was anchored before it counts no more
            self.chains = {}
        if self.every is not None:
            self._keep_links(self.every if epoch == self.ours else {}, chains)
        self.epoch, self.ours, self.at, self.mac = epoch, epoch, at, mac
        self.chains |= chains

    def _keep_links(self, every: dict[str, dict[int, str]], chains: Mapping[str, tuple[int, str]]) -> None:
        for name, (count, head) in chains.items():
            every.setdefault(name, {}).setdefault(count, head)
        self.every = every

    def _bad(self) -> None:
        self.bad_line = self.bad_line or self.lines


def _mac(key: RecordKey, previous: str, line: Mapping[str, Any]) -> str:
    return key.hash("anchor line", previous, line)


@dataclass(slots=True)
class RecordAnchor:
    """Of one process: it reads the lines of others before it adds its own."""

    path: Path
    key: RecordKey
    now: Callable[[], str]
    _read: Replayed = field(default_factory=Replayed)

    def write(self, heads: Heads) -> str | None:
        """Add a line where a chain has moved since the last one; returns it. Raises OSError."""
        with _locked(self.path) as descriptor:
            self.read()
            chains = {name: head for name, head in heads.chains.items() if self._read.chains.get(name) != head}
            is_new = (heads.epoch, heads.mark) != self._read.epoch
            if not is_new and not chains:
                return None
            if is_new:
                chains = dict(heads.chains)
            line: dict[str, Any] = {
                "at": self.now(),
                "home": heads.home_id,
                "epoch": heads.epoch,
                "mark": heads.mark,
                "key": self.key.name(),
                "chains": {name: list(head) for name, head in sorted(chains.items())},
            }
            text = json.dumps(line | {"mac": _mac(self.key, self._read.mac, line)}, separators=(",", ":")) + "\n"
            if self._read.offset and not self._ends_in_line():
                text = "\n" + text  # a kill has cut the last one off
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        return text.strip()

    def read(self) -> Replayed:
        """What all lines say; only those that are new since the last time are read."""
        if not self.path.exists():
            self._read = Replayed()
            return self._read
        if self.path.stat().st_size < self._read.offset:
            self._read = Replayed()  # somebody has made it shorter
        with self.path.open("rb") as file:
            file.seek(self._read.offset)
            for raw in file:
                if raw.strip():
                    self._read.take(raw, self.key)
                else:
                    self._read.offset += len(raw)
        return self._read

    def read_all(self) -> Replayed:
        """As `read`, from the first line on, and with each link that any line names.

        The last line alone would not do: after a cut, the next line says how far the shorter chain has come.
        """
        return RecordAnchor(self.path, self.key, self.now, Replayed(every={})).read()

    def _ends_in_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
