"""The record of every call that reached the sandbox, in order and without secrets.

Above 10,000 rows the older half is moved to a file, so that a long rehearsal does not need more memory.
"""

import json
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import IO, Any, Literal

Side = Literal["graph", "onprem", "hook", "command"]
IN_MEMORY = 10_000
INDEX_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `effect`: it did what it asks for. `answered`: its response was sent completely.

    `fault`: the kind of the fault that hit it; `broken` when the sandbox itself failed.
    """

    seq: int
    at: datetime
    side: Side
    method: str
    path: str
    phone_number_id: str | None
    e164: str | None
    call: str
    write: bool
    status: int
    code: int | None
    effect: bool
    answered: bool
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        row = {name: getattr(self, name) for name in self.__slots__}
        row["at"] = self.at.isoformat()
        return row


class CallLog:
    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._recent: list[Call] = []
        self._spilled = 0
        self._file: IO[str] | None = None
        self._offsets: list[int] = []  # positions in the file of every INDEX_EVERY-th row

    def __len__(self) -> int:
        return self._spilled + len(self._recent)

    def append(self, call: Call) -> None:
        self._recent.append(call)
        if len(self._recent) > self._in_memory:
            self._spill(len(self._recent) // 2)

    def since(self, seq: int, limit: int | None = None) -> list[Call]:
        """Calls after number `seq`; numbers begin at 1 and have no gaps."""
        calls: list[Call] = []
        if seq < self._spilled:
            most = self._spilled - seq if limit is None else min(limit, self._spilled - seq)
            calls.extend(islice(self._from_file(seq), most))
        rest = self._recent[max(0, seq - self._spilled) :]
        calls.extend(rest if limit is None else rest[: max(0, limit - len(calls))])
        return calls

    def lines(self, seq: int, limit: int | None = None) -> Iterator[str]:
        """As `since`, each call as JSON; rows in the file are not parsed."""
        left = len(self) if limit is None else limit
        if seq < self._spilled:
            for line in islice(self._lines(seq), left):
                left -= 1
                yield line.rstrip("\n")
        for call in islice(self._recent, max(0, seq - self._spilled), None):
            if left <= 0:
                return
            left -= 1
            yield json.dumps(call.as_json(), separators=(",", ":"))

    def clear(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self, count: int) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  lives as long as the log
            weakref.finalize(self, self._file.close)  # a test gives its sandbox up without a word
        self._file.seek(0, 2)
        for call in self._recent[:count]:
            if self._spilled % INDEX_EVERY == 0:
                self._offsets.append(self._file.tell())
            self._file.write(json.dumps(call.as_json(), separators=(",", ":")) + "\n")
            self._spilled += 1
        del self._recent[:count]

    def _from_file(self, seq: int) -> Iterator[Call]:
        for line in self._lines(seq):
            row = json.loads(line)
            yield Call(**(row | {"at": datetime.fromisoformat(row["at"])}))

    def _lines(self, seq: int) -> Iterator[str]:
        """The lines of the file after number `seq`. Of the earlier lines, fewer than INDEX_EVERY are read."""
        assert self._file is not None
        self._file.seek(self._offsets[seq // INDEX_EVERY])
        for _ in range(seq % INDEX_EVERY):
            self._file.readline()
        while line := self._file.readline():
            yield line
