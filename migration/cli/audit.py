"""`cutover audit`: is the record whole, and a copy of it for somebody else to read."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from migration.app import App
from migration.cli.exit_codes import ExitCode
from migration.cli.home_line import home_fields, print_home
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app
from migration.errors import BadSetting
from migration.operations.record_audit import export_lines, verify_record
from migration.vault.private_file import write_private
from state.queries.record_check import CheckedRecord


class AuditAct(StrEnum):
    VERIFY = "verify"
    EXPORT = "export"


def audit(
    act: Annotated[AuditAct, typer.Argument(help="`verify` checks every chain; `export` writes them into FILE.")],
    file: Annotated[Path | None, typer.Argument(help="For `export`: the file to write; one that exists stays.")] = None,
    as_json: Json = False,
) -> None:
    """Check that nothing was changed, cut or added in the record of this home, or export it. Exit code 1 if it was.

    It reads the whole record, and the anchors in the home's folder. Nothing is changed.
    """
    if file is not None and file.exists():
        usage_error(f"{file} is there already; nothing was written")
    if (act is AuditAct.EXPORT) != (file is not None):
        usage_error("`cutover audit verify` takes no file, `cutover audit export FILE` takes one")
    run_verb(_audit(file, as_json=as_json))


async def _audit(file: Path | None, *, as_json: bool) -> int:
    async with open_cli_app(dry_run=True) as app:
        print_home(app.settings, app.home, as_json=as_json)
        if app.anchors is None:
            raise BadSetting("this home's record has no key yet; `cutover sweep` makes it and takes the record over")
        record = await verify_record(app)
        if file is not None:
            await _export(app, file)
        return _report(app, record, file, as_json=as_json)


async def _export(app: App, file: Path) -> None:
    lines = [json.dumps(line, sort_keys=True) async for line in export_lines(app)]
    write_private(file, "\n".join(lines) + "\n")


def _report(app: App, record: CheckedRecord, file: Path | None, *, as_json: bool) -> int:
    exit_code = ExitCode.ERROR if record.problems else ExitCode.DONE
    if as_json:
        problems = [{"place": problem.place, "what": problem.what} for problem in record.problems]
        document = {
            "whole": not problems,
            "problems": problems,
            "notes": record.notes,
            "chains": len(record.chains),
            "events": record.events,
        }
        print_json(document | ({"file": str(file)} if file else {}) | home_fields(app.settings, app.home))
        return exit_code
    for note in record.notes:
        print_line(f"note: {note}")
    for problem in record.problems:
        print_line(f"{problem.place}: {problem.what}")
    counted = f"{count_text(record.events, 'event')} in {count_text(len(record.chains), 'chain')}"
    if record.problems:
        print_line(f"The record is not whole: {count_text(len(record.problems), 'place')} above. {counted} were read.")
        print_line("Next: keep a copy of the database as it is; compare with `cutover audit export` of an earlier day.")
    else:
        print_line(f"The record is whole: {counted}.")
    if file is not None:
        print_line(f"Written to {file}.")
    return exit_code
