"""What a check is and what it may say."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from migration.steps.number import Number


class Verdict(StrEnum):
    PASS = "pass"
    WARN = "warn"  # it would go through; somebody should know
    FAIL = "fail"  # it would stop, or worse


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. `runbook` where a person has to act; `facts` are kept for whoever approves the wave."""

    check: str
    verdict: Verdict
    message: str
    runbook: str | None = None
    facts: Mapping[str, Any] | None = None


class Check(Protocol):
    name: ClassVar[str]

    async def run(self, number: Number) -> CheckResult | None:
        """None where the check does not apply to this number. Changes nothing; raises what clients raise."""
