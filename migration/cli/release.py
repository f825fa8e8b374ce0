"""`cutover release`: let a number, or more of a wave, pass the gate."""

from collections import Counter
from typing import Annotated

import typer

from migration.actions import release_number, release_wave
from migration.cli.console import Json, app_of, run, usage, who_asks
from migration.cli.doing import Asked, DryRun, is_wave, on_number, on_wave
from migration.way_back import Known, judged


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
        will = f"let {part} pass the gate, inside the wave's window; ways back: {await ways_back(what)}"
        follow = f"cutover run {what}"
        return await on_wave(asked, what, will, lambda app: release_wave(app, what, canary=canary, only=only), follow)
    if canary or only:
        usage(f"{what} is a number; --canary and --only are for waves")
    will = "let the number pass its gate; what its wave says still counts"
    return await on_number(asked, what, will, lambda app: release_number(app, what, who_asks()))


async def ways_back(wave: str) -> str:
    """How many numbers of the wave could go back, from what is on record: for whoever lets it go."""
    async with app_of(dry_run=True) as app:
        now, measured = await app.queries.now(), await app.queries.field_facts()
        found: Counter[str] = Counter()
        for at in await app.queries.board(wave=wave):
            snapshot = (await app.queries.findings(at.migration_id)).get("snapshot")
            known = Known.of(at, snapshot.facts if snapshot is not None else {}, measured)
            found[judged(known, now).way.value] += 1
    return ", ".join(f"{count} {way}" for way, count in sorted(found.items())) or "none"
