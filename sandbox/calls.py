"""The record of every call that reached the sandbox, in order. Never a secret in it.

Above 10,000 rows the older half goes to a file, so memory stays flat however long a rehearsal runs.
"""

import json
import tempfile
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
    """One call. `effect`: it did what it asks for. `answered`: its answer was sent back whole.

    `fault`: the kind of fault that struck it; `broken` where the sandbox itself failed.
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
        told = {name: getattr(self, name) for name in self.__slots__}
        told["at"] = self.at.isoformat()
        return told


class CallLog:
    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._recent: list[Call] = []
        self._spilled = 0
        self._file: IO[str] | None = None
        self._offsets: list[int] = []  # where every INDEX_EVERY-th spilled row begins

    def __len__(self) -> int:
        return self._spilled + len(self._recent)

    def append(self, call: Call) -> None:
        self._recent.append(call)
        if len(self._recent) > self._in_memory:
            self._spill(len(self._recent) // 2)

    def since(self, seq: int, limit: int | None = None) -> list[Call]:
        """Calls after number `seq`; numbers begin at 1 and have no gaps."""
        found: list[Call] = []
        if seq < self._spilled:
            most = self._spilled - seq if limit is None else min(limit, self._spilled - seq)
            found.extend(islice(self._from_file(seq), most))
        rest = self._recent[max(0, seq - self._spilled) :]
        found.extend(rest if limit is None else rest[: max(0, limit - len(found))])
        return found

    def lines(self, seq: int, limit: int | None = None) -> Iterator[str]:
        """As `since`, each call as JSON; what was spilled is handed on as it was written."""
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
        """Close and forget the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self, count: int) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  lives as long as the log
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
        """The spilled calls after number `seq`; what is not asked for is not read."""
        assert self._file is not None
        self._file.seek(self._offsets[seq // INDEX_EVERY])
        for _ in range(seq % INDEX_EVERY):
            self._file.readline()
        while line := self._file.readline():
            yield line
