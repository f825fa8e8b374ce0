"""`cutover stop`: end a wave for good."""

from typing import Annotated

import typer

from migration.cli.confirming import ChangeReport, change_wave
from migration.cli.options import Because, Confirm, DryRun, Json
from migration.cli.running import run_verb
from migration.cli.session import operator_name
from migration.operations.waves import stop_wave

WILL_STOP = (
    "stop the wave for good: no number of it crosses any more. Those that have crossed go on to their end; "
    "the others stay where they are until `cutover abort` ends them"
)


def stop(
    wave: Annotated[str, typer.Argument(help="A wave.")],
    because: Because,
    confirm: Confirm = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Stop a wave for good; `hold` is what can be taken back."""
    report = ChangeReport(as_json, dry_run, needs_confirm=True, confirm=confirm)
    run_verb(change_wave(report, wave, WILL_STOP, lambda app: stop_wave(app, wave, because, operator_name())))
