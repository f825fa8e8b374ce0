"""One change of many numbers: a list, a file, a wave, or all that are blocked. Each is named with its result."""

import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from migration.app import App
from migration.cli.confirming import ChangeReport, forecast_command
from migration.cli.exit_codes import ExitCode
from migration.cli.number_document import number_document
from migration.cli.output import count_text, print_error, print_line
from migration.cli.rehearsal import open_for_change
from migration.cli.running import usage_error
from migration.engine.barrier import unexpected
from migration.errors import MigrationError
from migration.operations.wording import number_label, status_line
from migration.waves.next_command import next_command
from state.enums import Status
from state.errors import NotFound, StateError
from state.rows import Position

OfWave = Annotated[str | None, typer.Option("--wave", help="Each number of this wave that it can concern.")]
Blocked = Annotated[bool, typer.Option("--blocked", help="Only numbers that are blocked.")]
FromFile = Annotated[
    str | None, typer.Option("--file", help="A file of numbers, one a line; - is standard input. # begins a comment.")
]
Change = Callable[[App, str], Awaitable[object]]
_CELL_ENDS = re.compile("[,;\\t]")  # as spreadsheets of different countries write them


@dataclass(frozen=True, slots=True)
class Selection:
    """What was typed. Numbers that a wave or `--blocked` selects are only those that the change can concern."""

    typed: Sequence[str] = ()
    wave: str | None = None
    blocked: bool = False
    file: str | None = None

    @property
    def is_bulk(self) -> bool:
        return len(self.typed) > 1 or self.wave is not None or self.blocked or self.file is not None

    @property
    def single(self) -> str:
        """The one number or wave that was typed. A usage error if there is none."""
        if not self.typed:
            usage_error("which number? Give one or more, --file, --wave or --blocked; `cutover status` lists them")
        return self.typed[0]

    async def find(self, app: App, can_concern: Callable[[Position], bool]) -> list[Position]:
        """Each selected number once. Raises NotFound, which names every number and the wave that are not known."""
        if self.typed or self.file is not None:
            if self.wave is not None:
                usage_error("give numbers or --wave, not both; nothing was changed")
            found = await _find_each(app, [*self.typed, *_lines_of(self.file)])
        else:
            if self.wave is not None:
                await app.queries.waves.get(self.wave)
            found = [row for row in await app.queries.positions.board(wave=self.wave) if can_concern(row)]
        chosen = {row.ref: row for row in found if row.status is Status.BLOCKED or not self.blocked}
        if not chosen:
            usage_error("no number is selected that this can concern; nothing was changed")
        return list(chosen.values())

    def subject(self, numbers: Sequence[Position]) -> str:
        """What --confirm has to repeat: the wave, else how many numbers these are."""
        return self.wave if self.wave is not None and not self.blocked else str(len(numbers))


async def change_numbers(
    report: ChangeReport,
    selection: Selection,
    will: str,
    change: Change,
    can_concern: Callable[[Position], bool],
    *,
    is_complete: Callable[[Position], bool] = lambda _position: True,
) -> int:
    """Change each number by itself: one that cannot be changed is named with its reason, and keeps no other back.

    `is_complete`: whether the number is now where the change is meant to bring it. The exit code is 3 if some number
    was not changed or is not there.
    """
    async with open_for_change(dry_run=report.changes_nothing) as app:
        numbers = await selection.find(app, can_concern)
        report.subject = selection.subject(numbers)
        if report.confirm is not None and report.confirm != report.subject:
            usage_error(f"--confirm {report.confirm} is not {report.subject}; nothing was changed")
        report.will(f"{will}: {count_text(len(numbers))}")
        documents = [await _change_one(app, report, number, change) for number in numbers]
        report.document["numbers"] = documents
        board = [await app.queries.positions.find(number.ref) for number in numbers]
        failed = sum(1 for document in documents if not document["changed"])
        complete = failed == 0 and all(is_complete(position) for position in board)
        report.note(f"{count_text(len(numbers) - failed)} changed, {failed} not")
        return report.finish(ExitCode.DONE if complete or report.changes_nothing else ExitCode.NOT_ALL_MOVED)


async def _change_one(app: App, report: ChangeReport, number: Position, change: Change) -> dict[str, Any]:
    reason: str | None = None
    try:
        await change(app, number.ref)
    except (StateError, MigrationError) as exc:
        reason = str(exc)
    except Exception as exc:  # noqa: BLE001 -- the barrier: it keeps no other number back
        reason = unexpected(number.ref, "this command", exc)
    if reason is not None:
        print_line(f"{number_label(number)} was not changed: {reason}", as_json=report.as_json)
    position, now = await app.queries.positions.find(number.ref), await app.queries.now()
    if reason is None:
        hold = "; on hold" if position.hold else ""
        advice = "" if report.changes_nothing else f"  next: {next_command(position, now)}"
        report.note(f"{status_line(position, now)}{hold}{advice}")
    document = number_document(position, now, False)
    document["next_command"] = forecast_command(report, document["next_command"])
    return document | {"changed": reason is None, "not_changed_because": reason}


async def _find_each(app: App, typed: Sequence[str]) -> list[Position]:
    found, unknown = [], 0
    for number in typed:
        try:
            found.append(await app.queries.positions.find(number))
        except NotFound as exc:
            unknown += 1
            print_error(f"{number}: {exc}")
    if unknown:
        raise NotFound(f"{unknown} of {count_text(len(typed))} not found; nothing was changed")
    return found


def _lines_of(file: str | None) -> list[str]:
    """The first column of each line, without comments and empty lines."""
    if file is None:
        return []
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        usage_error(f"{file} is not text in UTF-8; nothing was changed")
    except OSError as exc:
        usage_error(f"{file}: {exc.strerror}; nothing was changed")
    lines = (_CELL_ENDS.split(line.split("#")[0])[0].strip(" \t\"'") for line in text.splitlines())
    return [line for line in lines if line]
