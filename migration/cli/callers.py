"""`cutover callers`: what the programs of a customer change for each number, and which side they still call."""

from typing import Annotated, Any

import typer

from migration.cli.options import Json
from migration.cli.output import print_json, print_line, print_table
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app
from migration.cli.target import select_target
from migration.operations.caller_changes import caller_changes, read_called_sides
from migration.operations.wording import number_label


def callers(
    what: Annotated[str | None, typer.Argument(help="A wave, or one number; without it, all.")] = None,
    sides: Annotated[bool, typer.Option("--sides", help="Only which side is being called; asks each client.")] = False,
    as_json: Json = False,
) -> None:
    """List what a customer's programs change for each number, and read which side they still call.

    The reading asks each client once and changes nothing; it compares with the reading before it.
    """
    run_verb(_callers(what, sides, as_json))


async def _callers(name: str | None, sides_only: bool, as_json: bool) -> int:
    numbers: list[dict[str, Any]] = []
    async with open_cli_app() as app:
        _, board = await select_target(app, name)
        for position in board:
            called = await read_called_sides(app, position)
            changes = () if sides_only else caller_changes(position, app.clients.graph_base)
            rows = [change.as_json() for change in changes]
            numbers.append({"ref": position.ref, "called": called.as_json(), "changes": rows})
            if as_json:
                continue
            print_line(number_label(position))
            print_line(f"On-Premises: {called.on_premises}; {called.on_premises_why}")
            print_line(f"Cloud: {called.cloud}; {called.cloud_why}")
            if changes:
                table = [(change.what, change.before, change.after, change.otherwise) for change in changes]
                print_table("what callers change", ("what", "now", "on Cloud", "otherwise"), table)
            print_line("")
    if as_json:
        print_json({"numbers": numbers})
    return 0
