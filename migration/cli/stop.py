"""`cutover stop`: end a wave for good."""

from typing import Annotated

import typer

from migration.cli.confirming import Because, Confirm, Confirmation, DryRun, change_wave
from migration.cli.console import Json, run_verb
from migration.operations.waves import stop_wave

WILL = (
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
    asked = Confirmation(as_json, dry_run, needs_confirm=True, confirm=confirm)
    run_verb(change_wave(asked, wave, WILL, lambda app: stop_wave(app, wave, because)))
