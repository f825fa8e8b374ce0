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
from tests.harness.cli_fixture import CommandOutput
from tests.harness.in_process import Harness, build_harness

T = TypeVar("T")


@dataclass
class Operator:
    """`rig` may be changed between commands; each command opens everything anew, as a process would."""

    harness: Harness
    env: dict[str, str] = field(default_factory=dict)

    def cutover(self, *words: str, typed: str | None = None) -> CommandOutput:
        before = OPENER.set(lambda *, dry_run: self.harness.worker(dry_run=dry_run))
        try:
            told = CliRunner().invoke(command_line, list(words), input=typed, env=self._environment())
        finally:
            OPENER.reset(before)
        if told.exception is not None and not isinstance(told.exception, SystemExit):
            raise told.exception
        return CommandOutput(told.exit_code, told.stdout, told.stderr)

    def _environment(self) -> dict[str, str | None]:
        home = {"CUTOVER_HOME": str(self.harness.folder), "CUTOVER_OPERATOR": "tester", "COLUMNS": "250"}
        return {**home, "CUTOVER_DATABASE_URL": self.harness.settings.database, "CUTOVER_MASTER_KEY": None, **self.env}

    def with_app(self, work: Callable[[App], Awaitable[T]]) -> T:
        """Something that no command does, with an object graph of its own."""

        async def alone() -> T:
            async with self.harness.worker() as app:
                return await work(app)

        return asyncio.run(alone())

    def import_numbers(self, **columns: str) -> Position:
        """The whole fleet, imported by command; gives the first number."""
        output = self.cutover("import", str(self.harness.inventory(**columns)))
        assert output.exit_code == 0, output.stderr
        return self.position()

    def position(self, ref: str = "N-0001") -> Position:
        return self.with_app(lambda app: app.queries.positions.find(ref))

    def sandbox_number(self, ref: str = "N-0001") -> Any:
        """The number as the sandbox knows it."""
        return self.harness.sandbox_number(self.position(ref))

    def change_at_meta(self, what: str, value: object, ref: str = "N-0001") -> None:
        """Something happened to the number at Meta."""
        sim = self.sandbox_number(ref)
        setattr(sim, what, value)
        self.harness.sandbox.world.note(sim, self.harness.clock.now())

    def sandbox_client(self, ref: str = "N-0001") -> Any:
        """The number's instance as the sandbox knows it."""
        return self.harness.sandbox.world.instance_of(self.sandbox_number(ref))

    def calls(self, ref: str = "N-0001") -> list[str]:
        return self.harness.mutations(self.position(ref))

    def run_number(self, ref: str = "N-0001") -> Position:
        """As far as it goes, with whoever holds the phone typing codes in."""
        self.with_app(lambda app: self.harness.run_number(app, ref))
        return self.position(ref)

    def advance_to(self, step: str, ref: str = "N-0001") -> Position:
        """Step by step until the cursor stands there."""

        async def walk(app: App) -> None:
            at = await app.queries.positions.find(ref)
            for _ in range(60):
                if at.next_step == step:
                    return
                outcome = await app.runner.run_step(at.migration_id)
                assert isinstance(outcome, Advanced | Waiting), outcome
                if isinstance(outcome, Waiting):
                    self.harness.clock.advance(max((outcome.until - self.harness.clock.now()).total_seconds(), 0.1))
                at = await app.queries.positions.find(ref)
            raise AssertionError(f"{ref} never came to {step}")

        self.with_app(walk)
        return self.position(ref)

    def newest_code(self, ref: str = "N-0001") -> str:
        """The newest code on the number's phone."""
        return self.harness.sandbox.sms(self.position(ref).e164)[-1]


async def build_operator(folder: Path, database_url: str, **how: Any) -> Operator:
    """A rig whose master key is in a file, as `cutover init` leaves it."""
    harness = await build_harness(folder, database_url, **how)
    assert harness.settings.master_key is not None
    write_private(folder / "master.key", harness.settings.master_key.get_secret_value() + "\n")
    harness.settings = Settings(home=folder, database_url=database_url, graph_url="http://sandbox")
    return Operator(harness)
