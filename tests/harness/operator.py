"""An operator at the rig: the command line in this process, on the rig's database, clock and far sides."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner

from migration.app import App
from migration.cli.__main__ import app as command_line
from migration.cli.console import OPENER
from migration.settings import Settings
from migration.steps.outcomes import Advanced, Waiting
from migration.vault.sealing import write_private
from state.rows import Position
from tests.harness.cli_fixture import Said
from tests.harness.in_process import Rig, make_rig

T = TypeVar("T")


@dataclass
class Operator:
    """`rig` may be changed between commands; each command opens everything anew, as a process would."""

    rig: Rig
    env: dict[str, str] = field(default_factory=dict)

    def cutover(self, *words: str, typed: str | None = None) -> Said:
        before = OPENER.set(lambda *, dry_run: self.rig.worker(dry_run=dry_run))
        try:
            told = CliRunner().invoke(command_line, list(words), input=typed, env=self._environment())
        finally:
            OPENER.reset(before)
        if told.exception is not None and not isinstance(told.exception, SystemExit):
            raise told.exception
        return Said(told.exit_code, told.stdout, told.stderr)

    def _environment(self) -> dict[str, str | None]:
        home = {"CUTOVER_HOME": str(self.rig.folder), "CUTOVER_OPERATOR": "tester", "COLUMNS": "250"}
        return {**home, "CUTOVER_DATABASE_URL": self.rig.settings.database, "CUTOVER_MASTER_KEY": None, **self.env}

    def do(self, work: Callable[[App], Awaitable[T]]) -> T:
        """Something that no command does, with an object graph of its own."""

        async def alone() -> T:
            async with self.rig.worker() as app:
                return await work(app)

        return asyncio.run(alone())

    def taken_in(self, **columns: str) -> Position:
        """The whole fleet, imported by command; gives the first number."""
        said = self.cutover("import", str(self.rig.inventory(**columns)))
        assert said.code == 0, said.err
        return self.at()

    def at(self, ref: str = "N-0001") -> Position:
        return self.do(lambda app: app.queries.find(ref))

    def sim(self, ref: str = "N-0001") -> Any:
        """The number as the sandbox knows it."""
        return self.rig.number(self.at(ref))

    def change(self, what: str, value: object, ref: str = "N-0001") -> None:
        """Something happened to the number at Meta."""
        sim = self.sim(ref)
        setattr(sim, what, value)
        self.rig.sandbox.world.note(sim, self.rig.clock.now())

    def client(self, ref: str = "N-0001") -> Any:
        """The number's instance as the sandbox knows it."""
        return self.rig.sandbox.world.instance_of(self.sim(ref))

    def calls(self, ref: str = "N-0001") -> list[str]:
        return self.rig.mutations(self.at(ref))

    def drive(self, ref: str = "N-0001") -> Position:
        """As far as it goes, with whoever holds the phone typing codes in."""
        self.do(lambda app: self.rig.drive(app, ref))
        return self.at(ref)

    def step_to(self, step: str, ref: str = "N-0001") -> Position:
        """Step by step until the cursor stands there."""

        async def walk(app: App) -> None:
            at = await app.queries.find(ref)
            for _ in range(60):
                if at.next_step == step:
                    return
                outcome = await app.runner.run_step(at.migration_id)
                assert isinstance(outcome, Advanced | Waiting), outcome
                if isinstance(outcome, Waiting):
                    self.rig.clock.advance(max((outcome.until - self.rig.clock.now()).total_seconds(), 0.1))
                at = await app.queries.find(ref)
            raise AssertionError(f"{ref} never came to {step}")

        self.do(walk)
        return self.at(ref)

    def code(self, ref: str = "N-0001") -> str:
        """The newest code on the number's phone."""
        return self.rig.sandbox.sms(self.at(ref).e164)[-1]


async def make_operator(folder: Path, database_url: str, **how: Any) -> Operator:
    """A rig whose master key is in a file, as `cutover init` leaves it."""
    rig = await make_rig(folder, database_url, **how)
    assert rig.settings.master_key is not None
    write_private(folder / "master.key", rig.settings.master_key.get_secret_value() + "\n")
    rig.settings = Settings(home=folder, database_url=database_url, graph_url="http://sandbox")
    return Operator(rig)
