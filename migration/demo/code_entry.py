"""Types in each verification code when it arrives. The first code for the first number is typed in wrong on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from pydantic import SecretStr

from migration.app import App
from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from migration.errors import OperationRefused
from migration.operations.received_codes import enter_code
from state.enums import Party, Status
from state.rows import Position

FORM = "enter-code/enter-code"
# Seconds after which a person who has filled in the form, and sees no effect, types the code in a terminal instead.
FORM_TAKES_S = 60


@dataclass
class CodeEntry:
    """Enters the codes of one number with Prefect's form, and all others with the function of `cutover enter-code`."""

    app: App
    sandbox: SandboxControl
    prefect: PrefectApi
    typed: dict[int, set[str]] = field(default_factory=dict)  # migration id -> codes that were typed in
    wrong_for: str | None = None  # reference of the number whose first code was typed in wrong
    in_form: str | None = None  # reference of the number whose code was typed into the form
    in_form_since: float = 0.0
    form_open: bool = False  # closed before the kill: a run that dies with its worker never begins

    async def enter_arrived(self, board: Sequence[Position]) -> list[str]:
        """Enter the codes that have arrived. Returns a line for each."""
        lines = [await self._enter_next(position) for position in board if _waits_for_code(position)]
        return [line for line in lines if line is not None]

    async def _enter_next(self, position: Position) -> str | None:
        code = await self.sandbox.code(position.e164)
        typed = self.typed.setdefault(position.migration_id, set())
        if self.in_form == position.ref and monotonic() - self.in_form_since > FORM_TAKES_S:
            typed.discard(code or "")
        if code is None or code in typed:
            return None
        if self.wrong_for is None:
            self.wrong_for = position.ref
            return await self._enter_wrong(position, code)
        is_first = self.wrong_for == position.ref
        if is_first and position.tries == 0 and len(typed) == 1 and not await self._was_rejected(position):
            return None  # the wrong code has not been tried yet
        if not self.form_open and not is_first:
            return None
        typed.add(code)
        if self.in_form is None and not is_first:
            self.in_form, self.in_form_since = position.ref, monotonic()
            await self.prefect.start(FORM, {"number": position.ref, "code": code})
            return f"{position.ref}: the code is typed into Prefect's form"
        return await self._enter(position, code, "the code is typed in")

    async def _enter_wrong(self, position: Position, code: str) -> str | None:
        wrong = f"{(int(code) + 1) % 1_000_000:06d}"
        self.typed[position.migration_id].add(wrong)
        return await self._enter(position, wrong, "a code is typed in, and it is wrong")

    async def _was_rejected(self, position: Position) -> bool:
        attempts = await self.app.queries.records.attempts(position.migration_id)
        return any(row["step"] == "verify_code" and row["ended"] is not None for row in attempts)

    async def _enter(self, position: Position, code: str, text: str) -> str | None:
        try:
            await enter_code(self.app, position.ref, SecretStr(code), "demo")
        except OperationRefused:
            return None  # the number has just moved on to another step
        return f"{position.ref}: {text}"


def _waits_for_code(position: Position) -> bool:
    if position.status is not Status.WAITING or position.waiting_on is not Party.CUSTOMER:
        return False
    return position.next_step == "verify_code"
