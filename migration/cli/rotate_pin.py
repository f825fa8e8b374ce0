"""`cutover rotate-pin`: a new two-step PIN for a number that is on Cloud."""

from migration.cli.confirming import ChangeReport
from migration.cli.options import Because, Confirm, DryRun, Json, NumberArgument
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app, operator_name
from migration.operations.pin_rotation import check_rotation, rotate_pin
from migration.operations.wording import number_label


def rotate_pin_(
    number: NumberArgument, because: Because, confirm: Confirm = None, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Set a new PIN for a number on Cloud whose migration has ended. `reveal` shows it, and records to whom."""
    run_verb(_rotate(number, because, ChangeReport(as_json, dry_run, needs_confirm=True, confirm=confirm)))


async def _rotate(number: str, because: str, report: ChangeReport) -> int:
    async with open_cli_app(dry_run=report.changes_nothing) as app:
        position = await check_rotation(app, number)
        report.check_confirmation(position.ref, position.e164, position.phone_number_id)
        report.now(f"{number_label(position)} is on Cloud", {"ref": position.ref, "pin": position.pin_provenance})
        report.will("set a new PIN at Meta, and keep it in place of the one before")
        if not report.changes_nothing:
            position = await rotate_pin(app, number, because, operator_name())
        report.after(f"the PIN of {position.ref} is {position.pin_provenance}", {"pin": position.pin_provenance})
        report.next(f'cutover reveal {position.ref} --because "..." --confirm {position.ref}')
        return report.finish()
