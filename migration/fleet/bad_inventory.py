"""What is wrong with an inventory file: every row at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BadRow:
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.reason}"


class BadInventory(Exception):
    """Nothing was written. `bad` lists every row that is wrong, with the reason."""

    def __init__(self, path: Path, bad: Sequence[BadRow]) -> None:
        super().__init__(str(path), tuple(bad))
        self.path = path
        self.bad = tuple(bad)
