"""`cutover parity`: what was true of a number before its move against what is true now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from migration.app import App
from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line, print_table
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app
from migration.cli.target import select_target
from migration.engine.barrier import unexpected
from migration.errors import CredentialsRefused, MigrationError
from migration.operations.parity_reading import needs_a_person, read_parity
from migration.operations.parity_wording import Comparison, Line, shown_text
from migration.operations.wording import number_label
from state.rows import Position


def parity(
    what: Annotated[str | None, typer.Argument(help="A wave, or one number; without it, every moved number.")] = None,
    as_json: Json = False,
    whole: Annotated[bool, typer.Option("--all", help="Print also the lines that are the same.")] = False,
) -> None:
    """Compare what is true of moved numbers now with what was true before: a line each. Changes nothing at Meta.

    The lines become part of the record: `cutover show` and the number's page print them. Exit code 4: some lines need
    a person, or some numbers could not be read.
    """
    run_verb(_parity(what, as_json, whole))


@dataclass(slots=True)
class _Compared:
    """`refused`: by profile, what its numbers cannot be read for; no call is spent on its other numbers."""

    read: list[tuple[Position, tuple[Line, ...]]] = field(default_factory=list)
    failed: list[tuple[Position, str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


async def _parity(name: str | None, as_json: bool, whole: bool) -> int:
    compared = _Compared()
    async with open_cli_app() as app:
        selection, board = await select_target(app, name)
        for position in board:
            # Of a wave, or of the fleet, what has not crossed is not compared yet.
            if position.crossed_at is not None or selection.only is not None:
                await _compare(app, position, compared, alone=selection.only is not None)
    left = sum(1 for _, lines in compared.read if needs_a_person(lines))
    if as_json:
        numbers = [{"ref": row.ref, "lines": [line.as_json() for line in lines]} for row, lines in compared.read]
        not_read = [{"ref": row.ref, "because": why} for row, why in compared.failed]
        print_json({"numbers": numbers, "needs_a_person": left, "not_read": not_read})
    else:
        _print(compared.read, compared.failed, whole)
        print_line(f"{count_text(len(compared.read))} compared; {left} with lines that need a person.")
    if compared.refused:
        return ExitCode.CREDENTIALS
    return ExitCode.NOT_ALL_PROVED if left or compared.failed else ExitCode.DONE


async def _compare(app: App, position: Position, compared: _Compared, *, alone: bool) -> None:
    """Raises MigrationError for the only number that was asked for."""
    if position.profile in compared.refused:
        compared.failed.append((position, compared.refused[position.profile]))
        return
    try:
        compared.read.append((position, await read_parity(app, position)))
    except MigrationError as exc:
        if alone:
            raise
        compared.failed.append((position, str(exc)))
        if isinstance(exc, CredentialsRefused):
            compared.refused[position.profile] = str(exc)
    except Exception as exc:  # noqa: BLE001 -- the barrier: the others are compared
        compared.failed.append((position, unexpected(position.ref, "parity", exc)))


def _print(
    read: Sequence[tuple[Position, Sequence[Line]]], failed: Sequence[tuple[Position, str]], whole: bool
) -> None:
    for position, lines in read:
        shown = [line for line in lines if whole or line.verdict is not Comparison.SAME]
        print_table(number_label(position), ("what", "verdict", "before -> after"), [_row(line) for line in shown])
        same = len(lines) - len(shown)
        if same:
            print_line(f"{same} more lines are the same as before.")
        print_line("")
    for position, why in failed:
        print_line(f"{number_label(position)} could not be read: {why}")


def _row(line: Line) -> tuple[Any, ...]:
    return line.what, line.verdict.value, shown_text(line.as_json())
