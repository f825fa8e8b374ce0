"""`cutover forget`: erase what is known of a customer, after the end of its migrations."""

from typing import Annotated

import typer

from migration.app import App
from migration.cli.confirming import ChangeReport, carry_out
from migration.cli.options import DryRun, Json
from migration.cli.output import count_text
from migration.cli.rehearsal import open_for_change
from migration.cli.running import run_verb, usage_error
from migration.cli.session import operator_name
from migration.operations.housekeeping import destroy_what_is_due
from state.ledger.forgetting import Forgotten


def forget(
    customer: Annotated[str, typer.Argument(help="The customer's name, as the inventory has it.")],
    because: Annotated[str, typer.Option(help="Why; it is kept in the record, so do not name a person in it.")],
    confirm: Annotated[str | None, typer.Option(help="The customer's name again: nothing brings it back.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Erase a customer's name, numbers, contacts and secrets from every table, after the end of its migrations.

    The record stays whole: it holds a reference in their place. Files of `cutover backup` and logs are yours to delete.
    """
    if not because.strip():
        usage_error("--because needs a reason; nothing was changed")
    report = ChangeReport(as_json, dry_run, needs_confirm=True, confirm=confirm)
    run_verb(_forget(customer, because, report))


async def _forget(customer: str, because: str, report: ChangeReport) -> int:
    async with open_for_change(dry_run=report.changes_nothing) as app:
        report.check_confirmation(customer)

        async def act(app: App) -> Forgotten:
            return await app.ledger.forgetting.forget(customer, operator_name(), because)

        will = f"erase {customer}, its numbers, what was read of them and their secrets; the way back ends with that"
        forgotten = await carry_out(report, app, will, act)
        if not report.changes_nothing:
            await destroy_what_is_due(app)  # the files of its backups, and what the database's log still holds
        text = f"{count_text(len(forgotten.numbers))} of {forgotten.reference}: {', '.join(forgotten.numbers)}"
        document = {"reference": forgotten.reference, "numbers": list(forgotten.numbers)}
        named = {"events_that_name_it": forgotten.still_named, "waves_that_name_it": list(forgotten.waves)}
        report.after(text, document | named)
        if forgotten.waves:
            report.note(f"waves keep their names, and these hold its name: {', '.join(forgotten.waves)}")
        if forgotten.still_named:
            why = "in a reason that somebody typed, or written by an older release"
            report.note(f"{count_text(forgotten.still_named, 'event')} of the record still name it, {why}")
        report.next("cutover audit verify")
        return report.finish()
