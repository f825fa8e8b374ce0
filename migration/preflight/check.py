"""What a preflight check is, and what it returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from migration.steps.number import Number
from migration.steps.rollback_options import RollbackOption


class Verdict(StrEnum):
    PASS = "pass"
    WARN = "warn"  # the migration would succeed, but an operator should know of this
    NOT_LOOKED = "could not look"  # a reading failed, so this says neither
    FAIL = "fail"  # the migration would stop, or do harm


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check of one number.

    `runbook` is set when a person has to act. `facts` are stored for whoever approves the wave. `rollback` is set by
    the check for a way back to On-Premises only.
    """

    check: str
    verdict: Verdict
    message: str
    runbook: str | None = None
    facts: Mapping[str, Any] | None = None
    rollback: RollbackOption | None = None


class Check(Protocol):
    name: ClassVar[str]

    async def run(self, number: Number) -> CheckResult | None:
        """Changes nothing. Returns None if the check does not apply to this number. Raises the clients' errors."""
