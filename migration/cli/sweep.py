"""`cutover sweep`: one pass over what is due, without Prefect; what cron would run."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from migration.app import App
from migration.cli.confirming import DryRun
from migration.cli.console import Exit, Json, app_of, give, many, run, say
from migration.cli.status import described
from migration.operations.wording import line, next_command
from migration.waves.loop import Slice, WaveLoop, left_over
from state.rows import Position

AT_ONCE = 20


def sweep(
    patience: Annotated[
        float, typer.Option(min=0, max=600, help="Go on while one of them comes due within so many seconds.")
    ] = 20.0,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Go on with every number that is due and that nobody moves. What nobody has begun yet is left alone."""
    run(_sweep(timedelta(seconds=patience), as_json=as_json, dry_run=dry_run))


async def _sweep(patience: timedelta, *, as_json: bool, dry_run: bool) -> int:
    async with app_of(dry_run=dry_run) as app:
        due = await left_over(app, dry_run=dry_run)
        before = await _look(app, due)
        if not as_json:
            say(f"now    {many(len(due))} due")
        if not dry_run and due:
            loop = WaveLoop(app, app.runner.run_one, concurrency=AT_ONCE, patience=patience)
            await loop.run(Slice(only=set(due)))
        after = before if dry_run else await _look(app, due)
        now = await app.queries.now()
    if as_json:
        give({"dry_run": dry_run, "due": len(due), "numbers": [described(at, now, False) for at in after]})
        return Exit.DONE
    for at in after:
        say(f"{'would take' if dry_run else 'after '} {line(at, now)}  next: {next_command(at, now)}")
    if dry_run:
        say("Nothing was changed.")
    return Exit.DONE


async def _look(app: App, due: Sequence[int]) -> list[Position]:
    return [await app.queries.position(one) for one in due]
