"""Start the On-Premises client by its named command, and again after a restore, which stops a client that had an app.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
Starting what runs already changes nothing. Taken back by: the stop command.
"""

from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from migration.steps.both_sides import cached_sides
from migration.steps.client_command import run_client_command
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import AFTER_COMMAND, StepContract
from state.enums import Promise

PAGE = "runbooks/rollback-number.md"


class StartOnPrem:
    contract: ClassVar[StepContract] = StepContract(
        name="start_onprem",
        promise=Promise.REPEATABLE,
        longest_call=timedelta(seconds=60),
        reads_lag=AFTER_COMMAND,
        runs_command=True,
    )

    async def check(self, number: Number) -> None | Blocked:
        if number.state.instance is None:
            return Blocked("the number has no On-Premises instance", "runbooks/way-back-closed.md")
        if _command(number) is None and not await self._answers(number):
            return Blocked("the client does not answer and no start command is named for it", PAGE)
        return None

    async def prepare(self, number: Number) -> Draft:
        command = _command(number)
        limit = {"limit_s": number.commands.limit_s(command)} if command is not None else {}
        return Draft({"command": command, **limit})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        both = await cached_sides(number)
        if await self._answers(number):
            return Done(Evidence(both.facts()))
        if intent is not None and "started_at" in number.note_of(self.contract.name):
            return CannotTell(number.after(seconds=2), f"started; On-Premises reads {both.kind}")
        return NotDone(both.facts())

    async def apply(self, number: Number, intent: Intent) -> CannotTell:
        await run_client_command(number, intent)
        note = {"started_at": number.now.isoformat(), "answered": intent.key}
        return CannotTell(number.after(seconds=1), "started; it has to answer", note)

    async def _answers(self, number: Number) -> bool:
        return (await cached_sides(number)).kind in ("serving", "not_serving")


class RestartOnPrem(StartOnPrem):
    """After a restore. Costs nothing where the client serves already or nothing was restored."""

    contract: ClassVar[StepContract] = replace(StartOnPrem.contract, name="restart_onprem")

    async def check(self, number: Number) -> None:
        return None

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        both = await cached_sides(number)
        restored = bool(number.result_of("restore_onprem").get("restored"))
        if both.serving or not restored or _command(number) is None or number.result_of(self.contract.name):
            return Done(Evidence(both.facts()))
        if "started_at" in number.note_of(self.contract.name):
            return Done(Evidence(both.facts())) if both.kind == "not_serving" else await super().probe(number, intent)
        return NotDone(both.facts())


def _command(number: Number) -> str | None:
    return number.state.instance.start_command if number.state.instance is not None else None
