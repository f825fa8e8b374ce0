"""`cutover reveal`: show one secret to a named person; that it was shown is in the record before it is."""

from typing import Annotated

import typer

from migration.app import App
from migration.cli.confirming import ChangeReport
from migration.cli.options import DryRun
from migration.cli.output import print_secret
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name
from migration.operations.revealing import Revealed, find_secret, note_revealed


def reveal(
    name: Annotated[str, typer.Argument(help="A number, for its PIN; with --token a credential profile.")],
    because: Annotated[str, typer.Option(help="Why somebody has to see it; it is kept in the record.")],
    token: Annotated[bool, typer.Option("--token", help="Show the token of the credential profile.")] = False,
    confirm: Annotated[str | None, typer.Option(help="The number's reference, or the profile's name, again.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Show the PIN of a number or the token of a profile. Who saw it, when and why is recorded before it is shown."""
    if not because.strip():
        usage_error("--because needs a reason; nothing was shown")
    run_verb(_reveal(name, because, ChangeReport(False, dry_run, needs_confirm=True, confirm=confirm), token=token))


async def _reveal(name: str, because: str, report: ChangeReport, *, token: bool) -> int:
    async with open_cli_app(dry_run=report.changes_nothing) as app:
        found = await find_secret(app, name, token=token)
        report.check_confirmation(found.name)
        report.now(f"the {found.what} of {found.label} is kept", found.what)
        report.will(f"record that {operator_name()} sees it, then show it")
        if not report.changes_nothing:
            await _show(app, found, because)
        return report.finish()


async def _show(app: App, found: Revealed, because: str) -> None:
    await note_revealed(app, found, operator_name(), because)
    print_secret(found.value)
