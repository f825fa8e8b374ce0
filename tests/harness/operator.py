"""An operator of a harness: the command line in this process, on the harness's database, clock and sandbox."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner

from migration.app import App
from migration.cli.__main__ import app as command_line
from migration.cli.session import OPENER, READER_OPENER
from migration.settings import Settings
from migration.steps.outcomes import Advanced, Waiting
from migration.vault.private_file import write_private
from state.rows import Position
from tests.harness.cli_fixture import CommandOutput
from tests.harness.in_process import Harness, build_harness

T = TypeVar("T")


@dataclass
class Operator:
    """`harness` may be changed between commands: each command builds the object graph anew, as a process does."""

    harness: Harness
    env: dict[str, str] = field(default_factory=dict)

    def cutover(self, *arguments: str, typed: str | None = None) -> CommandOutput:
        token = OPENER.set(lambda *, dry_run: self.harness.worker(dry_run=dry_run))
        reader_token = READER_OPENER.set(self.harness.reader)
        try:
            result = CliRunner().invoke(command_line, list(arguments), input=typed, env=self._environment())
        finally:
            OPENER.reset(token)
            READER_OPENER.reset(reader_token)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return CommandOutput(result.exit_code, result.stdout, result.stderr)

    def _environment(self) -> dict[str, str | None]:
        home = {"CUTOVER_HOME": str(self.harness.folder), "CUTOVER_OPERATOR": "tester", "COLUMNS": "250"}
        return {**home, "CUTOVER_DATABASE_URL": self.harness.settings.database, "CUTOVER_MASTER_KEY": None, **self.env}

    def with_app(self, work: Callable[[App], Awaitable[T]]) -> T:
        """Run something that no command does, with an object graph of its own."""

        async def run() -> T:
            async with self.harness.worker() as app:
                return await work(app)

        return asyncio.run(run())

    def import_numbers(self, **columns: str) -> Position:
        """Import the whole fleet with `cutover import`; gives the first number."""
        output = self.cutover("import", str(self.harness.inventory(**columns)))
        assert output.exit_code == 0, output.stderr
        return self.position()

    def position(self, ref: str = "N-0001") -> Position:
        return self.with_app(lambda app: app.queries.positions.find(ref))

    def sandbox_number(self, ref: str = "N-0001") -> Any:
        """The number in the sandbox."""
        return self.harness.sandbox_number(self.position(ref))

    def change_at_meta(self, what: str, value: object, ref: str = "N-0001") -> None:
        """Set an attribute of the sandbox's number, as an event at Meta would."""
        sim = self.sandbox_number(ref)
        setattr(sim, what, value)
        self.harness.sandbox.world.refresh(sim, self.harness.clock.now())

    def sandbox_client(self, ref: str = "N-0001") -> Any:
        """The number's On-Premises client in the sandbox."""
        return self.harness.sandbox.world.instance_of(self.sandbox_number(ref))

    def calls(self, ref: str = "N-0001") -> list[str]:
        return self.harness.mutations(self.position(ref))

    def run_number(self, ref: str = "N-0001") -> Position:
        """Run the number and enter its codes, until it needs a person."""
        self.with_app(lambda app: self.harness.run_number(app, ref))
        return self.position(ref)

    def advance_to(self, step: str, ref: str = "N-0001") -> Position:
        """Run steps of the number until `step` is its next one."""

        async def walk(app: App) -> None:
            position = await app.queries.positions.find(ref)
            for _ in range(60):
                if position.next_step == step:
                    return
                outcome = await app.runner.run_step(position.migration_id)
                assert isinstance(outcome, Advanced | Waiting), outcome
                if isinstance(outcome, Waiting):
                    self.harness.clock.advance(max((outcome.until - self.harness.clock.now()).total_seconds(), 0.1))
                position = await app.queries.positions.find(ref)
            raise AssertionError(f"{ref} never reached {step}")

        self.with_app(walk)
        return self.position(ref)

    def newest_code(self, ref: str = "N-0001") -> str:
        """The newest code on the number's phone."""
        return self.harness.sandbox.sms(self.position(ref).e164)[-1]


async def build_operator(folder: Path, database_url: str, **options: Any) -> Operator:
    """A harness whose master key is in a file, as `cutover init` leaves it. The options are `build_harness`'s."""
    harness = await build_harness(folder, database_url, **options)
    assert harness.settings.master_key is not None
    write_private(folder / "master.key", harness.settings.master_key.get_secret_value() + "\n")
    harness.settings = Settings(home=folder, database_url=database_url, graph_url="http://sandbox.localhost")
    return Operator(harness)
