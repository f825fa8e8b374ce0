"""`cutover hold`: keep a number, or a wave, from crossing."""

from typing import Annotated

import typer

from migration.cli.confirming import Confirmation, DryRun, change_number, change_wave, is_wave
from migration.cli.console import Json, operator_name, run_verb
from migration.operations.numbers import hold_number
from migration.operations.waves import hold_wave
from state.rows import Position

WAVE = (
    "keep every number of the wave that has not crossed on its side of the gate; those that have crossed go on, "
    "because holding them would keep them dark"
)


def hold(
    what: Annotated[str, typer.Argument(help="A number (N-0001) or a wave.")],
    because: Annotated[str, typer.Option("--because", help="Why: it is shown wherever the hold is.")] = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Hold a number or a wave before its cutover. Works while workers run; `release` lets it go."""
    run_verb(_hold(what, because, Confirmation(as_json, dry_run)))


async def _hold(what: str, because: str, asked: Confirmation) -> int:
    by = operator_name()
    if await is_wave(what):
        said = because or f"held by {by}"
        return await change_wave(asked, what, WAVE, lambda app: hold_wave(app, what, said), f"cutover release {what}")
    return await change_number(asked, what, _will, lambda app: hold_number(app, what, by, because))


def _will(at: Position) -> str:
    if at.crossed_at is not None:
        return "put the number on hold; it is past its point of no return and goes on to its end all the same"
    return "put the number on hold: it does not pass its gate until it is released"
