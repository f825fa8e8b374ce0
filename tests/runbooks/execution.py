"""Executes a page: its commands are typed as they stand there, on fleets in the state that the page is for."""

import asyncio
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migration.cli.exit_codes import ExitCode
from migration.operations.waves import begin_wave
from state.enums import Side, Status
from state.rows import Position
from tests.harness.cli_fixture import CommandOutput
from tests.harness.operator import Operator, build_operator
from tests.runbooks.pages import REPOSITORY, commands_in

# Makes a new folder and an upgraded, empty database; gives the folder and the database's URL.
NewDatabase = Callable[[], tuple[Path, str]]
HOOK_COLUMNS = {"hook": "senders", "start_command": "start"}


@dataclass
class RunbookExecution:
    """One page; `assert_all_executed` fails for a command of it that was never executed."""

    page: str
    new_database: NewDatabase
    operator: Operator = field(init=False)
    commands: list[str] = field(init=False)
    left: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.commands = list(dict.fromkeys(commands_in(REPOSITORY / "runbooks" / f"{self.page}.md")))
        self.left = list(self.commands)

    def begin(
        self, *kinds: str, columns: dict[str, str] | None = None, only: int | None = None, **options: Any
    ) -> Operator:
        """A new operator with a fleet imported into a database of its own; `only`: so many rows of it."""
        folder, url = self.new_database()
        self.operator = asyncio.run(build_operator(folder, url, kinds=kinds or ("healthy",), **options))
        path = self.operator.harness.inventory(**(columns or {}))
        if only is not None:
            lines = path.read_text().splitlines()
            path.write_text("\n".join(lines[: only + 1]) + "\n")
        result = self.operator.cutover("import", str(path))
        assert result.exit_code == 0, result.stderr
        return self.operator

    def plan_wave(self, *options: str) -> None:
        result = self.operator.cutover("plan", "WAVE", *options)
        assert result.exit_code == 0, result.stderr

    def execute(
        self, part: str, *, exit_code: int | None = 0, typed: str | None = None, argument: str = ""
    ) -> CommandOutput:
        """Execute the page's command that `part` identifies.

        `typed` goes to its prompt, `argument` replaces NAME or FILE; `exit_code=None` accepts any exit code.
        """
        command = self._command(part)
        self.left = [line for line in self.left if line != command]
        words = shlex.split(command)[1:]
        if argument:
            words = [argument if word in ("NAME", "FILE") else word for word in words]
        result = self.operator.cutover(*words, typed=typed)
        # No webhook comes in here, so a moved number is registered and not proved, as `run` says with its exit code.
        moved = words[0] == "run" and exit_code == ExitCode.DONE and result.exit_code == ExitCode.NOT_ALL_PROVED
        assert exit_code is None or result.exit_code == exit_code or moved, (
            f"{command}: {result.exit_code} {result.stderr} {result.stdout}"
        )
        return result

    def _command(self, part: str) -> str:
        """The command that is `part`, else the only one that begins with it, else the only one that contains it."""
        if f"cutover {part}" in self.commands:
            return f"cutover {part}"
        beginning = [line for line in self.commands if line.startswith(f"cutover {part} ")]
        (command,) = beginning or [line for line in self.commands if part in line]
        return command

    def executed_elsewhere(self, part: str) -> None:
        """Excludes a command that another test executes."""
        self.left = [line for line in self.left if part not in line]

    def assert_all_executed(self) -> None:
        assert self.left == [], "no test executes these"


def assert_on_cloud(operator: Operator, *, registers: int = 1, ref: str = "N-0001") -> None:
    """Our record and the sandbox's agree that the number serves from Cloud, after so many calls of `register`."""
    position, sim = operator.position(ref), operator.sandbox_number(ref)
    assert (position.side, position.status, sim.side) == (Side.CLOUD, Status.DONE, "cloud"), (
        f"{position.next_step}: {position.reason}"
    )
    assert operator.calls(ref).count("register") == registers


def assert_untouched(operator: Operator, ref: str = "N-0001") -> None:
    """The number serves from On-Premises, and no call that could change that was sent."""
    assert operator.sandbox_number(ref).side == "on_premises"
    assert not {"register", "deregister", "command.stop"} & set(operator.calls(ref))


def drive_to_block(operator: Operator, page: str, ref: str = "N-0001") -> Position:
    """Run the number until it is blocked; the block names this page."""
    position = operator.run_number(ref)
    assert (position.status, position.runbook) == (Status.BLOCKED, f"runbooks/{page}.md"), (
        f"{position.status} {position.next_step}: {position.reason}"
    )
    return position


def begin_planned_wave(operator: Operator) -> None:
    """Mark the wave as running without moving its numbers."""
    operator.with_app(lambda app: begin_wave(app, "WAVE"))


def dark_number(runbook: RunbookExecution, **columns: str) -> Operator:
    """A number on CODE_AFTER that we took off On-Premises; nobody has typed its code."""
    operator = runbook.begin("code_refused", columns=HOOK_COLUMNS | {"itinerary": "CODE_AFTER"} | columns)
    operator.cutover("run", "N-0001", "--patience", "0")
    position = operator.position()
    assert (position.side, position.dark_by_us, position.next_step) == (Side.NEITHER, True, "verify_code"), (
        f"{position.next_step}: {position.reason}"
    )
    return operator
