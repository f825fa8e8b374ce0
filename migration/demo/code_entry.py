"""Somebody at the phones: types in each code as it arrives. The first one for one number is typed in wrong."""

from dataclasses import dataclass, field
from time import monotonic

from pydantic import SecretStr

from migration.app import App
from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from migration.errors import OperationRefused
from migration.operations.codes import enter_code
from state.enums import Party, Status
from state.rows import Position

FORM = "enter-code/cutover"
# Seconds after which somebody who filled in the form, and sees nothing happen, types the code in at a terminal.
FORM_TAKES_S = 60


@dataclass
class CodeEntry:
    """Types once per number and wait; through Prefect's form for one number, by the command's own function else."""

    app: App
    oracle: SandboxControl
    prefect: PrefectApi
    typed: dict[int, set[str]] = field(default_factory=dict)
    mistaken: str | None = None
    in_form: str | None = None
    in_form_since: float = 0.0
    form_open: bool = False  # not before the kill: a run that its worker takes to the grave never begins

    async def look(self, board: tuple[Position, ...]) -> list[str]:
        """Type what has arrived. Returns a line for each."""
        said = [await self._type(at) for at in board if _waits_for_code(at)]
        return [one for one in said if one is not None]

    async def _type(self, at: Position) -> str | None:
        code = await self.oracle.code(at.e164)
        typed = self.typed.setdefault(at.migration_id, set())
        if self.in_form == at.ref and monotonic() - self.in_form_since > FORM_TAKES_S:
            typed.discard(code or "")
        if code is None or code in typed:
            return None
        if self.mistaken is None:
            self.mistaken = at.ref
            return await self._mistyped(at, code)
        if self.mistaken == at.ref and at.tries == 0 and len(typed) == 1 and not await self._was_refused(at):
            return None  # the wrong one has not been tried yet
        if not self.form_open and self.mistaken != at.ref:
            return None
        typed.add(code)
        if self.in_form is None and self.mistaken != at.ref:
            self.in_form, self.in_form_since = at.ref, monotonic()
            await self.prefect.start(FORM, {"number": at.ref, "code": code})
            return f"{at.ref}: the code is typed into Prefect's form"
        return await self._enter(at, code, "the code is typed in")

    async def _mistyped(self, at: Position, right: str) -> str | None:
        wrong = f"{(int(right) + 1) % 1_000_000:06d}"
        self.typed[at.migration_id].add(wrong)
        return await self._enter(at, wrong, "a code is typed in, and it is wrong")

    async def _was_refused(self, at: Position) -> bool:
        attempts = await self.app.queries.records.attempts(at.migration_id)
        return any(row["step"] == "verify_code" and row["ended"] is not None for row in attempts)

    async def _enter(self, at: Position, code: str, said: str) -> str | None:
        try:
            await enter_code(self.app, at.ref, SecretStr(code), "demo")
        except OperationRefused:
            return None  # the number went on in this very moment
        return f"{at.ref}: {said}"


def _waits_for_code(at: Position) -> bool:
    return at.next_step == "verify_code" and at.status is Status.WAITING and at.waiting_on is Party.CUSTOMER
