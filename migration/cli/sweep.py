"""`cutover sweep`: one pass over the numbers that are due, without Prefect; suitable for cron."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from migration.app import App
from migration.cli.exit_codes import ExitCode
from migration.cli.following import follow_fleet
from migration.cli.number_document import number_document
from migration.cli.options import DryRun, Json
from migration.cli.output import count_text, print_json, print_line
from migration.cli.paused_senders import paused_document, paused_lines
from migration.cli.rehearsal import open_for_change
from migration.cli.running import run_verb, usage_error
from migration.cli.stopped import stopped_document, stopped_line
from migration.operations.housekeeping import destroy_what_is_due
from migration.operations.service_wording import finding_text, stopped_by_itself
from migration.operations.wording import status_line
from migration.waves.asked_proofs import send_asked
from migration.waves.loop import NumberSelection, WaveLoop, numbers_to_sweep
from migration.waves.next_command import next_command
from migration.waves.notices import PeopleTeller
from migration.waves.proofs import apply_webhooks, end_restrictions
from migration.waves.senders import keep_senders_informed
from migration.waves.watch import look_at_standing
from state.enums import Status
from state.rows import Position

CONCURRENCY = 20


def sweep(
    patience: Annotated[
        float, typer.Option(min=0, max=600, help="Go on while one of them comes due within so many seconds.")
    ] = 20.0,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until it is stopped: what comes due is moved within seconds.")
    ] = False,
    parent: Annotated[
        int | None, typer.Option(min=1, help="With --follow: end with this parent, by its process id.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Go on with every number that is due and that nobody moves. What nobody has begun yet is left alone."""
    if follow and (dry_run or as_json):
        usage_error("--follow moves numbers until it is stopped; it has no --dry-run and no --json")
    if follow:
        run_verb(follow_fleet(parent), ends_itself=True)
    run_verb(_sweep(timedelta(seconds=patience), as_json=as_json, dry_run=dry_run), ends_itself=True)


async def _sweep(patience: timedelta, *, as_json: bool, dry_run: bool) -> int:
    async with open_for_change(dry_run=dry_run) as app:
        due = await numbers_to_sweep(app, dry_run=dry_run)
        before = await _read_positions(app, due)
        if not as_json:
            print_line(f"now    {count_text(len(due))} due")
        if not dry_run and due:
            loop = WaveLoop(app, app.runner.run_one, concurrency=CONCURRENCY, patience=patience)
            await loop.run(NumberSelection(only=set(due)))
        elif not dry_run and not app.stop.requested:
            await keep_senders_informed(app)
            await app.ledger.waves.finish()
        if not dry_run and not app.stop.requested:
            await apply_webhooks(app)
            await end_restrictions(app)
            await send_asked(app)
            await look_at_standing(app)
            await destroy_what_is_due(app)
            await PeopleTeller(app).finish()
        after = before if dry_run else await _read_positions(app, due)
        now, stopped = await app.queries.now(), app.stop.requested
        paused = await app.queries.positions.paused()
        gone = [position for position in await app.queries.positions.board() if stopped_by_itself(position)]
    left = [position for position in after if position.ended_at is None]
    lines = paused_lines(paused, now)
    blocked = [position for position in left if position.status is Status.BLOCKED]
    some_left = blocked or gone or (stopped and left) or (lines and not dry_run)
    exit_code = ExitCode.NOT_ALL_MOVED if some_left else ExitCode.DONE
    if as_json:
        numbers = [number_document(position, now, False) for position in after]
        document = {"dry_run": dry_run, "due": len(due), "numbers": numbers, "paused_senders": paused_document(paused)}
        document["stopped_serving"] = [position.ref for position in gone]
        print_json(document | stopped_document(left, now, stopped=stopped))
        return exit_code
    for position in after:
        label = "would take" if dry_run else "after "
        print_line(f"{label} {status_line(position, now)}  next: {next_command(position, now)}")
    if dry_run:
        print_line("Nothing was changed.")
    for line in [*filter(None, (finding_text(position) for position in gone)), *lines]:
        print_line(line)
    if stopped:
        print_line(stopped_line(left))
    return exit_code


async def _read_positions(app: App, migration_ids: Sequence[int]) -> list[Position]:
    return [await app.queries.positions.get(migration_id) for migration_id in migration_ids]
