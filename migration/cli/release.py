"""`cutover release`: let a number, or more of a wave, pass the gate."""

from typing import Annotated

import typer

from migration.actions import release_number, release_wave
from migration.cli.console import Json, run, usage, who_asks
from migration.cli.doing import Asked, DryRun, is_wave, on_number, on_wave


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
        usage("give --canary or --only, not both")
    run(_release(what, only or [], Asked(as_json, dry_run), canary=canary))


async def _release(what: str, only: list[str], asked: Asked, *, canary: bool) -> int:
    if await is_wave(what):
        part = "its canary" if canary else ", ".join(only) if only else "all its numbers"
        will = f"let {part} pass the gate, inside the wave's window"
        follow = f"cutover run {what}"
        return await on_wave(asked, what, will, lambda app: release_wave(app, what, canary=canary, only=only), follow)
    if canary or only:
        usage(f"{what} is a number; --canary and --only are for waves")
    will = "let the number pass its gate; what its wave says still counts"
    return await on_number(asked, what, will, lambda app: release_number(app, what, who_asks()))
