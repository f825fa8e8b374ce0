"""The lines of a comparison before and after a move, as screens show them. Loads little: lists use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from state.rows import FindingRow

KEPT_AS = "parity"  # the name of the finding, as `state/ledger/parity_findings.py` writes it


class Comparison(StrEnum):
    SAME = "same"
    EXPECTED = "expected"  # another value, as the move makes it
    RESTORED = "restored"
    PERSON = "needs a person"


@dataclass(frozen=True, slots=True)
class Line:
    what: str
    verdict: Comparison
    before: Any = None
    after: Any = None
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "verdict": self.verdict.value, "before": self.before, "after": self.after} | (
            {"why": self.why} if self.why else {}
        )


def kept_parity(results: Mapping[str, FindingRow]) -> Mapping[str, Any] | None:
    """The lines that were read last, with the time; None where they were never read."""
    found = results.get(KEPT_AS)
    return {"read_at": found.at, "lines": found.facts["lines"]} if found is not None else None


def shown_text(line: Mapping[str, Any]) -> str:
    """One kept line as a sentence."""
    values = f"{_value(line['before'])} -> {_value(line['after'])}" if line["before"] != line["after"] else ""
    return "; ".join(filter(None, (values or _value(line["after"]), line.get("why"))))


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return {None: "none", True: "yes", False: "no"}.get(value, str(value)) if not isinstance(value, str) else value
