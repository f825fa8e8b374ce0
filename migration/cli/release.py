"""`cutover release`: let a number, or more of a wave, pass the gate."""

from collections.abc import Sequence
from typing import Annotated

import typer

from migration.app import App
from migration.cli.bulk import Blocked, FromFile, OfWave, Selection, change_numbers
from migration.cli.confirming import ChangeReport, change_number, change_wave
from migration.cli.options import DryRun, Json
from migration.cli.output import count_text
from migration.cli.running import run_verb, usage_error
from migration.cli.session import operator_name
from migration.cli.target import is_wave
from migration.operations.approval import not_crossed, numbers_of, recorded_rollback_options
from migration.operations.numbers import release_number
from migration.operations.waves import find_wave_numbers, release_wave
from migration.steps.rollback_options import summarize_rollbacks
from state.enums import Released
from state.rows import Position


def release(
    what: Annotated[list[str] | None, typer.Argument(help="A wave, or one or more numbers (N-0001).")] = None,
    canary: Annotated[bool, typer.Option("--canary", help="Only the wave's canary: its first few numbers.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All its numbers, as without any option.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this number of the wave; may be given several times.")
    ] = None,
    wave: OfWave = None,
    blocked: Blocked = False,
    file: FromFile = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let a number or a wave cross. A held or halted wave goes on; a release that was wider can be narrowed."""
    if canary + everything + bool(only) > 1:
        usage_error("give one of --canary, --only and --all")
    report, selection = ChangeReport(as_json, dry_run), Selection(what or (), wave, blocked, file)
    if not selection.is_bulk:
        run_verb(_release(selection.single, only or [], report, canary=canary))
    if canary or only or everything:
        usage_error("--all, --canary and --only are for one wave, as in `cutover release WAVE --canary`")
    run_verb(
        change_numbers(
            report,
            selection,
            "take each number off hold; what its wave says still counts",
            lambda app, ref: release_number(app, ref, operator_name()),
            lambda row: row.ended_at is None and row.hold,
        )
    )


async def _release(name: str, only: Sequence[str], report: ChangeReport, *, canary: bool) -> int:
    if await is_wave(name):
        return await change_wave(
            report,
            name,
            lambda app: _will_release(report, app, name, only, canary=canary),
            lambda app: release_wave(app, name, canary=canary, only=only, by=operator_name()),
            lambda row: f"cutover run {row.name}",
        )
    if canary or only:
        usage_error(f"{name} is a number; --canary and --only are for waves")
    will = "let the number pass its gate; what its wave says still counts"
    return await change_number(report, name, will, lambda app: release_number(app, name, operator_name()))


async def _will_release(report: ChangeReport, app: App, wave: str, only: Sequence[str], *, canary: bool) -> str:
    """What the person who approves needs to know: how many numbers will cross, and which of them could go back."""
    crossing = await _find_crossing(app, wave, only, canary=canary)
    options = await recorded_rollback_options(app.queries, crossing)
    report.rollbacks(options)
    part = "its canary" if canary else ", ".join(only) if only else "all its numbers"
    will = f"let {part} pass the gate, inside the wave's window: {count_text(len(crossing))} still to cross"
    return f"{will}\nways back: {summarize_rollbacks(options)}"


async def _find_crossing(app: App, wave: str, only: Sequence[str], *, canary: bool) -> list[Position]:
    """The numbers that may cross after this release."""
    if only:
        return [one for one in not_crossed(await find_wave_numbers(app, wave, only)) if not one.hold]
    return numbers_of(Released.CANARY if canary else Released.ALL, await app.queries.positions.board(wave=wave))
