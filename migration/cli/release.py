"""`cutover release`: let a number, or more of a wave, pass the gate."""

from typing import Annotated

import typer

from migration.app import App
from migration.cli.confirming import Confirmation, DryRun, change_number, change_wave, is_wave
from migration.cli.console import Json, count_text, operator_name, run_verb, usage_error
from migration.operations.approval import not_crossed, recorded_rollback_options, released_numbers
from migration.operations.numbers import release_number
from migration.operations.waves import find_wave_numbers, release_wave
from migration.steps.rollback_options import summarize_rollbacks
from state.enums import Released
from state.rows import Position


def release(
    what: Annotated[str, typer.Argument(help="A number (N-0001) or a wave.")],
    canary: Annotated[bool, typer.Option("--canary", help="Only the wave's canary: its first few numbers.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this number of the wave; may be given several times.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let a number or a wave cross. A wave that is held or halted goes on by it."""
    if canary and only:
        usage_error("give --canary or --only, not both")
    run_verb(_release(what, only or [], Confirmation(as_json, dry_run), canary=canary))


async def _release(what: str, only: list[str], asked: Confirmation, *, canary: bool) -> int:
    if await is_wave(what):
        return await change_wave(
            asked,
            what,
            lambda app: _approval(asked, app, what, only, canary=canary),
            lambda app: release_wave(app, what, canary=canary, only=only),
            f"cutover run {what}",
        )
    if canary or only:
        usage_error(f"{what} is a number; --canary and --only are for waves")
    will = "let the number pass its gate; what its wave says still counts"
    return await change_number(asked, what, will, lambda app: release_number(app, what, operator_name()))


async def _approval(asked: Confirmation, app: App, wave: str, only: list[str], *, canary: bool) -> str:
    """What whoever lets it go has to know: how many numbers cross by it, and which of them could come back."""
    going = await _let_go(app, wave, only, canary=canary)
    found = await recorded_rollback_options(app, going)
    asked.ways_back(found)
    part = "its canary" if canary else ", ".join(only) if only else "all its numbers"
    said = f"let {part} pass the gate, inside the wave's window: {count_text(len(going))} still to cross"
    return f"{said}\nways back: {summarize_rollbacks(found)}"


async def _let_go(app: App, wave: str, only: list[str], *, canary: bool) -> list[Position]:
    if only:
        return not_crossed(await find_wave_numbers(app, wave, only))
    return released_numbers(Released.CANARY if canary else Released.ALL, await app.queries.positions.board(wave=wave))
